"""The picture on the front page: ``python -m mffrepro.report.hero book/_static/hero.webp``."""

import sys
from pathlib import Path

import numpy as np

from mffrepro.data import load
from mffrepro.images import Image, from_unit, to_unit, write_atomically
from mffrepro.methods import fuse
from mffrepro.report.gallery import encode


def hero() -> Image:
    """Draw four pictures: focused on the cup, on the table, its sources, and fused."""
    stack = load("embedded")["coffee_blur5"]
    result = fuse(stack, "gacn")
    decision = np.repeat(result.decision[0][..., None], 3, -1)
    pictures = [*stack.images, from_unit(decision, stack.images.dtype), result.image]
    gap = np.full((len(result.image), 10, 3), 255, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)][1:]
    return from_unit(to_unit(np.hstack(row)), np.dtype(np.uint8))


if __name__ == "__main__":
    write_atomically(Path(sys.argv[1]), encode(hero()))
