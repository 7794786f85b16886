"""Photographs with label maps, and masks drawn from them: the raw material of artificial multi-focus pairs.

The networks of the papers learn from pairs that are blurred inside or outside a mask. The papers take the masks from
PASCAL VOC 2012 or MS COCO; the Berkeley segmentation set serves as well and is small enough to travel. Whatever the
source, a label map gives each pixel the number of its region, and `draw_mask` joins neighbouring regions to one mask.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mffrepro.data.embedded import embedded_regions
from mffrepro.data.labelled import LabelledImage, bsds500, coco2017, folder_photographs, voc2012
from mffrepro.errors import OptionError, unknown

SPLITS = {
    "bsds500": ("train", "val"),
    "voc2012": ("train", "val", "trainval"),
    "coco2017": ("train", "val"),
    "embedded": ("train",),
    "folder": ("train",),
}


def load_regions(name: str, *, split: str = "train", root: str | Path | None = None) -> Sequence[LabelledImage]:
    """Load labelled photographs, in a fixed order.

    Args:
        name: ``"bsds500"`` (train 200, val 100), ``"voc2012"`` (objects of the segmentation lists), ``"coco2017"``
            (photographs with exactly one object of 20 000 to 170 000 pixels, as GACN was trained on), ``"embedded"``, or
            ``"folder"``, any photographs, without label maps: enough for the networks that learn from patches.
        split: ``"train"`` or ``"val"``; VOC 2012 also has ``"trainval"``, ``"embedded"`` and ``"folder"`` only ``"train"``.
        root: Folder the archives of VOC 2012 or COCO 2017 were unpacked in; the folder of photographs.

    Returns:
        A sequence that reads nothing but lists until one of its photographs or label maps is asked for.

    Raises:
        OptionError: Unknown name or split, or a root where none is taken.
        DataError: Files are missing; the sentence says how to get them.
    """
    if name not in SPLITS:
        raise unknown("region data set", name, SPLITS)
    if split not in SPLITS[name]:
        raise unknown(f"split of {name}", split, SPLITS[name])
    if name == "voc2012":
        return voc2012(split, root)
    if name == "coco2017":
        return coco2017(split, root)
    if name == "folder":
        return folder_photographs(root)
    if root is not None:
        raise OptionError(f"{name} takes no root; leave it out")
    if name == "bsds500":
        return bsds500(split)
    return embedded_regions()


# ------------------------------------------------------------------------------------------- drawing masks


def draw_mask(labelled: LabelledImage, rng: np.random.Generator, low: float = 0.1, high: float = 0.6) -> np.ndarray:
    """Draw a random union of adjacent regions as a mask.

    It covers between `low` and `high` of the image.

    A share is drawn evenly from [low, high], an annotator and a first region at random; then random neighbours join
    until the share is reached, and one that would carry the union over `high` is passed over. Where that ends below
    `low`, the next region starts, then the next annotator. Only when none of them leads to a mask (one region fills nearly
    all of the image) is the largest region cut by a random straight line to the share drawn.

    Args:
        labelled: Photograph with at least one label map.
        rng: Source of all randomness; the same state gives the same mask.
        low: Smallest share of the image, over 0.
        high: Largest share, under 1.

    Returns:
        (H, W) bool, neither empty nor full.

    Raises:
        OptionError: Not 0 < low <= high < 1.
    """
    if not 0 < low <= high < 1:
        raise OptionError(f"low is {low:g} and high {high:g}; give shares of the image with 0 < low <= high < 1")
    share = rng.uniform(low, high)
    maps = labelled.labels
    for i in rng.permutation(len(maps)):
        regions, shares, neighbours = _adjacency(maps[i])
        for start in rng.permutation(len(shares)):
            chosen, total = _grow(int(start), shares, neighbours, share, high, rng)
            if low <= total <= high:
                return np.isin(regions, chosen)
    return _cut(maps[rng.integers(len(maps))], share, rng)


def _adjacency(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label map counted from 0, share of each region, and the (K, K) bool matrix of regions that touch."""
    values, flat, counts = np.unique(labels, return_inverse=True, return_counts=True)
    regions = flat.reshape(labels.shape)
    touch = np.zeros((len(values), len(values)), bool)
    for one, other in ((regions[1:], regions[:-1]), (regions[:, 1:], regions[:, :-1])):
        touch[one, other] = touch[other, one] = True
    np.fill_diagonal(touch, False)
    return regions, counts / labels.size, touch


def _grow(
    start: int, shares: np.ndarray, touch: np.ndarray, share: float, high: float, rng: np.random.Generator
) -> tuple[list[int], float]:
    """Join neighbours to a region; their share is returned too, since another order of adding may round over `high`."""
    chosen, total, border = [start], shares[start], touch[start].copy()
    while total < share:
        candidates = np.flatnonzero(border & (total + shares <= high))
        if not len(candidates):
            break
        new = int(rng.choice(candidates))
        chosen.append(new)
        total += shares[new]
        border |= touch[new]
        border[chosen] = False
    return chosen, total


def _cut(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    values, counts = np.unique(labels, return_counts=True)
    wanted = int(np.clip(round(share * labels.size), 1, labels.size - 1))
    inside = labels == values[counts.argmax()]
    if counts.max() < wanted:
        inside = np.ones(labels.shape, bool)
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.indices(labels.shape)
    height = np.where(inside, np.sin(angle) * rows + np.cos(angle) * columns, np.inf)
    mask = np.zeros(labels.size, bool)
    mask[np.argsort(height, axis=None, kind="stable")[:wanted]] = True
    return mask.reshape(labels.shape)
