"""Right choice of source per pixel, where the true decision map is known.

A decision map gives each source a share of each pixel; here the source with the largest share is the label of the pixel
(the first one of equals), so that soft maps can be compared with binary ones.
"""

import numpy as np

from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.scoring import score_maps

#: Pixels by which a boundary may be off and still count as found.
TOLERANCE = 2


def labels(decision: np.ndarray) -> np.ndarray:
    """(H, W) index of the source with the largest share, from (N, H, W)."""
    return decision.argmax(axis=0)


def boundary(label: np.ndarray) -> np.ndarray:
    """True where the next pixel to the right or below has another label."""
    edge = np.zeros(label.shape, bool)
    edge[:, :-1] |= label[:, :-1] != label[:, 1:]
    edge[:-1] |= label[:-1] != label[1:]
    return edge


def _mask_iou(scene: FusionInputs, fused: GrayImage) -> float:
    chosen, true = labels(fused.decision), labels(scene.decision)
    shares = []
    for source in range(len(scene.sources)):
        ours, theirs = chosen == source, true == source
        if union := np.count_nonzero(ours | theirs):
            shares.append(np.count_nonzero(ours & theirs) / union)
    return np.mean(shares)


def _mask_accuracy(scene: FusionInputs, fused: GrayImage) -> float:
    return np.mean(labels(fused.decision) == labels(scene.decision))


def _boundary_f(scene: FusionInputs, fused: GrayImage) -> float:
    chosen, true = boundary(labels(fused.decision)), boundary(labels(scene.decision))
    if not chosen.any() or not true.any():
        return float(chosen.any() == true.any())
    precision, recall = _share_near(chosen, true), _share_near(true, chosen)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(edge: np.ndarray, other: np.ndarray) -> float:
    """Share of the pixels of one boundary that lie within the tolerance of another."""
    from scipy.ndimage import distance_transform_edt

    return np.mean(distance_transform_edt(~other)[edge] <= TOLERANCE)


# --------------------------------------------------------------------------------------------------- the metrics


def mask_iou(true_decision: np.ndarray, decision: np.ndarray) -> float:
    r"""Overlap of the chosen with the true region of each source.

    Range 0 to 1 (equal maps), higher is better.

    .. math:: IoU = \operatorname{mean}_i \frac{|D_i \cap T_i|}{|D_i \cup T_i|}

    Args:
        true_decision: (N, H, W) true share of each source per pixel, N >= 2.
        decision: (N, H, W) share of each source per pixel that the fusion chose.
    Returns:
        The mean over the sources; a source chosen nowhere, and rightly so, is left out.
    Raises:
        ImageError: A map has another shape or contains NaN.
    References:
        [everingham2010].
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import decision
        >>> round(mask_iou(decision, decision[::-1]), 4)
        0.0
    """
    return score_maps("mask_iou", true_decision, decision)


def mask_accuracy(true_decision: np.ndarray, decision: np.ndarray) -> float:
    """Share of the pixels taken from the right source.

    Range 0 to 1 (equal maps), higher is better.

    Args:
        true_decision: (N, H, W) true share of each source per pixel, N >= 2.
        decision: (N, H, W) share of each source per pixel that the fusion chose.
    Returns:
        The mean over all pixels.
    Raises:
        ImageError: A map has another shape or contains NaN.
    References:
        [everingham2010].
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import decision
        >>> round(mask_accuracy(decision, decision[::-1]), 4)
        0.0
    """
    return score_maps("mask_accuracy", true_decision, decision)


def boundary_f(true_decision: np.ndarray, decision: np.ndarray) -> float:
    r"""How well the boundaries between the regions are met.

    Range 0 to 1 (equal maps), higher is better.

    .. math:: F = \frac{2 P R}{P + R}

    Args:
        true_decision: (N, H, W) true share of each source per pixel, N >= 2.
        decision: (N, H, W) share of each source per pixel that the fusion chose.
    Returns:
        Precision and recall of the boundary pixels count those within 2 pixels of the other boundary; 1 where neither map has a
        boundary, 0 where only one has.
    Raises:
        ImageError: A map has another shape or contains NaN.
    References:
        [martin2004].
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import decision
        >>> round(boundary_f(decision, decision[::-1]), 4)
        1.0
    """
    return score_maps("boundary_f", true_decision, decision)
