"""CNN-Fuse with weights of this project against what the authors' weights made of the same photographs.

Other weights give another image; but both should take nearly all pixels from the same source.
"""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.images import to_gray, to_unit


def taken_from_the_first(images: np.ndarray, fused: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which source each pixel is nearer to, and where the sources differ enough to tell: by eight gray levels."""
    first, second, out = (255 * to_gray(to_unit(image, np.float64)) for image in (*images, fused))
    return np.abs(out - first) < np.abs(out - second), np.abs(first - second) > 8


@pytest.mark.parametrize(("golden", "pair"), [("c_01_cnn", "lytro_01"), ("c_02_cnn", "lytro_02")])
def test_decision_agrees_with_the_published_one(mirror, published, golden: str, pair: str) -> None:
    stack = mff.load("gacn26")[pair]
    theirs, clear = taken_from_the_first(stack.images, published(golden))
    decision = mff.fuse(stack, "cnn_fuse").decision[0] > 0.5
    assert clear.mean() > 0.01
    assert (decision == theirs)[clear].mean() > 0.97
    assert (decision == theirs)[clear].mean() > 0.1 + (decision != theirs)[clear].mean()
