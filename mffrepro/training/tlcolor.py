"""Recipes of tlcolor."""

from mffrepro.training.transfer import presets

PRESETS = presets("tlcolor")
