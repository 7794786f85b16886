"""Edge preservation: how much of the sources' gradients the fused image keeps, loses or makes up [xydeas2000, petrovic2005].

At each pixel the gradient of a source is compared with that of the fused image in strength and in orientation; two
sigmoids turn the comparison into a quality between 0 and nearly 1, and the source's gradient strength weights it.

What we changed: nothing in the numbers; the sums run over any number of sources. Like the original of the classic and the
toolbox reading, zeros of the fused image's gradient become 1e-5 after the first source, so that exchanging the sources may move
the eighth digit where the fused image is flat.
"""

import operator
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from mffrepro.formulas.arrays import namespace
from mffrepro.formulas.edges import CLASSIC, KUMAR, TOOLBOX, agreement, orientation
from mffrepro.formulas.filters import derivatives, magnitude
from mffrepro.images import ImageOrPath
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.local import Local, evenly
from mffrepro.metrics.scoring import score_alone


class Edges(NamedTuple):
    """Gradient of an image: strength and orientation in radians, -pi/2 to pi/2, both (H, W)."""

    strength: np.ndarray
    angle: np.ndarray


class Kept(NamedTuple):
    """How well one source's edges are kept: quality and weight per pixel, both (H, W)."""

    quality: np.ndarray
    weight: np.ndarray


def edges(image: GrayImage) -> Edges:
    """Sobel gradient with zero border; a horizontal derivative of 0 counts as 1e-5, as in the original."""
    across, down = derivatives(image.values)
    return Edges(magnitude(across, down), orientation(across, down, none=0, instead=1e-5))


def edges_kumar(image: GrayImage) -> Edges:
    """Sobel gradient / 8 with mirrored border; orientation from the horizontal derivative over the vertical one."""
    across, down = (d / 8 for d in derivatives(image.values, border="mirror"))
    xp = namespace(across)
    return Edges(magnitude(across, down), xp.where((across == 0) & (down == 0), 0.0, xp.atan(across / down)))


def not_zero(strength: np.ndarray) -> np.ndarray:
    """The original's guard against dividing by zero."""
    return namespace(strength).where(strength == 0, 1e-5, strength)


def _weaker_over_stronger(sources: list[Edges], fused: Edges) -> list[np.ndarray]:
    xp, ratios, strength = namespace(fused.strength), [], fused.strength
    for source in sources:
        source_, fused_ = not_zero(source.strength), not_zero(strength)
        ratios.append(xp.where(source.strength > strength, strength / source_, source_ / fused_))
        strength = fused_  # the zeros stay replaced for the sources to come: a slip of the original, kept for its numbers
    return ratios


def kept_classic(fused: GrayImage, scene: FusionInputs) -> list[Kept]:
    """One Kept per source, constants of the classic reading."""
    f, sources = fused.get(edges), [source.get(edges) for source in scene.sources]
    result = []
    for s, ratio in zip(sources, _weaker_over_stronger(sources, f), strict=True):
        result.append(Kept(CLASSIC.kept(ratio, agreement(s.angle - f.angle, folded=False)), not_zero(s.strength)))
    return result


def kept_toolbox(fused: GrayImage, scene: FusionInputs) -> list[Kept]:
    """One Kept per source, constants of Liu's toolbox, in the range of values the protocol prescribes."""
    f, sources = fused.protocol_range.get(edges), [source.protocol_range.get(edges) for source in scene.sources]
    result = []
    for s, ratio in zip(sources, _weaker_over_stronger(sources, f), strict=True):
        result.append(Kept(TOOLBOX.kept(ratio, agreement(s.angle - f.angle, folded=True)), not_zero(s.strength)))
    return result


def kept_kumar(fused: GrayImage, scene: FusionInputs) -> list[Kept]:
    """One Kept per source, Kumar's constants: gradients under 2 hardly count."""
    f = fused.get(edges_kumar)
    xp, result = namespace(f.strength), []
    for s in (source.get(edges_kumar) for source in scene.sources):
        stronger = xp.maximum(s.strength, f.strength)
        weaker = xp.minimum(s.strength, f.strength)
        quality = KUMAR.kept(xp.where(weaker == 0, 0.0, weaker / stronger), agreement(s.angle - f.angle, folded=True))
        result.append(Kept(xp.sqrt(quality), xp.where(s.strength >= 2, s.strength**1.5, 0.001)))
    return result


def _edges_kept(kept: list[Kept]) -> Local:
    return Local(sum(k.quality * k.weight for k in kept), sum(k.weight for k in kept))


def _not_kept(kept: list[Kept], where: np.ndarray) -> Local:
    return Local(where * sum((1 - k.quality) * k.weight for k in kept), sum(k.weight for k in kept))


def _stronger_than_all(scene: FusionInputs, fused: GrayImage, gradient) -> np.ndarray:
    strength = fused.get(gradient).strength
    return reduce(operator.and_, (strength > source.get(gradient).strength for source in scene.sources))


def _qabf_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return _edges_kept(fused.get(kept_classic, scene))


def _qabf(scene: FusionInputs, fused: GrayImage) -> float:
    return _qabf_map(scene, fused).score()


def _qabf_kumar(scene: FusionInputs, fused: GrayImage) -> float:
    return _edges_kept(fused.get(kept_kumar, scene)).score()


