"""Show what a network learns from: labelled images of tlcnn and tlcolor, patches of the patch classifiers."""

from collections.abc import Mapping, Sequence

import numpy as np

from mffrepro.data import load_regions
from mffrepro.training.recipes import recipe
from mffrepro.training.transfer import FocusLevels


def defocus_samples(name: str, *, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw training images of tlcnn or tlcolor with their labels.

    They come from the embedded photographs.

    Args:
        name: ``"tlcnn"`` or ``"tlcolor"``.
        count: Number of images.
        seed: Seed of the draws.

    Returns:
        Images (H, W, 3) in [0, 1] and labels (H, W), 1 where the image is out of focus.
    """
    drawn = FocusLevels(load_regions("embedded"), recipe(name), length=count, seed=seed)
    return [(drawn[i]["a"].numpy().transpose(1, 2, 0), 1 - drawn[i]["mask"].numpy()[0]) for i in range(count)]


def patch_row(pairs: Sequence[Mapping], which: str, *, enlarge: int = 4) -> np.ndarray:
    """Lay the patches of training pairs side by side.

    Args:
        pairs: Samples of `mffrepro.training.patches.PatchPairs`.
        which: ``"sharp"`` or ``"blurred"``.
        enlarge: Pixels of the picture along each side of a pixel.

    Returns:
        (H, W) in [0, 1].
    """
    row = np.concatenate([pair[f"{which}_gray"][0].numpy() for pair in pairs], 1)
    return np.kron(row, np.ones((enlarge, enlarge)))
