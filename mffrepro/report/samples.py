"""Show what a network learns from: labelled images of tlcnn and tlcolor, pairs of GACN, patches of the patch classifiers."""

from collections.abc import Mapping, Sequence

import numpy as np

from mffrepro.data import draw_mask, load_regions
from mffrepro.data.hard_patches import hard_pairs, middle
from mffrepro.images import to_gray, to_unit
from mffrepro.training.gacn import PRESETS
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


def spread_pair(*, seed: int) -> dict[str, np.ndarray]:
    """Make a training pair of GACN from the first embedded photograph.

    It is shown before crop, rotation, noise and shift.

    Args:
        seed: Seed of mask and blur.

    Returns:
        Photograph, both images of the pair and the label, 1 where the first image is sharper: gray (H, W) in [0, 1].
    """
    photograph = load_regions("embedded")[0]
    gray, mask = to_gray(to_unit(photograph.image)), draw_mask(photograph, np.random.default_rng(seed))
    pair = PRESETS["practical"].pair(gray, mask, np.random.default_rng(seed))
    return {"photograph": gray, "near-focused (a)": pair["a"], "far-focused (b)": pair["b"], "label": pair["mask"]}


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


def hard_rows(kinds: Sequence[str], *, count: int = 8, side: int = 32, enlarge: int = 3) -> dict[str, np.ndarray]:
    """Lay pairs of each kind of hard patch in two rows.

    The sharper patches stand above the others. All are parts of the embedded photographs, and all kinds but ``"flat"`` show the
    same places.

    Args:
        kinds: Names of `mffrepro.data.hard_patches.KINDS`.
        count: Number of pairs.
        side: Even side of a patch in pixels, up to 64.
        enlarge: Pixels of the picture along each side of a pixel.

    Returns:
        Kind -> (H, W) uint8.
    """
    photographs = load_regions("embedded")
    found = {}
    for kind in kinds:
        pairs = middle(hard_pairs(photographs, kind, count), side)
        rows = pairs.transpose(1, 2, 0, 3).reshape(2 * side, count * side)
        found[kind] = np.kron(rows, np.ones((enlarge, enlarge), np.uint8))
    return found
