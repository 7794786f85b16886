"""Measure the strategies for many images on stacks of known reference.

Four layers of a photograph, from its lower border upwards as on a ground plane, are sharp in one image each.

References: [ma2022gacn], section 3.6. Chapter: 14_many_images.
"""

from collections.abc import Iterator

import numpy as np

from mffrepro.benchmarks.measurements import Measurement
from mffrepro.benchmarks.strategies import attempt, strategies_of
from mffrepro.data import load_regions
from mffrepro.data.synthetic import composite
from mffrepro.images import FocusStack
from mffrepro.methods import load_network
from mffrepro.metrics.scoring import Scorer
from mffrepro.models.gacn import GacnComparer

COUNT, LAYERS, LEVEL = 12, 4, 3
#: Least share of the image in a layer.
LEAST = 0.1


def layers(labels: np.ndarray) -> np.ndarray:
    """Sort the regions of a label map by height into four layers.

    The layers have about equal area.

    Args:
        labels: Number of the region of each pixel.

    Returns:
        (H, W), 0 for the lowest layer.
    """
    names, regions = np.unique(labels, return_inverse=True)
    regions = regions.reshape(labels.shape)
    areas = np.bincount(regions.ravel())
    rows = np.bincount(regions.ravel(), weights=np.indices(labels.shape)[0].ravel()) / areas
    order = np.argsort(-rows)
    middle = np.cumsum(areas[order]) - areas[order] / 2
    layer_of = np.empty(len(names), int)
    layer_of[order] = np.minimum(LAYERS * middle / labels.size, LAYERS - 1).astype(int)
    return layer_of[regions]


def made_stacks(count: int = COUNT) -> Iterator[FocusStack]:
    """Make stacks of four images of photographs of BSDS500 whose regions allow it."""
    made = 0
    for photograph in load_regions("bsds500", split="val"):
        layer = layers(photograph.labels[0])
        truth = (layer == np.arange(LAYERS)[:, None, None]).astype(np.float32)
        if made < count and truth.mean((1, 2)).min() >= LEAST:
            made += 1
            image = photograph.image
            images = np.stack([composite(image, share, 2.0, size=7, level=LEVEL)[0] for share in truth])
            yield FocusStack(photograph.name, images, reference=image, decision=truth)


def many(stack: FocusStack) -> dict[str, dict[str, float]]:
    """Score every strategy of GACN (C4.11)."""
    comparer = GacnComparer(load_network("gacn.published"))
    scorer = Scorer(stack, metrics=["qg", "psnr"], gray="skimage")
    return {name: scorer(attempt(stack, comparer, name).result.image) for name in strategies_of(comparer)}


MEASURED = {"many": Measurement(many, made_stacks)}
