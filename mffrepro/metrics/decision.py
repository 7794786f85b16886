"""Agreement of a decision map with the true one.

A decision map gives each source a share of each pixel; here the source with the largest share (the first of equals) is the label
of the pixel, so that soft maps can be compared with binary ones.
"""

from functools import partial

import numpy as np

from mffrepro.images import Shares
from mffrepro.metrics import programs
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric

#: Distance in pixels up to which a boundary counts as found.
TOLERANCE = 2


def labels(decision: np.ndarray | Shares) -> np.ndarray:
    """Return the index (H, W) of the source with the largest share, from (N, H, W)."""
    return decision.main if isinstance(decision, Shares) else decision.argmax(axis=0)


def boundary(label: np.ndarray) -> np.ndarray:
    """Find the pixels whose next pixel to the right or below has another label."""
    edge = np.zeros(label.shape, bool)
    edge[:, :-1] |= label[:, :-1] != label[:, 1:]
    edge[:-1] |= label[:-1] != label[1:]
    return edge


def _share_near(edge: np.ndarray, other: np.ndarray) -> float:
    """Compute the share of a boundary's pixels that are near another boundary."""
    from scipy.ndimage import distance_transform_edt

    return np.mean(distance_transform_edt(~other)[edge] <= TOLERANCE)


#: The part of a row that is the same for all metrics of decision maps.
_metric = partial(metric, low=0, high=1, identity=1, gray=None, source=programs.HERE, needs="decision")


@_metric(
    "mask_iou",
    symbol="IoU",
    formula=r"IoU = \operatorname{mean}_i \frac{|D_i \cap T_i|}{|D_i \cup T_i|}",
    bibkey="everingham2010",
    summary="overlap of the chosen with the true regions",
    example=0.0,
)
def mask_iou(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the overlap of the chosen with the true region of each source.

    The mean runs over the sources; a source that is chosen nowhere, and rightly so, is left out.
    """
    chosen, true = labels(fused.decision), labels(inputs.decision)
    shares = []
    for source in range(len(inputs.decision)):
        ours, theirs = chosen == source, true == source
        if union := np.count_nonzero(ours | theirs):
            shares.append(np.count_nonzero(ours & theirs) / union)
    return np.mean(shares)


@_metric(
    "mask_accuracy",
    symbol="Acc",
    bibkey="everingham2010",
    summary="share of the pixels taken from the right source",
    example=0.0,
)
def mask_accuracy(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure the share of the pixels that are taken from the right source."""
    return np.mean(labels(fused.decision) == labels(inputs.decision))


@_metric(
    "boundary_f",
    symbol="F_b",
    formula=r"F = \frac{2 P R}{P + R}",
    bibkey="martin2004",
    summary="agreement of the boundaries within 2 pixels, F measure",
    example=1.0,
)
def boundary_f(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure how well the boundaries between the regions agree.

    Precision and recall count the boundary pixels within 2 pixels of the other boundary; 1 where neither map has a boundary, 0
    where only one has.
    """
    chosen, true = boundary(labels(fused.decision)), boundary(labels(inputs.decision))
    if not chosen.any() or not true.any():
        return float(chosen.any() == true.any())
    precision, recall = _share_near(chosen, true), _share_near(true, chosen)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
