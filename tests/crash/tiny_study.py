"""A study of two trainings that take seconds each, run by the same runner as those that take hours."""

from pathlib import Path

from mffrepro.data import load_regions
from mffrepro.training.gacn import PRESETS
from mffrepro.training.studies import Options, Row, Study, runner
from mffrepro.training.trainer import go_on, read_log


def _run(row: Row, options: Options, folder: Path) -> Row:
    regions = load_regions("embedded")[:2]
    go_on(PRESETS["smoke"], {"train": regions, "val": regions[:1]}, folder, seed=row["seed"], device="cpu")
    return {"val_total": min(epoch["val_total"] for epoch in read_log(folder / "log.csv"))}


def install() -> None:
    """Take the place of the study that is asked for."""
    runner.find = lambda name: Study(lambda options: [{"mask_loss": "none of the real ones"}], _run)
