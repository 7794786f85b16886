"""Train any recipe: on one device or many, at any precision, with a checkpoint after each epoch and exact resumption.

A run folder holds ``recipe.json``, ``log.csv`` (one row an epoch), ``best.safetensors`` (lowest validation loss) and
``last.pt`` (what a resumed run needs). Each file is replaced whole, so a run can be killed at any moment.
"""

import csv
import io
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from filelock import Timeout
from torch import Tensor, nn

from mffrepro import progress
from mffrepro.data.regions import LabelledImage
from mffrepro.errors import DataError, OptionError, first_line
from mffrepro.images import locked, write_atomically
from mffrepro.models.weights import load_pickled, read_safetensors, to_bytes
from mffrepro.training.recipe import Recipe

Row = dict[str, float]
#: What ``last.pt`` holds in any case; the state of a scaler comes with fp16 only.
_STATE = {"rows", "model", "optimiser", "scheduler"}


def train(
    recipe: Recipe,
    regions: dict[str, Sequence[LabelledImage]],
    out: str | Path,
    *,
    seed: int = 1,
    device: str = "auto",
    precision: str = "no",
    workers: int = 0,
    resume: bool = False,
    on_step: Callable[[int, int, int], None] | None = None,
    on_epoch: Callable[[list[Row]], None] | None = None,
) -> nn.Module:
    """Train a network by its recipe; return it with its best weights.

    The best weights are those of the lowest validation loss.

    Args:
        recipe: Network, data, loss and schedule.
        regions: Labelled photographs under ``"train"`` and ``"val"``.
        out: Run folder; must be empty unless `resume`.
        seed: Seed of the initial weights and of every sample.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``; under ``accelerate launch`` every process takes its own device.
        precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        workers: Processes that make samples; the samples do not depend on it.
        resume: Go on after the last finished epoch, to the same result as a run that was never stopped.
        on_step: Called with epoch, step and steps per epoch, for a progress bar of its own.
        on_epoch: Called with all rows of the log so far.

    Raises:
        DataError: The folder holds another run, or nothing to resume, or another process trains in it.
    """
    out = Path(out)
    accelerator = _accelerator(device, precision)
    with accelerator.main_process_first():  # the other processes find the folder that the first one made
        config = {"recipe": asdict(recipe), "seed": seed, "precision": precision}
        last = _open_run(out, config, resume or not accelerator.is_main_process)
    with _alone(out) if accelerator.is_main_process else nullcontext():
        return _train(accelerator, recipe, regions, out, last, seed, workers, on_step, on_epoch)


def go_on(recipe: Recipe, regions: dict[str, Sequence[LabelledImage]], out: str | Path, **options: Any) -> nn.Module:
    """Train like `train`, going on where a training was stopped in this folder.

    Raises:
        DataError: The folder holds another training.
    """
    return train(recipe, regions, out, resume=(Path(out) / "recipe.json").exists(), **options)


def _train(
    accelerator: Any,
    recipe: Recipe,
    regions: dict[str, Sequence[LabelledImage]],
    out: Path,
    last: dict[str, Any],
    seed: int,
    workers: int,
    on_step: Callable[[int, int, int], None] | None,
    on_epoch: Callable[[list[Row]], None] | None,
) -> nn.Module:
    rows = last.get("rows", [])
    if rows and accelerator.is_main_process:
        _write_log(out / "log.csv", rows)  # a run that was killed may have kept its last epoch and not yet its row
    torch.manual_seed(seed)
    model = recipe.model()
    if accelerator.device.type == "cpu" and (accelerator.mixed_precision == "no" or _convolves_16_bits()):
        model = model.to(memory_format=torch.channels_last)  # the small convolutions run about 1.7 times as fast
    elif accelerator.num_processes > 1:  # exists for GPUs only
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    optimiser = recipe.optimiser(model)
    scheduler = recipe.scheduler(optimiser)
    if last:
        try:
            _restore(last, model, optimiser, scheduler, accelerator.scaler)
        except Exception as error:  # the states of another training fit in no way that could be listed
            raise _unusable(out / "last.pt", f"it does not fit the recipe, {type(error).__name__}") from None
    data = {split: recipe.data(regions[split], split=split, seed=seed + (split == "val")) for split in ("train", "val")}
    loaders = {
        split: torch.utils.data.DataLoader(d, batch_size=recipe.batch, num_workers=workers, drop_last=split == "train")
        for split, d in data.items()
    }
    model, optimiser, loaders["train"], loaders["val"] = accelerator.prepare(model, optimiser, loaders["train"], loaders["val"])
    epochs = range(len(rows), recipe.epochs)
    for epoch in epochs if on_step else progress.steps(epochs, "training", "epoch"):
        started = time.perf_counter()
        data["train"].begin_epoch(epoch)
        recipe.begin_epoch(accelerator.unwrap_model(model), epoch)
        rate = optimiser.param_groups[0]["lr"]
        steps = len(loaders["train"])
        report = (lambda step, epoch=epoch, steps=steps: on_step(epoch, step, steps)) if on_step else None
        fitted = _pass(recipe, model, loaders["train"], accelerator, optimiser, report)
        scheduler.step()
        recipe.begin_epoch(accelerator.unwrap_model(model), recipe.epochs)  # validated as it will be used
        with torch.inference_mode():
            checked = _pass(recipe, model, loaders["val"], accelerator)
        row = {"epoch": epoch + 1, "rate": rate, "seconds": time.perf_counter() - started}
        row |= {f"train_{k}": v for k, v in fitted.items()} | {f"val_{k}": v for k, v in checked.items()}
        rows.append(row)
        if accelerator.is_main_process:
            _checkpoint(out, rows, accelerator.unwrap_model(model), optimiser, scheduler, accelerator.scaler)
            if on_epoch:
                on_epoch(rows)
        accelerator.wait_for_everyone()
    return load_model(recipe.model(), out / "best.safetensors").eval()


