"""Find the recipe of a network by name: the one place that knows which networks can be trained."""

import dataclasses
import importlib
from typing import Any, get_type_hints

from mffrepro.errors import unknown

#: Network -> module of this package with its ``PRESETS``, imported on first use. ``dictionaries`` are those of sparse coding.
RECIPES = {
    "gacn": "gacn",
    "icacs18": "icacs18",
    "cnn_fuse": "cnn_fuse",
    "cnnwt": "cnnwt",
    "pixel_cnn": "pixel_cnn",
    "subbands": "subbands",
    "tlcnn": "transfer",
    "tlcolor": "transfer",
    "vgg19": "vgg",
    "sesf": "sesf",
    "ifcnn": "ifcnn",
    "densefuse": "densefuse",
    "drpl": "drpl",
    "mff_gan": "mff_gan",
    "fusiondn": "fusiondn",
    "u2fusion": "u2fusion",
    "pmgi": "pmgi",
    "deepfuse": "deepfuse",
    "difnet": "difnet",
    "stackmff": "stackmff",
    "lightmff": "lightmff",
    "gcf": "gcf",
    "mscnn": "mscnn",
    "unet": "unet",
    "focal": "focal",
    "dictionaries": "dictionaries",
}


def presets(network: str) -> dict[str, Any]:
    """Return the ready-made recipes of a network by name.

    Raises:
        OptionError: There is no recipe for that network; the sentence suggests the nearest.
    """
    if network not in RECIPES:
        raise unknown("recipe", network, RECIPES)
    made = importlib.import_module(f"mffrepro.training.{RECIPES[network]}").PRESETS
    return {preset: dataclasses.replace(recipe, name=network) for preset, recipe in made.items()}


def recipe(network: str, preset: str = "practical") -> Any:
    """Return a ready-made recipe; ``dataclasses.replace`` changes its options.

    Raises:
        OptionError: There is no such network or preset.
    """
    known = presets(network)
    if preset not in known:
        raise unknown(f"preset of {network}", preset, known)
    return known[preset]


def rebuild(fields: dict[str, Any]) -> Any:
    """Rebuild a recipe from the fields that a run folder or a card describes.

    The fields are as JSON keeps them.
    """
    kind = type(next(iter(presets(fields["name"]).values())))
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def option_kinds(made: Any) -> dict[str, Any]:
    """Return the annotation of every option of a recipe that can be set."""
    hints = get_type_hints(type(made))
    return {field.name: hints[field.name] for field in dataclasses.fields(made) if field.name != "name"}
