"""Measure GACN and its rivals on the 26 pairs of the paper, pair by pair.

The networks have the authors' weights where these may be fetched, so that the paper's own networks are measured on its own pairs.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from scipy.ndimage import binary_erosion

from mffrepro.benchmarks import decisions
from mffrepro.benchmarks.measurements import Measurement
from mffrepro.data import load
from mffrepro.data.synthetic import gaussian_blur
from mffrepro.fusion.decision import fuse_by_decision
from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.losses import qg_loss
from mffrepro.methods import fuse, load_network
from mffrepro.metrics.diagnostics import border_band, local_score
from mffrepro.metrics.scoring import Scorer
from mffrepro.training.studies.gacn_scores import METRICS, noise

#: Standard deviations of the blur of Fig. 8, pixels; the paper does not print its own.
SIGMAS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
#: Boundary bands: the printed one between wider and narrower ones (A4.10).
BANDS = {
    "0.45 to 0.55": (0.45, 0.55), "0.3 to 0.7": (0.3, 0.7), "0.1 to 0.8 (paper)": (0.1, 0.8), "0.01 to 0.99": (0.01, 0.99),
    "0.001 to 0.999": (0.001, 0.999),
}  # fmt: skip
PRINTED_BAND = "0.1 to 0.8 (paper)"
STEEPNESS = (10, 100, 1000, 10_000, 100_000)
#: Slope at which the smooth step is the exact one for images of eight bits.
EXACT = 1e9
#: Decoders of Fig. 7, with the authors' weights where there are any.
DECODERS = ("ifcnn.published", "densefuse.published", "u2fusion.published", "mff_gan.published", "pmgi.published", "fusiondn")
#: Pixels that a region of focus loses at its border, where sources and maps differ for other reasons than the network.
MARGIN = 16
#: Pixels from the border of the initial map that count as near the boundary; the guided filter reaches this far.
NEAR = 10
#: Shipped weights of three trainings that differ in their seed.
SEEDS = ("default", "seed2", "seed3")

Values = dict[str, dict[str, float]]


def _scorer(pair: FocusStack) -> Scorer:
    return Scorer(pair, metrics=METRICS, gray="skimage")


def _as_printed(scores: Mapping[str, float]) -> dict[str, float]:
    """Name the metrics as the paper does: ``qy.gacn`` is its Q_y."""
    return {name.partition(".")[0]: value for name, value in scores.items()}


def maps(pair: FocusStack) -> Values:
    """Score the image of every map before and after its cleaning.

    The regions of the map are counted too (Fig. 5 and 6, C4.13, C4.14).
    """
    found, scorer = {}, _scorer(pair)
    for label, shares in decisions.decision_stages(pair, gacn="gacn.published", sesf="sesf.published").items():
        found[label] = _as_printed(scorer(fuse_by_decision(pair, shares).image)) | noise(shares[0])
    return found | {"sesf, as published": as_published(pair, scorer)}


def as_published(pair: FocusStack, scorer: Scorer) -> dict[str, float]:
    """Score SESF-Fuse with the guided filter of its authors.

    Its map overshoots; this is the row of Table 1 (C4.1).
    """
    result = fuse(pair, "sesf", weights="published", as_published=True)
    return _as_printed(scorer(result.image)) | noise(result.decision[0])


def seeds(pair: FocusStack) -> Values:
    """Score the shipped networks of GACN.

    The regions of their initial maps are counted too (C4.2, C4.7).
    """
    found, scorer = {}, _scorer(pair)
    for weights in ("default", "seed2", "seed3", "smooth"):
        initial = fuse(pair, "gacn", weights=weights, smooth_boundary=False).decision[0]
        found[weights] = _as_printed(scorer(fuse(pair, "gacn", weights=weights).image)) | noise(initial)
    return found


def blur(pair: FocusStack) -> Values:
    """Score the fused image under more and more blur (Fig. 8, C4.6)."""
    scorer, sharp = _scorer(pair), to_unit(fuse(pair, "gacn", weights="published").image, np.float64)
    blurred = {sigma: sharp if sigma == 0 else gaussian_blur(sharp, sigma).clip(0, 1) for sigma in SIGMAS}
    return {f"{sigma:g}": _as_printed(scorer(image)) for sigma, image in blurred.items()}


def boundary(pair: FocusStack) -> Values:
    """Score the authors' initial and final map near the boundary (C4.17)."""
    found = {
        "initial": fuse(pair, "gacn", weights="published", smooth_boundary=False).decision[0],
        "final": fuse(pair, "gacn", weights="published").decision[0],
    }
    near = border_band(found["initial"], NEAR)
    return {label: near_boundary(pair, share, near) for label, share in found.items()}