def _qg_map(scene: FusionInputs, fused: GrayImage) -> Local:
    kept = _edges_kept(fused.get(kept_toolbox, scene))
    return evenly(kept.gained / kept.weight)


def _qg(scene: FusionInputs, fused: GrayImage) -> float:
    return _qg_map(scene, fused).score()


def _labf_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return _not_kept(fused.get(kept_classic, scene), ~_stronger_than_all(scene, fused, edges))


def _labf(scene: FusionInputs, fused: GrayImage) -> float:
    return _labf_map(scene, fused).score()


def _labf_kumar(scene: FusionInputs, fused: GrayImage) -> float:
    return _not_kept(fused.get(kept_kumar, scene), ~_stronger_than_all(scene, fused, edges_kumar)).score()


def _nabf_map(scene: FusionInputs, fused: GrayImage) -> Local:
    return _not_kept(fused.get(kept_classic, scene), _stronger_than_all(scene, fused, edges))


def _nabf(scene: FusionInputs, fused: GrayImage) -> float:
    return _nabf_map(scene, fused).score()


def _nabf_kumar(scene: FusionInputs, fused: GrayImage) -> float:
    return _not_kept(fused.get(kept_kumar, scene), _stronger_than_all(scene, fused, edges_kumar)).score()


def _nabf_petrovic(scene: FusionInputs, fused: GrayImage) -> float:
    kept = fused.get(kept_kumar, scene)
    made_up, weight = sum(1 - k.quality for k in kept), sum(k.weight for k in kept)
    return Local(_stronger_than_all(scene, fused, edges_kumar) * made_up * weight, weight).score()


# --------------------------------------------------------------------------------------------------- the metrics


def qabf(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Share of the sources' edge information that survives in the fused image (Petrovic and Xydeas).

    Range 0 to 0.975, the value of an image fused with itself; higher is better. Scale 0..255.

    .. math:: Q^{AB/F} = \frac{\sum_i \sum_p Q^{iF}_p \, g^i_p}{\sum_i \sum_p g^i_p}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None for the classic reading, or "kumar": square root of the product of the two sigmoids, weights g^1.5.
    Returns:
        The quality of each pixel, averaged over all pixels and sources with the sources' gradient strength as weight.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    Deviations:
        Where both gradients are zero the edge counts as perfectly kept, with a weight of 1e-5, as in the source compared.
    References:
        [xydeas2000], [kumar2013]; sources compared: MFIF-Metrics, Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qabf([near, far], sharp), 4)
        0.8163
    """
    return score_alone("qabf", variant, sources, fused, gray=gray)


def qg(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
    r"""Share of the sources' edge information that survives in the fused image, as Liu's toolbox has it.

    Range 0 to 0.987, the value of an image fused with itself; higher is better. Scale 0..255; with gray="skimage" colour images
    in [0, 1].

    .. math:: Q_G = \operatorname{mean}_p \frac{\sum_i Q^{iF}_p \, g^i_p}{\sum_i g^i_p}

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
    Returns:
        The mean over pixels of a ratio, where `qabf` is a ratio of sums: flat regions count as much as edges.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown gray conversion.
    Deviations:
        Unrounded gray leaves flat regions with gradients of about 1e-17, which decide single pixels: with gray="skimage" expect
        agreement with other programs to about 1e-3 only.
    References:
        [xydeas2000], [liu2012objective]; source compared: Liu's imageFusionMetrics.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(qg([near, far], sharp), 4)
        0.8175
    """
    return score_alone("qg", None, sources, fused, gray=gray)


def labf(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    """Share of the sources' edge information that is lost in the fused image.

    Range 0 to 1, lower is better; qabf + labf + nabf = 1. Scale 0..255.

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None for the edge quality of `qabf`, or "kumar" for that of `qabf` "kumar".
    Returns:
        What `qabf` lacks to 1, summed where the fused image is not stronger in gradient than every source.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [petrovic2005], [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(labf([near, far], sharp), 4)
        0.1098
    """
    return score_alone("labf", variant, sources, fused, gray=gray)


def nabf(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None) -> float:
    r"""Share of edge information that fusion made up: artefacts.

    Range 0 to 1, lower is better; qabf + labf + nabf = 1. Scale 0..255.

    Args:
        sources: N >= 2 images of one size, (H, W) or (H, W, 3); uint8, uint16 or float in [0, 1].
        fused: Image of that size.
        gray: Gray conversion, "matlab" or "skimage".
        variant: None for the edge quality of `qabf`, "kumar" for that of `qabf` "kumar", or "petrovic": the original sum, about
            ten times as large, on Kumar's edge quality.
    Returns:
        What `qabf` lacks to 1, summed where the fused image is stronger in gradient than every source.
    Raises:
        ImageError: Sizes or channels differ, a side is under 3 pixels, or floats leave [0, 1].
        OptionError: Unknown variant or gray conversion.
    References:
        [petrovic2005], [kumar2013]; source compared: Kumar's evaluation code.
    Chapter: 01_metrics

    Example:
        >>> from mffrepro.metrics.example import near, far, sharp
        >>> round(nabf([near, far], sharp), 4)
        0.0738
    """
    return score_alone("nabf", variant, sources, fused, gray=gray)
