"""Which networks can be trained, and where their recipes stand: the one place that knows."""

import dataclasses
import importlib
from typing import Any, get_type_hints

from mffrepro.errors import unknown

#: Network -> ``module:mapping`` from the names of its presets to recipes, imported on first use. ``dictionaries`` stands for
#: all that sparse coding learns.
RECIPES = {
    "gacn": "mffrepro.training.gacn:PRESETS",
    "icacs18": "mffrepro.training.icacs18:PRESETS",
    "cnn_fuse": "mffrepro.training.cnn_fuse:PRESETS",
    "cnnwt": "mffrepro.training.cnnwt:PRESETS",
    "tlcnn": "mffrepro.training.tlcnn:PRESETS",
    "tlcolor": "mffrepro.training.tlcolor:PRESETS",
    "vgg19": "mffrepro.training.vgg:PRESETS",
    "sesf": "mffrepro.training.sesf:PRESETS",
    "ifcnn": "mffrepro.training.ifcnn:PRESETS",
    "densefuse": "mffrepro.training.densefuse:PRESETS",
    "drpl": "mffrepro.training.drpl:PRESETS",
    "mff_gan": "mffrepro.training.mff_gan:PRESETS",
    "fusiondn": "mffrepro.training.fusiondn:PRESETS",
    "u2fusion": "mffrepro.training.u2fusion:PRESETS",
    "pmgi": "mffrepro.training.pmgi:PRESETS",
    "dictionaries": "mffrepro.training.dictionaries:PRESETS",
}


def presets(network: str) -> dict[str, Any]:
    """The ready-made recipes of a network by name.

    Raises:
        OptionError: No recipe for that network; the sentence suggests the nearest.
    """
    if network not in RECIPES:
        raise unknown("recipe", network, RECIPES)
    module, _, name = RECIPES[network].partition(":")
    return getattr(importlib.import_module(module), name)


def recipe(network: str, preset: str = "practical") -> Any:
    """A ready-made recipe; ``dataclasses.replace`` changes its options.

    Raises:
        OptionError: An unknown network or preset.
    """
    known = presets(network)
    if preset not in known:
        raise unknown(f"preset of {network}", preset, known)
    return known[preset]


def rebuild(fields: dict[str, Any]) -> Any:
    """The recipe that a run folder or a card describes, from its fields as JSON keeps them; ``name`` says whose it is."""
    kind = type(next(iter(presets(fields["name"]).values())))
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def option_kinds(made: Any) -> dict[str, Any]:
    """The annotation of every option of a recipe that can be set."""
    hints = get_type_hints(type(made))
    return {field.name: hints[field.name] for field in dataclasses.fields(made) if field.name != "name"}