def near_boundary(
    pair: FocusStack, share: np.ndarray, near: np.ndarray, metrics: Sequence[str] = ("qg", "qabf")
) -> dict[str, float]:
    """Score the image of a decision map over a part, and the map's roughness.

    Args:
        pair: Two images.
        share: (H, W), share of the first image.
        near: (H, W) bool, the part.
        metrics: Names of metrics with a quality map.

    Returns:
        Each metric over the part by its own weights, such as ``qg near``; and ``variation near``, the mean length of the map's
        gradient there, from differences between neighbours.
    """
    fused = fuse_by_decision(pair, share)
    steps = np.hypot(*(np.diff(share, axis=axis, append=share.take([-1], axis)) for axis in (0, 1)))
    scores = {f"{name} near": local_score(name, pair, fused, near) for name in metrics}
    return scores | {"variation near": float(steps[near].mean())}


def bands(pair: FocusStack) -> Values:
    """Score other boundary bands, and none, for three trainings (C4.18).

    The part near the boundary is the same for all bands of a network.
    """
    scorer, values = Scorer(pair, metrics=["qg"], gray="skimage"), {}
    for weights in SEEDS:
        network = load_network(f"gacn.{weights}")
        found = decisions.decisions_by_band(network, pair, BANDS)
        found["none"] = fuse(pair, "gacn", weights=weights, smooth_boundary=False).decision[0]
        near = border_band(found["none"], NEAR)
        for label, share in found.items():
            scores = scorer(fuse_by_decision(pair, share).image)
            values[f"{label}, {weights}"] = scores | near_boundary(pair, share, near, ["qg"])
    return values


def steepness(pair: FocusStack) -> Values:
    """Compute how far the smooth Q_g is from the exact one.

    For the fused image, by steepness (C4.19).
    """
    fused = fuse(pair, "gacn", weights="published").image
    images = [to_unit(image, np.float64) for image in (*pair.images, fused)]
    *sources, fused = (to_gray(image) if image.ndim == 3 else image for image in images)
    return {f"{k:g}": {"gap": gap} for k, gap in steepness_gaps(sources, fused).items()}


def steepness_gaps(sources: Sequence[np.ndarray], fused: np.ndarray) -> dict[int, float]:
    """Compute how far the smooth Q_g loss is from the exact one.

    Args:
        sources: Two gray images (H, W), float64 in [0, 1].
        fused: Fused gray image (H, W), float64 in [0, 1].

    Returns:
        Steepness k of Eq. 12 -> distance of the losses.
    """
    first, second, third = (torch.from_numpy(image)[None, None] for image in (*sources, fused))
    loss = partial(qg_loss, (first, second), third)
    exact = float(loss(steepness=EXACT))
    return {k: abs(float(loss(steepness=k)) - exact) for k in STEEPNESS}


def residue(pair: FocusStack) -> Values:
    """Compute what is left of a source where it alone is in focus.

    In gray levels (Fig. 7, C4.15).

    Where a source is in focus is not known for photographs. It counts as known where CNN-Fuse and SESF-Fuse agree, `MARGIN`
    pixels from where they do not.
    """
    shares = [fuse(pair, method).decision[0] for method in ("cnn_fuse", "sesf.published")]
    both = [np.all([side(share) for share in shares], axis=0) for side in (lambda s: s > 0.5, lambda s: s <= 0.5)]
    inside = [binary_erosion(region, iterations=MARGIN) for region in both]
    sources = to_unit(pair.images, np.float64)
    found = {}
    for method in ("gacn.published", *DECODERS):
        image = to_unit(fuse(pair, method).image, np.float64)
        apart = [np.abs(image - source)[region] for source, region in zip(sources, inside, strict=True)]
        found[method] = {"residue": 255 * float(np.concatenate([part.ravel() for part in apart]).mean())}
    return found


_PAIRS = partial(load, "gacn26")
_FUNCTIONS = (maps, seeds, blur, boundary, bands, steepness, residue)
MEASURED = {function.__name__: Measurement(function, _PAIRS) for function in _FUNCTIONS}