def _convolves_16_bits() -> bool:
    """Tell whether torch's fast convolutions take numbers of 16 bits on this processor.

    Where they do not, torch takes a slow convolution, which cannot train weights in the memory format channels_last.
    """
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _restore(last: dict[str, Any], model: nn.Module, optimiser: Any, scheduler: Any, scaler: Any) -> None:
    model.load_state_dict(last["model"])
    optimiser.load_state_dict(last["optimiser"])
    scheduler.load_state_dict(last["scheduler"])
    if scaler is not None:
        scaler.load_state_dict(last["scaler"])


def _pass(recipe: Recipe, model: nn.Module, loader: Iterable, accelerator: Any, optimiser: Any = None, report: Any = None) -> Row:
    """Pass over the data once, training where there is an optimiser; return the mean of each loss over all processes."""
    model.train(optimiser is not None)
    sums: dict[str, Tensor] = {}
    steps = 0
    for batch in loader:
        with accelerator.autocast():
            losses = recipe.losses(model, batch)
        if optimiser is not None:
            optimiser.zero_grad()
            accelerator.backward(losses["total"])
            optimiser.step()
        steps += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0) + value.detach().float()
        if report:
            report(steps)
    means = {name: accelerator.reduce(value / steps, reduction="mean").item() for name, value in sums.items()}
    if not all(map(math.isfinite, means.values())):
        raise OptionError(f"the loss of {recipe.name} is no longer finite; lower the rate or use precision 'no'")
    return means


def _accelerator(device: str, precision: str) -> Any:
    """Start Accelerate, which keeps the first device and precision of a process; one that trains again may ask for others."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    if os.environ.get("WORLD_SIZE", "1") == "1":
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(mixed_precision=precision, cpu=_on_cpu(device))


def _on_cpu(device: str) -> bool:
    if device not in ("auto", "cpu", "cuda"):
        raise OptionError(f"no device {device!r}; use auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("no CUDA device is available; use device='cpu'")
    return device == "cpu" or not torch.cuda.is_available()


# --------------------------------------------------------------------------------------------- run folder


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep other runs out of a run folder."""
    lock = locked(out, seconds=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(f"another process trains in {out}; wait for it, or choose another folder") from None
    try:
        yield
    finally:
        lock.release()


def _open_run(out: Path, config: dict[str, Any], resume: bool) -> dict[str, Any]:
    """Read what the last finished epoch of the run left behind; empty for a new run."""
    text = json.dumps(config, indent=1)
    described, last = out / "recipe.json", out / "last.pt"
    if resume:
        if not described.exists():
            raise DataError(f"{out} holds no run to resume; start one without --resume")
        if _text_of(described) != text:
            raise DataError(f"{described} describes another run; resume with its options or choose another folder")
        return _read_last(last) if last.exists() else {}
    if described.exists():
        raise DataError(f"{out} already holds a run; resume it with --resume or choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(described, text.encode())
    return {}


def _text_of(path: Path) -> str:
    """Read a text; what is no text becomes one that nothing else equals."""
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); choose another folder") from None


def _read_last(path: Path) -> dict[str, Any]:
    """Read what `_checkpoint` wrote, without executing what may be pickled in a foreign file.

    Raises:
        DataError: The file is damaged, or holds something else.
    """
    try:
        last = load_pickled(path)
    except Exception as error:  # of many kinds; EOFError would pass for an interruption from the keyboard
        raise _unusable(path, type(error).__name__) from None
    if not isinstance(last, dict) or not last.keys() >= _STATE or not _are_rows(last["rows"]):
        raise _unusable(path, "it was not written by a training")
    return last


def _are_rows(rows: Any) -> bool:
    """Tell whether these are rows of a log: numbers of the same names, the validation's loss among them."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows):
        return False
    return all("val_total" in row and all(isinstance(value, (int, float)) for value in row.values()) for row in rows)


def _unusable(path: Path, reason: str) -> DataError:
    return DataError(f"{path} cannot be resumed from ({reason}); delete {path.parent} and train again, or choose another folder")


def read_log(path: str | Path) -> list[Row]:
    """Read the rows of a ``log.csv``; an empty list where there is none yet.

    Raises:
        DataError: It cannot be read, or is no log.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:  # TypeError: a row of fewer or more values than the names
        raise DataError(
            f"{path} is no log of a training ({first_line(error)}); give a folder that mffrepro train wrote"
        ) from None


def _checkpoint(out: Path, rows: list[Row], model: nn.Module, optimiser: Any, scheduler: Any, scaler: Any) -> None:
    """Write what a resumed run needs to one file, so that weights, optimiser and log can never be of different epochs."""
    if rows[-1]["val_total"] <= min(row["val_total"] for row in rows):
        write_atomically(out / "best.safetensors", to_bytes(model, model.options))
    state = {"rows": rows, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
    state["scheduler"] = scheduler.state_dict()
    if scaler is not None:
        state["scaler"] = scaler.state_dict()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(out / "last.pt", buffer.getvalue())
    _write_log(out / "log.csv", rows)


def _write_log(path: Path, rows: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[-1])
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def load_model(model: nn.Module, path: str | Path) -> nn.Module:
    """Load the weights of a safetensors file into a network, and return it.

    Raises:
        DataError: The file cannot be read, or holds the weights of another network.
    """
    tensors, _ = read_safetensors(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError:  # names or shapes differ
        raise DataError(f"{path} holds the weights of another network; give a folder that mffrepro train wrote") from None
    return model
