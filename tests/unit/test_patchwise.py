"""Whole images against single patches: the scores, and the times."""

import numpy as np

from mffrepro.benchmarks.patchwise import compare
from mffrepro.images import FocusStack
from mffrepro.models.icacs18 import Icacs18


def test_scores_agree_with_surroundings_and_not_between_zeros() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 50, 66, 3), np.uint8)
    pairs = [FocusStack(name, images) for name in ("a", "b")]
    context = compare(Icacs18(width=0.125).eval(), pairs, height=48, width=64)
    zeros = compare(Icacs18(width=0.125, border="zeros").eval(), pairs, height=48, width=64)
    assert list(context.index) == ["a", "b"]
    assert context["gap"].max() < 1e-5 < zeros["gap"].min()
    assert (context["time"] > 0).all()
