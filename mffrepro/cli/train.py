"""``mffrepro train``: a network by its recipe."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mffrepro.cli.terminal import say
from mffrepro.cli.values import check_choice, parse_settings
from mffrepro.errors import OptionError

if TYPE_CHECKING:
    from mffrepro.data import LabelledImage

PRECISIONS = ("no", "bf16", "fp16")


def train(
    network: Annotated[str, typer.Argument(help="A network that has a recipe, such as gacn; or dictionaries.")],
    preset: Annotated[str, typer.Option(help="Recipe: practical, paper, smoke, or an ablation of the network.")] = "practical",
    data: Annotated[str, typer.Option(help="Photographs: embedded, bsds500, voc2012, coco2017 or folder.")] = "embedded",
    root: Annotated[Path | None, typer.Option(help="Folder that voc2012 or coco2017 was unpacked in, or of photographs.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Change the recipe, name=value; repeat for more.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/NETWORK]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="no (float32), bf16 or fp16.")] = "no",
    workers: Annotated[int, typer.Option(min=0, help="Processes that make samples.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the initial weights and of every sample.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
) -> None:
    """Train a network and keep the weights of its best epoch.

    Example: mffrepro train gacn --data bsds500 --out runs/gacn
    """
    from mffrepro.training import recipes
    from mffrepro.training.trainer import train as run

    recipe = recipes.recipe(network, preset)
    recipe = dataclasses.replace(
        recipe, **parse_settings(setting or [], recipes.option_kinds(recipe), f"option of the recipe {network}")
    )
    _check_precision(precision, device)
    regions = _regions(data, root)
    if hasattr(recipe, "split"):
        regions = recipe.split(regions, seed)
    out = out or Path("runs") / network
    if network == "dictionaries":
        return _learn_dictionaries(recipe, regions["train"], out, data=data, seed=seed, resume=resume)
    progress = Progress(recipe.epochs, out)
    run(
        recipe, regions, out, seed=seed, device=device, precision=precision, workers=workers,
        resume="yes" if resume else "no", on_step=progress.step, on_epoch=progress.epoch,
    )  # fmt: skip
    progress.close()
    print(f"best weights -> {out / 'best.safetensors'}")


def _learn_dictionaries(recipe: Any, photographs: Sequence, out: Path, *, data: str, seed: int, resume: bool) -> None:
    from mffrepro.training.dictionaries import learn_to_folder

    if resume:
        raise OptionError("dictionaries are learned in minutes and not resumed; leave --resume out")

    def report(name: str, number: int, error: float) -> None:
        print(f"{name:<6} round {number:>3}  rms {error:.4f}", flush=True)

    path = learn_to_folder(recipe, photographs, out, data=data, seed=seed, report=report)
    print(f"dictionaries -> {path}")


def _check_precision(precision: str, device: str) -> None:
    """Before the run folder is made: Accelerate would refuse only then."""
    from mffrepro.models.weights import pick_device

    check_choice("precision", precision, PRECISIONS)
    if pick_device(device).type == "cpu" and precision == "fp16":
        raise OptionError("fp16 needs a GPU; use bf16 or no on a CPU")


def _regions(name: str, root: Path | None) -> "dict[str, Sequence[LabelledImage]]":
    from mffrepro.data import load_regions
    from mffrepro.data.regions import SPLITS

    regions = {"train": load_regions(name, root=root)}
    if "val" not in SPLITS[name]:
        say(f"note: {name} has no validation photographs, so its {len(regions['train'])} serve for both; bsds500 trains better")
        return regions | {"val": regions["train"]}
    return regions | {"val": load_regions(name, split="val", root=root)}


class Progress:
    """A bar within each epoch, one line and a new ``loss.png`` after it."""

    def __init__(self, epochs: int, out: Path) -> None:
        self.epochs, self.out = epochs, out
        self.bar: Any = None

    def step(self, epoch: int, step: int, total: int) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=total, desc=f"epoch {epoch + 1}/{self.epochs}", unit="step", leave=False, disable=None)
        self.bar.update(step - self.bar.n)

    def epoch(self, rows: list[dict[str, float]]) -> None:
        from mffrepro.report.figures import save_loss_curves

        self.close()
        row = rows[-1]
        losses = [
            f"{name.removeprefix('val_')} {row[f'train_{name[4:]}']:.4f}/{row[name]:.4f}"
            for name in row
            if name.startswith("val_")
        ]
        print(f"epoch {row['epoch']:.0f}/{self.epochs}  train/val {'  '.join(losses)}  {row['seconds']:.0f} s", flush=True)
        save_loss_curves(rows, self.out / "loss.png")

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.bar = None
