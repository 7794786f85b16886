"""Studies: trainings that differ in one thing each, scored and recorded: ``mffrepro train study NAME``.

Each study is a module with a function ``study`` that returns a `Study`: the rows of its table, and how one of them is trained and
scored. `mffrepro.training.studies.runner` runs the rows one after the other and goes on where it was stopped.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import unknown

#: Study -> module, and the arguments of its ``study``.
STUDIES = {
    "cnn_fuse": ("patches", {"method": "cnn_fuse"}),
    "cnnwt": ("patches", {"method": "cnnwt"}),
    "focal": ("focal", {}),
    "gacn_losses": ("gacn_losses", {}),
    "gacn_trainings": ("gacn_trainings", {}),
    "icacs18": ("patches", {"method": "icacs18"}),
    "long_training": ("long_training", {}),
    "overfitting": ("transfer", {"kind": "overfitting"}),
    "subbands": ("subbands", {}),
    "transfer": ("transfer", {"kind": "transfer"}),
}

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hold what a study is run on.

    Attributes:
        machine: The machine in words, for the table.
        data: Labelled photographs to train on, with a split for validation.
        real: Stacks of real photographs to score on; by default those that the study names.
        seeds: Number of trainings of each kind, with the seeds 1, 2, and so on.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        precision: ``"no"``, ``"bf16"`` or ``"fp16"``.
        size: ``"practical"``, minutes on a CPU, or ``"paper"``: the recipe that the paper prints, for a GPU.
    """

    machine: str
    data: str = "bsds500"
    real: str | None = None
    seeds: int = 1
    device: str = "auto"
    precision: str = "no"
    size: str = "practical"


@dataclass(frozen=True)
class Study:
    """Describe trainings that differ in one thing each.

    Attributes:
        rows: From the options to the columns that tell the rows of one seed apart, in the order in which they are run.
        run: Trains and scores one row; it is given the row, with its seed, and a run folder, in which it goes on with a training
            that was stopped.
        real: Stacks of real photographs that its rows are scored on, unless the options name others.
    """

    rows: Callable[[Options], Sequence[Mapping[str, str]]]
    run: Callable[[Row, Options, Path], Row]
    real: str = "gacn26"


def find(name: str) -> Study:
    """Return a study by its name.

    Raises:
        OptionError: There is no such study.
    """
    module, arguments = STUDIES[_known(name)]
    return importlib.import_module(f"{__name__}.{module}").study(**arguments)


def table_path(name: str) -> Path:
    """Return where the table of a study is recorded."""
    return manifest_folder() / "recorded" / "studies" / f"{_known(name)}.csv"


def _known(name: str) -> str:
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return name
