"""Recipes of tlcnn."""

from mffrepro.training.transfer import presets

PRESETS = presets("tlcnn")
