"""Train a network, run a study of trainings, or ship trained weights: ``mffrepro train``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mffrepro.cli.terminal import say
from mffrepro.cli.values import check_choice, parse_settings
from mffrepro.errors import OptionError
from mffrepro.progress import hidden

if TYPE_CHECKING:
    from mffrepro.data import LabelledImage

PRECISIONS = ("no", "bf16", "fp16")
#: `mffrepro.training.studies.STUDIES` in words; importing it would cost every command its time.
STUDIES = "cnn_fuse, cnnwt, focal, gacn_losses, gacn_trainings, icacs18, long_training, overfitting, subbands or transfer"


class NetworkByDefault(TyperGroup):
    """Take the first word for the name of a network where it names no command."""

    def resolve_command(self, context, arguments):
        """Insert the command ``network`` before the name of a network, out of sight."""
        if arguments and arguments[0] in self.commands:
            return super().resolve_command(context, arguments)
        _, command, rest = super().resolve_command(context, ["network", *arguments])
        return "", command, rest


app = typer.Typer(cls=NetworkByDefault)


@app.callback()
def start() -> None:
    """Train a network (mffrepro train NAME), run a study, or ship weights.

    Example: mffrepro train gacn --data bsds500 --out runs/gacn
    """


@app.command("network", hidden=True)
def network(
    name: Annotated[str, typer.Argument(metavar="NETWORK", help="A network that has a recipe, such as gacn; or dictionaries.")],
    preset: Annotated[str, typer.Option(help="Recipe: practical, paper, smoke, or an ablation of the network.")] = "practical",
    data: Annotated[str, typer.Option(help="Photographs: embedded, bsds500, voc2012, coco2017 or folder.")] = "embedded",
    root: Annotated[Path | None, typer.Option(help="Root of the unpacked data set, or a folder of photographs.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="Change the recipe, name=value; repeat for more.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/NETWORK]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="no (float32), bf16 or fp16.")] = "no",
    workers: Annotated[int, typer.Option(min=0, help="Processes that make samples.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of the initial weights and of every sample.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
) -> None:
    """Train a network and keep the weights of its best epoch.

    Example: mffrepro train gacn --data bsds500 --out runs/gacn
    """
    from mffrepro.training import recipes
    from mffrepro.training.trainer import train as run

    recipe = recipes.recipe(name, preset)
    recipe = dataclasses.replace(
        recipe, **parse_settings(setting or [], recipes.option_kinds(recipe), f"option of the recipe {name}")
    )
    _check_precision(precision, device)
    regions = _regions(data, root)
    if hasattr(recipe, "split"):
        regions = recipe.split(regions, seed)
    out = out or Path("runs") / name
    if name == "dictionaries":
        return _learn_dictionaries(recipe, regions["train"], out, data=data, seed=seed, resume=resume)
    progress = Progress(recipe.epochs, out)
    run(
        recipe, regions, out, seed=seed, device=device, precision=precision, workers=workers,
        resume=resume, on_step=progress.step, on_epoch=progress.epoch,
    )  # fmt: skip
    progress.close()
    print(f"best weights -> {out / 'best.safetensors'}")


@app.command()
def study(
    name: Annotated[str, typer.Argument(help=f"{STUDIES}.")],
    machine: Annotated[str, typer.Option(help="The machine in words, for the table: '1 CPU core'.")],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind, with the seeds 1, 2, and so on.")] = 1,
    size: Annotated[str, typer.Option(help="practical, or paper: as long and wide as printed, for a GPU.")] = "practical",
    data: Annotated[str, typer.Option(help="Labelled photographs to train on, with a split for validation.")] = "bsds500",
    real: Annotated[
        str | None, typer.Option(help="Stacks of real photographs to score on; by default those of the study.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="no (float32), bf16 or fp16.")] = "no",
    minutes: Annotated[float, typer.Option(min=0, help="Begin no training after so many minutes.")] = float("inf"),
    out: Annotated[Path, typer.Option(help="Folder for the trainings.")] = Path("runs"),
) -> None:
    """Train variants that differ in one thing each, and record their scores.

    Each finished training is recorded at once; the same command, run again, goes on. Run it several times at once, and each
    process trains rows of its own.

    Example: mffrepro train study transfer --seeds 5 --machine "1 CPU core"
    """
    from mffrepro.training.studies import Options, runner

    check_choice("size", size, ("practical", "paper"))
    _check_precision(precision, device)
    options = Options(machine=machine, data=data, real=real, seeds=seeds, device=device, precision=precision, size=size)
    print(runner.run(name, options, out, minutes=minutes, report=lambda text: print(text, flush=True)))


@app.command()
def ship(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    name: Annotated[str, typer.Argument(help="Name of the weights: METHOD.tag, such as gacn.default.")],
    data: Annotated[str, typer.Option(help="Photographs that it was trained on.")],
    machine: Annotated[str, typer.Option(help="The machine in words: '2 CPU cores, bfloat16'.")],
    note: Annotated[str, typer.Option(help="What else a reader should know.")] = "",
) -> None:
    """Write the weights of the best epoch of a run, and their card, into the package.

    Example: mffrepro train ship runs/gacn gacn.default --data bsds500 --machine "2 CPU cores"
    """
    from mffrepro.training.ship import ship as write

    print(write(run, name, data=data, device=machine, note=note))


def _learn_dictionaries(recipe: Any, photographs: Sequence, out: Path, *, data: str, seed: int, resume: bool) -> None:
    from mffrepro.training.dictionaries import learn_to_folder

    if resume:
        raise OptionError("dictionaries are learned in minutes and not resumed; leave --resume out")

    def report(name: str, number: int, error: float) -> None:
        print(f"{name:<6} round {number:>3}  rms {error:.4f}", flush=True)

    path = learn_to_folder(recipe, photographs, out, data=data, seed=seed, report=report)
    print(f"dictionaries -> {path}")


def _check_precision(precision: str, device: str) -> None:
    """Refuse a precision before the run folder is made; Accelerate would refuse it only then."""
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
    """Show a progress bar within each epoch, then print a line and draw ``loss.png``."""

    def __init__(self, epochs: int, out: Path) -> None:
        self.epochs, self.out = epochs, out
        self.bar: Any = None

    def step(self, epoch: int, step: int, total: int) -> None:
        """Move the bar to a step of an epoch."""
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(total=total, desc=f"epoch {epoch + 1}/{self.epochs}", unit="step", leave=False, disable=hidden())
        self.bar.update(step - self.bar.n)

    def epoch(self, rows: list[dict[str, float]]) -> None:
        """Report the last epoch of the log."""
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
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None
