"""Compare the scores of whole images with those of single patches, and their times.

References: [li2018icacs], section 3.1. Chapter: 05_icacs18.
"""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.models import siamese


def compare(network: siamese.Siamese, pairs: Sequence[FocusStack], *, height: int = 96, width: int = 128) -> pd.DataFrame:
    """Score pairs once as whole images and once patch by patch.

    Their upper left part is scored. Patches overlap: they are a pooling stride apart.

    Args:
        network: A patch classifier, ready for inference.
        pairs: Two images each.
        height: Of the part, pixels.
        width: Of the part, pixels.

    Returns:
        A row per pair: ``gap``, the largest difference between both scores; and ``time``, the processor time of the whole image
        by that of the patches.
    """
    rows = {}
    for pair in pairs:
        units = [to_unit(image)[:height, :width] for image in pair.images]
        grays = [to_gray(unit) if pair.is_colour else unit for unit in units]
        started = time.process_time()
        whole = siamese.first_sharper(network, *(siamese.image_features(network, gray) for gray in grays))
        between = time.process_time()
        single = siamese.patch_scores(network, *grays, step=network.stride)
        ended = time.process_time()
        gap = float(np.abs(whole - single[: whole.shape[0], : whole.shape[1]]).max())
        rows[pair.name] = {"gap": gap, "time": (between - started) / (ended - between)}
    return pd.DataFrame(rows).T
