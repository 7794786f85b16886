"""The register of metrics: one plain row each, nothing heavy imported to list them."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Literal

from mffrepro.errors import unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCard:
    """What there is to know about a metric without computing it.

    Attributes:
        name: ``qabf``, or ``qabf.kumar`` for another reading of the same quantity.
        symbol: As papers print it, LaTeX without dollars.
        target: Where its public function lives, ``module:function``.
        better: Which direction is better; None where neither is.
        low: Smallest possible value; None where unbounded or unknown.
        high: Largest possible value; None likewise.
        identity: Value when an image is fused with itself; None where that depends on the image.
        gray: The gray conversion its source was written for; None where the images are used as they are.
        source: The code whose numbers it reproduces.
        bibkey: Its paper in the bibliography.
        needs: What it compares the fused image with.
        max_sources: 2 where its definition does not go further, else None.
        min_side: Smallest height and width it works on, in pixels.
        variant_of: The default reading, for a variant.
        summary: One line.
    """

    name: str
    symbol: str
    target: str
    better: Literal["higher", "lower"] | None = "higher"
    low: float | None = None
    high: float | None = None
    identity: float | None = None
    gray: str | None = "matlab"
    source: str
    bibkey: str
    needs: Literal["sources", "reference", "decision"] = "sources"
    max_sources: int | None = None
    min_side: int = 1
    variant_of: str | None = None
    summary: str

    @property
    def variant(self) -> str | None:
        """The part of the name after the dot."""
        return self.name.partition(".")[2] or None

    @property
    def function(self) -> Callable[..., float]:
        """The public function, imported on first use; of a variant, with the variant chosen."""
        module, name = self.target.split(":")
        function = getattr(importlib.import_module(module), name)
        return function if self.variant is None else partial(function, variant=self.variant)


def names(*, variants: bool = False) -> list[str]:
    """The names of all metrics, default readings only or with their variants."""
    return [card.name for card in CARDS if variants or card.variant_of is None]


def get(name: str) -> MetricCard:
    """The card of a metric.

    Raises:
        OptionError: No such metric; the sentence suggests the nearest.
    """
    if name not in _BY_NAME:
        raise unknown("metric", name, _BY_NAME, "mffrepro list metrics")
    return _BY_NAME[name]


# Whose numbers: where they can be read.
TOOLBOX = "Liu's imageFusionMetrics"
COLLECTION = "MFIF-Metrics"
KUMAR = "Kumar's evaluation code"
SKIMAGE = "scikit-image"
GACN = "GACN's evaluation program"
HERE = "defined here"

_GRADIENT = "mffrepro.metrics.gradient:"
_STRUCTURE = "mffrepro.metrics.structure:"
_PHASE = "mffrepro.metrics.phase:"
_PERCEPTUAL = "mffrepro.metrics.perceptual:"
_FMI = "mffrepro.metrics.fmi:"
_STATISTICS = "mffrepro.metrics.statistics:"
_INFORMATION = "mffrepro.metrics.information:"
_REFERENCE = "mffrepro.metrics.reference:"
_DECISION = "mffrepro.metrics.decision:"

# What the sigmoids of Xydeas and Petrovic give for a perfectly kept gradient.
_KEPT_CLASSIC = 0.9747936249694993
_KEPT_TOOLBOX = 0.9866590924048934

# fmt: off
CARDS: tuple[MetricCard, ...] = (
    # -------------------------------------------------------------------------------------------- edges kept, lost and made up
    MetricCard(
        name="qabf", symbol="Q^{AB/F}", target=_GRADIENT + "qabf", low=0, high=_KEPT_CLASSIC, identity=_KEPT_CLASSIC,
        source=COLLECTION, bibkey="xydeas2000", min_side=3,
        summary="edge information kept; classic constants, ratio of sums",
    ),
    MetricCard(
        name="qabf.kumar", symbol="Q^{AB/F}", target=_GRADIENT + "qabf", low=0, high=1,
        source=KUMAR, bibkey="kumar2013", min_side=3, variant_of="qabf",
        summary="edge information kept; square root of the product, weights g^1.5",
    ),
    MetricCard(
        name="qg", symbol="Q_G", target=_GRADIENT + "qg", low=0, high=_KEPT_TOOLBOX, identity=_KEPT_TOOLBOX,
        source=TOOLBOX, bibkey="liu2012objective", min_side=3,
        summary="edge information kept; toolbox constants, mean of ratios",
    ),
    MetricCard(
        name="labf", symbol="L^{AB/F}", target=_GRADIENT + "labf", better="lower", low=0, high=1, identity=1 - _KEPT_CLASSIC,
        source=HERE, bibkey="petrovic2005", min_side=3,
        summary="edge information lost, with the edge quality of qabf",
    ),
    MetricCard(
        name="labf.kumar", symbol="L^{AB/F}", target=_GRADIENT + "labf", better="lower", low=0, high=1,
        source=KUMAR, bibkey="kumar2013", min_side=3, variant_of="labf",
        summary="edge information lost, with the edge quality of qabf.kumar",
    ),
    MetricCard(
        name="nabf", symbol="N^{AB/F}", target=_GRADIENT + "nabf", better="lower", low=0, high=1, identity=0,
        source=HERE, bibkey="petrovic2005", min_side=3,
        summary="edges made up (artefacts), with the edge quality of qabf",
    ),
    MetricCard(
        name="nabf.kumar", symbol="N^{AB/F}", target=_GRADIENT + "nabf", better="lower", low=0, high=1, identity=0,
        source=KUMAR, bibkey="kumar2013", min_side=3, variant_of="nabf",
        summary="edges made up (artefacts), with the edge quality of qabf.kumar",
    ),
    MetricCard(
        name="nabf.petrovic", symbol="N^{AB/F}", target=_GRADIENT + "nabf", better="lower", low=0, identity=0,
        source=KUMAR, bibkey="petrovic2005", min_side=3, variant_of="nabf",
        summary="edges made up (artefacts), the original sum on the edge quality of qabf.kumar",
    ),
    # ----------------------------------------------------------------------------------------------------- structure and phase
    MetricCard(
        name="qy", symbol="Q_Y", target=_STRUCTURE + "qy", low=-1, high=1, identity=1,
        source=HERE, bibkey="yang2008", max_sources=2, min_side=7,
        summary="structural similarity, shared by variance or the better of two; flat windows exact",
    ),
    MetricCard(
        name="qy.mfif", symbol="Q_Y", target=_STRUCTURE + "qy",
        source=COLLECTION, bibkey="yang2008", max_sources=2, min_side=7, variant_of="qy",
        summary="the same with the rounding errors of its source",
    ),
    MetricCard(
        name="qy.zl", symbol="Q_Y", target=_STRUCTURE + "qy",
        source=TOOLBOX, bibkey="liu2012objective", max_sources=2, min_side=7, variant_of="qy",
        summary="the same, NaN where a window is flat in both sources",
    ),
    MetricCard(
        name="qy.gacn", symbol="Q_Y", target=_STRUCTURE + "qy",
        source=GACN, bibkey="ma2022gacn", max_sources=2, min_side=7, variant_of="qy",
        summary="the same with 1e-10 in the denominators",
    ),
    MetricCard(
        name="qc", symbol="Q_C", target=_STRUCTURE + "qc", low=-1, high=1, identity=1,
        source=COLLECTION, bibkey="cvejic2005", max_sources=2, min_side=8,
        summary="structural similarity, shared by covariance",
    ),
    MetricCard(
        name="qc.zl", symbol="Q_C", target=_STRUCTURE + "qc",
        source=TOOLBOX, bibkey="cvejic2005", max_sources=2, min_side=7, variant_of="qc",
        summary="the same in Gaussian windows; NaN where a window is flat in both sources",
    ),
    MetricCard(
        name="qs", symbol="Q_S", target=_STRUCTURE + "qs", low=-1, high=1, identity=1,
        source=COLLECTION, bibkey="piella2003", min_side=8,
        summary="structural similarity, shared by variance",
    ),
    MetricCard(
        name="qs.zl", symbol="Q_S", target=_STRUCTURE + "qs", low=-1, high=1, identity=1,
        source=TOOLBOX, bibkey="piella2003", min_side=11, variant_of="qs",
        summary="the same in Gaussian windows with larger constants",
    ),
    MetricCard(
        name="qw", symbol="Q_W", target=_STRUCTURE + "qw", low=-1, high=1, identity=1,
        source=COLLECTION, bibkey="piella2003", min_side=8,
        summary="structural similarity, shared and weighted by variance",
    ),
    MetricCard(
        name="qw.zl", symbol="Q_W", target=_STRUCTURE + "qw", low=-1, high=1, identity=1,
        source=TOOLBOX, bibkey="piella2003", min_side=11, variant_of="qw",
        summary="the same in Gaussian windows with larger constants",
    ),
    MetricCard(
        name="qe", symbol="Q_E", target=_STRUCTURE + "qe", low=-1, high=1, identity=1,
        source=COLLECTION, bibkey="piella2003", min_side=8,
        summary="structural similarity of images and of their edges",
    ),
    MetricCard(
        name="qp", symbol="Q_P", target=_PHASE + "qp", high=1,
        source=COLLECTION, bibkey="zhao2007", min_side=3,
        summary="phase congruency and its moments kept",
    ),
    MetricCard(
        name="qp.zl", symbol="Q_P", target=_PHASE + "qp", high=1,
        source=TOOLBOX, bibkey="zhao2007", min_side=3, variant_of="qp",
        summary="the same with the low-pass filter of the toolbox; odd sides differ",
    ),
    # ----------------------------------------------------------------------------------------------------------------- the eye
    MetricCard(
        name="qcb", symbol="Q_{CB}", target=_PERCEPTUAL + "qcb", low=0, high=1, identity=1,
        source=TOOLBOX, bibkey="chen2009",
        summary="local contrast kept, as the eye sees it",
    ),
    MetricCard(
        name="qcv", symbol="Q_{CV}", target=_PERCEPTUAL + "qcv", better="lower", low=0, identity=0,
        source=TOOLBOX, bibkey="chen2007",
        summary="distortion the eye sees in salient regions",
    ),
    MetricCard(
        name="viff", symbol="VIFF", target=_PERCEPTUAL + "viff", low=0, identity=1,
        source=COLLECTION, bibkey="han2013viff", min_side=41,
        summary="visual information fidelity",
    ),
    # ------------------------------------------------------------------------------------------------------------- information
    MetricCard(
        name="mi", symbol="MI", target=_INFORMATION + "mi", low=0,
        source=KUMAR, bibkey="qu2002mi",
        summary="mutual information with the sources, summed, in bits",
    ),
    MetricCard(
        name="mi.uint8", symbol="MI", target=_INFORMATION + "mi", low=0,
        source=KUMAR, bibkey="kumar2013", variant_of="mi",
        summary="the same with levels 254 and 255 merged",
    ),
    MetricCard(
        name="qmi", symbol="Q_{MI}", target=_INFORMATION + "qmi", low=0,
        source=TOOLBOX, bibkey="hossny2008",
        summary="mutual information normalised by the entropies",
    ),
    MetricCard(
        name="qte", symbol="Q_{TE}", target=_INFORMATION + "qte",
        source=COLLECTION, bibkey="cvejic2006", max_sources=2,
        summary="Tsallis information of order 1.85, summed",
    ),
    MetricCard(
        name="qte.nava", symbol="Q_{TE}", target=_INFORMATION + "qte",
        source=TOOLBOX, bibkey="nava2007", max_sources=2, variant_of="qte",
        summary="Tsallis information of order 0.43137, normalised",
    ),
    MetricCard(
        name="qncie", symbol="Q_{NCIE}", target=_INFORMATION + "qncie", low=0, high=1,
        source=TOOLBOX, bibkey="wang2008ncie",
        summary="nonlinear correlation information entropy",
    ),
    MetricCard(
        name="fmi_pixel", symbol="FMI_{pixel}", target=_FMI + "fmi_pixel", low=0, high=1, identity=1,
        source=COLLECTION, bibkey="haghighat2014", min_side=3,
        summary="feature mutual information: gray values",
    ),
    MetricCard(
        name="fmi_gradient", symbol="FMI_{gradient}", target=_FMI + "fmi_gradient", low=0, high=1, identity=1,
        source=COLLECTION, bibkey="haghighat2014", min_side=3,
        summary="feature mutual information: horizontal gradient",
    ),
    MetricCard(
        name="fmi_edge", symbol="FMI_{edge}", target=_FMI + "fmi_edge", low=0, high=1, identity=1,
        source=COLLECTION, bibkey="haghighat2014", min_side=3,
        summary="feature mutual information: edge map",
    ),
    MetricCard(
        name="fmi_dct", symbol="FMI_{dct}", target=_FMI + "fmi_dct", low=0, high=1, identity=1,
        source=COLLECTION, bibkey="haghighat2014", min_side=3,
        summary="feature mutual information: cosine transform",
    ),
    MetricCard(
        name="fmi_wavelet", symbol="FMI_{wavelet}", target=_FMI + "fmi_wavelet", low=0, high=1, identity=1,
        source=COLLECTION, bibkey="haghighat2014", min_side=3,
        summary="feature mutual information: Meyer wavelet transform",
    ),
    MetricCard(
        name="fs", symbol="FS", target=_INFORMATION + "fs", better=None, low=1.5, high=2, identity=2,
        source=KUMAR, bibkey="kumar2013", max_sources=2,
        summary="fusion symmetry: whether both sources inform alike",
    ),
    # ------------------------------------------------------------------------------------------- statistics of the fused image
    MetricCard(
        name="ag", symbol="AG", target=_STATISTICS + "ag", low=0,
        source=COLLECTION, bibkey="cui2015", min_side=2,
        summary="average gradient",
    ),
    MetricCard(
        name="ag.kumar", symbol="AG", target=_STATISTICS + "ag", low=0,
        source=KUMAR, bibkey="kumar2013", min_side=2, variant_of="ag",
        summary="average gradient, not halved, periodic border",
    ),
    MetricCard(
        name="sf", symbol="SF", target=_STATISTICS + "sf", low=0,
        source=COLLECTION, bibkey="eskicioglu1995", min_side=2,
        summary="spatial frequency",
    ),
    MetricCard(
        name="sf.kumar", symbol="SF", target=_STATISTICS + "sf", low=0,
        source=KUMAR, bibkey="kumar2013", min_side=2, variant_of="sf",
        summary="spatial frequency; the same number",
    ),
    MetricCard(
        name="sd", symbol="SD", target=_STATISTICS + "sd", low=0, high=127.5,
        source=KUMAR, bibkey="kumar2013", min_side=2,
        summary="standard deviation over all pixels",
    ),
    MetricCard(
        name="sd.mfif", symbol="SD", target=_STATISTICS + "sd", low=0,
        source=COLLECTION, bibkey="kumar2013", min_side=2, variant_of="sd",
        summary="mean over columns of the sample deviation",
    ),
    MetricCard(
        name="en", symbol="EN", target=_INFORMATION + "en", low=0, high=8,
        source=COLLECTION, bibkey="roberts2008",
        summary="entropy of the gray levels in bits",
    ),
    MetricCard(
        name="en.uint8", symbol="EN", target=_INFORMATION + "en", low=0, high=8,
        source=KUMAR, bibkey="kumar2013", variant_of="en",
        summary="the same with levels 254 and 255 merged",
    ),
    MetricCard(
        name="ei", symbol="EI", target=_STATISTICS + "ei", low=0,
        source=COLLECTION, bibkey="rajalingam2018",
        summary="edge intensity: mean Sobel gradient",
    ),
    MetricCard(
        name="api", symbol="API", target=_STATISTICS + "api", better=None, low=0, high=255,
        source=KUMAR, bibkey="kumar2013",
        summary="average pixel intensity",
    ),
    MetricCard(
        name="cc", symbol="CC", target=_STATISTICS + "cc", low=-1, high=1, identity=1,
        source=KUMAR, bibkey="kumar2013",
        summary="mean correlation with the sources",
    ),
    MetricCard(
        name="scd", symbol="SCD", target=_STATISTICS + "scd", low=-2, high=2, identity=0,
        source=COLLECTION, bibkey="aslantas2015scd", max_sources=2,
        summary="sum of the correlations of differences",
    ),
    # ------------------------------------------------------------------------------------------ with an all-in-focus reference
    MetricCard(
        name="psnr", symbol="PSNR", target=_REFERENCE + "psnr", low=0, identity=inf, gray=None,
        source=SKIMAGE, bibkey="vanderwalt2014", needs="reference",
        summary="peak signal-to-noise ratio in decibels",
    ),
    MetricCard(
        name="ssim", symbol="SSIM", target=_REFERENCE + "ssim", low=-1, high=1, identity=1, gray=None,
        source=SKIMAGE, bibkey="wang2004ssim", needs="reference", min_side=7,
        summary="structural similarity, 7x7 uniform window",
    ),
    MetricCard(
        name="mae", symbol="MAE", target=_REFERENCE + "mae", better="lower", low=0, high=255, identity=0, gray=None,
        source=SKIMAGE, bibkey="vanderwalt2014", needs="reference",
        summary="mean absolute difference in gray levels",
    ),
    # ------------------------------------------------------------------------------------------------ with a true decision map
    MetricCard(
        name="mask_iou", symbol="IoU", target=_DECISION + "mask_iou", low=0, high=1, identity=1, gray=None,
        source=HERE, bibkey="everingham2010", needs="decision",
        summary="overlap of the regions chosen with the true ones",
    ),
    MetricCard(
        name="mask_accuracy", symbol="Acc", target=_DECISION + "mask_accuracy", low=0, high=1, identity=1, gray=None,
        source=HERE, bibkey="everingham2010", needs="decision",
        summary="share of the pixels taken from the right source",
    ),
    MetricCard(
        name="boundary_f", symbol="F_b", target=_DECISION + "boundary_f", low=0, high=1, identity=1, gray=None,
        source=HERE, bibkey="martin2004", needs="decision",
        summary="boundaries met within 2 pixels, F measure",
    ),
)
# fmt: on

_BY_NAME = {card.name: card for card in CARDS}
if len(_BY_NAME) != len(CARDS):
    raise ValueError("two metric cards share one name")
