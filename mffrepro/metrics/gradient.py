"""Edge information kept, lost and added [xydeas2000, petrovic2005].

At each pixel the gradient of a source is compared with that of the fused image in strength and in orientation; two sigmoids turn
the comparison into a quality between 0 and nearly 1, weighted by the gradient strength of the source.

What we changed: the sums run over any number of sources; the numbers stay the same. As in the original code of the classic and
the toolbox reading, zeros of the fused image's gradient become 1e-5 after the first source, so that exchanging the sources may
change the eighth digit where the fused image is flat.
"""

import operator
from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.edges import CLASSIC, KUMAR, TOOLBOX, Constants, agreement, orientation
from mffrepro.formulas.filters import derivatives, magnitude
from mffrepro.metrics import programs
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric
from mffrepro.metrics.weighted_map import WeightedMap, unweighted


class Edges(NamedTuple):
    """Hold strength and orientation of an image's gradient, both (H, W).

    The orientation is in radians, from -pi/2 to pi/2.
    """

    strength: np.ndarray
    angle: np.ndarray


class Kept(NamedTuple):
    """Hold how well one source's edges are kept: quality and weight, both (H, W)."""

    quality: np.ndarray
    weight: np.ndarray


# ------------------------------------------------------------------------------------------------------------ features


def edges(image: GrayImage) -> Edges:
    """Compute the Sobel gradient with zero border.

    A horizontal derivative of 0 counts as 1e-5, as in the original.
    """
    across, down = derivatives(image.values)
    return Edges(magnitude(across, down), orientation(across, down, none=0, instead=1e-5))


def edges_kumar(image: GrayImage) -> Edges:
    """Compute the Sobel gradient / 8 with mirrored border, as Kumar's code does.

    The orientation is that of the horizontal over the vertical derivative.
    """
    across, down = (d / 8 for d in derivatives(image.values, border="mirror"))
    xp = namespace(across)
    return Edges(magnitude(across, down), xp.where((across == 0) & (down == 0), 0.0, xp.atan(across / down)))


def not_zero(strength: np.ndarray) -> np.ndarray:
    """Replace zeros by 1e-5, which keeps the original from dividing by zero."""
    return namespace(strength).where(strength == 0, 1e-5, strength)


def kept_classic(inputs: FusionInputs, fused: GrayImage) -> list[Kept]:
    """Compute one Kept per source with the constants of the classic reading."""
    return _kept([source.get(edges) for source in inputs.sources], fused.get(edges), CLASSIC, folded=False)


def kept_toolbox(inputs: FusionInputs, fused: GrayImage) -> list[Kept]:
    """Compute one Kept per source with the constants of Liu's toolbox.

    The images are taken in the value range of the protocol.
    """
    sources = [source.protocol_range.get(edges) for source in inputs.sources]
    return _kept(sources, fused.protocol_range.get(edges), TOOLBOX, folded=True)


def _kept(sources: list[Edges], fused: Edges, constants: Constants, *, folded: bool) -> list[Kept]:
    result = []
    for source, ratio in zip(sources, _weaker_over_stronger(sources, fused), strict=True):
        quality = constants.kept(ratio, agreement(source.angle - fused.angle, folded=folded))
        result.append(Kept(quality, not_zero(source.strength)))
    return result


def _weaker_over_stronger(sources: list[Edges], fused: Edges) -> list[np.ndarray]:
    xp, ratios, strength = namespace(fused.strength), [], fused.strength
    for source in sources:
        source_, fused_ = not_zero(source.strength), not_zero(strength)
        ratios.append(xp.where(source.strength > strength, strength / source_, source_ / fused_))
        strength = fused_  # zeros stay replaced for the next sources: a slip of the original, kept for its numbers
    return ratios


def kept_kumar(inputs: FusionInputs, fused: GrayImage) -> list[Kept]:
    """Compute one Kept per source with Kumar's constants and weights.

    Gradients under 2 have almost no weight.
    """
    f = fused.get(edges_kumar)
    xp, result = namespace(f.strength), []
    for s in (source.get(edges_kumar) for source in inputs.sources):
        stronger = xp.maximum(s.strength, f.strength)
        weaker = xp.minimum(s.strength, f.strength)
        quality = KUMAR.kept(xp.where(weaker == 0, 0.0, weaker / stronger), agreement(s.angle - f.angle, folded=True))
        result.append(Kept(xp.sqrt(quality), xp.where(s.strength >= 2, s.strength**1.5, 0.001)))
    return result


def _edges_kept(kept: list[Kept]) -> WeightedMap:
    return WeightedMap(sum(k.quality * k.weight for k in kept), sum(k.weight for k in kept))


def _not_kept(kept: list[Kept], where: np.ndarray) -> WeightedMap:
    return WeightedMap(where * sum((1 - k.quality) * k.weight for k in kept), sum(k.weight for k in kept))


def _stronger_than_all(inputs: FusionInputs, fused: GrayImage, gradient: Callable[[GrayImage], Edges]) -> np.ndarray:
    """Find where the fused image has a stronger gradient than every source."""
    strength = fused.get(gradient).strength
    return reduce(operator.and_, (strength > source.get(gradient).strength for source in inputs.sources))


