"""GACN as a fusion method: for two images a decision, for more a ranking or another strategy.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

import math

import numpy as np

from mffrepro.fusion.multi_image import UnitImages, combine
from mffrepro.images import FocusStack
from mffrepro.models.gacn import inference
from mffrepro.models.gacn.inference import GacnComparer
from mffrepro.models.gacn.network import GACN
from mffrepro.models.gacn.ranking import rank, rank_in_bands


def fuse(
    stack: FocusStack, network: GACN, *, strategy: str = "rank", as_published: bool | None = None, smooth_boundary: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse a stack with GACN; decided on gray, applied to all channels (A4.17).

    Images of over 8 million pixels are processed in bands of rows, so that memory does not grow with their number or size except
    for what is given and returned. ``strategy="carry"`` alone keeps the 64 maps of two whole images.

    Args:
        stack: N >= 2 images, sides at least 11 pixels, gray or colour.
        network: GACN.
        strategy: How more than two images are combined. ``"rank"`` ranks all images pixel by pixel and decides once: it is the
            fastest, the sharpest, and gives the same image in whatever order the stack comes. For the others see
            `mffrepro.fusion.multi_image`.
        as_published: True smooths the boundary as the authors' code does, False as the paper's text says; None follows the
            reading that the weights were trained with.
        smooth_boundary: False keeps the initial decision map.

    Returns:
        Fused image and decision map.

    References:
        [ma2022gacn].
    Chapter: 07_gacn
    """
    boundary = network.boundary if as_published is None else "published" if as_published else "paper"
    comparer = GacnComparer(network, boundary=boundary if smooth_boundary else "none", whole=strategy == "carry")
    images = UnitImages(stack.images)
    if strategy != "rank" or len(stack) == 2:
        return combine(images, comparer, "serial" if strategy == "rank" else strategy)
    if math.prod(stack.images.shape[1:3]) > inference.LARGE:
        return rank_in_bands(stack.images, comparer)
    return rank(images, comparer)