def _perfect(constants: Constants) -> float:
    """Return the quality of a gradient that is kept exactly.

    It is less than 1, because the sigmoids saturate below 1.
    """
    return float(constants.kept(np.float64(1), np.float64(1)))


# ------------------------------------------------------------------------------------------------------------- metrics


@metric(
    "qabf",
    symbol="Q^{AB/F}",
    formula=r"Q^{AB/F} = \frac{\sum_i \sum_p Q^{iF}_p \, g^i_p}{\sum_i \sum_p g^i_p}",
    low=0,
    high=_perfect(CLASSIC),
    identity=_perfect(CLASSIC),
    source=programs.COLLECTION,
    bibkey="xydeas2000",
    min_side=3,
    batched=True,
    summary="edge information kept; classic constants, ratio of sums",
    example=0.8163,
)
def qabf(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the share of edge information kept (Xydeas and Petrovic).

    The quality of each pixel is averaged over all pixels and sources, with the sources' gradient strength as weight.

    Deviations:
        Where both gradients are zero the edge counts as perfectly kept, with a weight of 1e-5, as in the source compared.
    """
    return _edges_kept(fused.get_with(inputs, kept_classic))


@metric(
    "qabf.kumar",
    low=0,
    high=1,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="edge information kept; square root of the product of the sigmoids, weights g^1.5",
)
def qabf_kumar(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the edge information kept with Kumar's constants and weights."""
    return _edges_kept(fused.get_with(inputs, kept_kumar))


@metric(
    "qg",
    symbol="Q_G",
    formula=r"Q_G = \operatorname{mean}_p \frac{\sum_i Q^{iF}_p \, g^i_p}{\sum_i g^i_p}",
    low=0,
    high=_perfect(TOOLBOX),
    identity=_perfect(TOOLBOX),
    source=programs.TOOLBOX,
    bibkey="liu2012objective",
    further_keys=("xydeas2000",),
    min_side=3,
    batched=True,
    summary="edge information kept; toolbox constants, mean of ratios",
    example=0.8175,
)
def qg(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the share of edge information kept, as Liu's toolbox defines it.

    It is a mean over pixels of a ratio, where `qabf` is a ratio of sums; flat regions therefore count as much as edges. With
    gray="skimage", colour images are compared in [0, 1].

    Deviations:
        Unrounded gray leaves flat regions with gradients of about 1e-17, which decide single pixels: with gray="skimage" expect
        agreement with other programs to about 1e-3 only.
    """
    kept = _edges_kept(fused.get_with(inputs, kept_toolbox))
    return unweighted(kept.gained / kept.weight)


@metric(
    "labf",
    symbol="L^{AB/F}",
    better="lower",
    low=0,
    high=1,
    identity=1 - _perfect(CLASSIC),
    source=programs.HERE,
    bibkey="petrovic2005",
    min_side=3,
    batched=True,
    summary="edge information lost, with the edge quality of qabf",
    example=0.1098,
)
def labf(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the share of the sources' edge information that fusion loses.

    The part that `qabf` lacks to 1 is summed where the fused image has no stronger gradient than every source:
    qabf + labf + nabf = 1.
    """
    return _not_kept(fused.get_with(inputs, kept_classic), ~_stronger_than_all(inputs, fused, edges))


@metric(
    "labf.kumar",
    low=0,
    high=1,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="edge information lost, with the edge quality of qabf.kumar",
)
def labf_kumar(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the edge information lost with Kumar's constants and weights."""
    return _not_kept(fused.get_with(inputs, kept_kumar), ~_stronger_than_all(inputs, fused, edges_kumar))


@metric(
    "nabf",
    symbol="N^{AB/F}",
    better="lower",
    low=0,
    high=1,
    identity=0,
    source=programs.HERE,
    bibkey="petrovic2005",
    min_side=3,
    batched=True,
    summary="edges added by fusion (artefacts), with the edge quality of qabf",
    example=0.0738,
)
def nabf(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the share of edge information that fusion added: artefacts.

    The part that `qabf` lacks to 1 is summed where the fused image has a stronger gradient than every source:
    qabf + labf + nabf = 1. The variant "petrovic" is several times as large.
    """
    return _not_kept(fused.get_with(inputs, kept_classic), _stronger_than_all(inputs, fused, edges))


@metric(
    "nabf.kumar",
    low=0,
    high=1,
    identity=0,
    source=programs.KUMAR,
    bibkey="kumar2013",
    batched=True,
    summary="edges added by fusion (artefacts), with the edge quality of qabf.kumar",
)
def nabf_kumar(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the edges added by fusion with Kumar's constants and weights."""
    return _not_kept(fused.get_with(inputs, kept_kumar), _stronger_than_all(inputs, fused, edges_kumar))


@metric(
    "nabf.petrovic",
    low=0,
    identity=0,
    source=programs.KUMAR,
    bibkey="petrovic2005",
    batched=True,
    summary="edges added by fusion (artefacts), the original sum with the edge quality of qabf.kumar",
)
def nabf_petrovic(inputs: FusionInputs, fused: GrayImage) -> WeightedMap:
    """Measure the edges added by fusion with the original sum over the sources."""
    kept = fused.get_with(inputs, kept_kumar)
    added, weight = sum(1 - k.quality for k in kept), sum(k.weight for k in kept)
    return WeightedMap(_stronger_than_all(inputs, fused, edges_kumar) * added * weight, weight)
