"""The registry of fusion methods: the only place that knows them all.

A card is a plain row. Listing the cards imports no network; a method's module is imported when it is first used. To add
a method, write its file, append its card, done: tables, galleries and the command line list what stands here.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mffrepro.errors import OptionError, unknown
from mffrepro.images import FocusStack, FusionResult, ImageOrPath, as_stack


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCard:
    """What is known of a method before it runs.

    `seconds` is about what a pair of colour photographs, 520x520, takes on two cores, first call aside; for choosing what to run.
    `fast` are options with which a slow method takes a fraction of that, for a look rather than for a table.
    `ablations` are weights that show what a part of the training is worth: to be asked for by name, not rows of every table.
    """

    name: str
    title: str
    target: str  # "module:function", imported on first use
    kind: Literal["network", "classical"]
    bibkey: str
    chapter: str
    colour: Literal["decision", "luma", "per-channel"]
    min_side: int = 1
    weights: tuple[str, ...] = ()
    ablations: tuple[str, ...] = ()
    deterministic: bool = True
    has_decision: bool = False
    seconds: float = 0.5
    fast: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def function(self) -> Callable[..., FusionResult]:
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)

    def options(self) -> dict[str, inspect.Parameter]:
        """The method's own keyword arguments by name."""
        parameters = inspect.signature(self.function()).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


_CARDS = (
    MethodCard(
        name="gacn",
        title="GACN",
        target="mffrepro.models.gacn:fuse",
        kind="network",
        bibkey="ma2022gacn",
        chapter="07_gacn",
        colour="decision",
        min_side=11,
        weights=("default", "published", "random"),
        ablations=("smooth", "seed2", "seed3"),
        has_decision=True,
        seconds=1,
    ),
    MethodCard(
        name="tlcnn",
        title="Transfer-learned CNN",
        target="mffrepro.models.tlcnn:fuse",
        kind="network",
        bibkey="tlcnn",
        chapter="03_tlcnn",
        colour="decision",
        min_side=3,
        weights=("default", "random"),
        ablations=("long", "avg", "max"),
        has_decision=True,
        seconds=1,
    ),
    MethodCard(
        name="tlcolor",
        title="Transfer-learned colour CNN",
        target="mffrepro.models.tlcolor:fuse",
        kind="network",
        bibkey="tlcolor",
        chapter="04_tlcolor",
        colour="decision",
        min_side=3,
        weights=("default", "random"),
        ablations=("nontl", "compare_loss", "compare_bn", "compare_initial", "seed1", "seed2", "seed3", "seed4", "seed5"),
        has_decision=True,
        seconds=1,
    ),
    MethodCard(
        name="icacs18",
        title="ICACS '18",
        target="mffrepro.models.icacs18:fuse",
        kind="network",
        bibkey="li2018icacs",
        chapter="05_icacs18",
        colour="decision",
        min_side=16,
        weights=("default", "random"),
        has_decision=True,
        seconds=1,
        note="shipped weights have half the maps of the paper",
    ),
    MethodCard(
        name="cnnwt",
        title="Wavelet CNN",
        target="mffrepro.models.cnnwt:fuse",
        kind="network",
        bibkey="cnnwt",
        chapter="06_cnnwt",
        colour="per-channel",
        min_side=31,
        weights=("default", "random"),
        has_decision=True,
        note="decides for each band; its decision map is the share of each source in the coefficients of both kinds",
    ),
    MethodCard(
        name="cnn_fuse",
        title="CNN-Fuse",
        target="mffrepro.models.cnn_fuse:fuse",
        kind="network",
        bibkey="liu2017cnn",
        chapter="06_cnnwt",
        colour="decision",
        min_side=16,
        weights=("default", "random"),
        has_decision=True,
        note="shipped weights have a quarter of the maps of the paper; the authors' are converted by mffrepro.models.cnn_fuse",
    ),
    MethodCard(
        name="sesf",
        title="SESF-Fuse",
        target="mffrepro.models.sesf:fuse",
        kind="network",
        bibkey="ma2021sesf",
        chapter="08_networks",
        colour="decision",
        min_side=11,
        weights=("default", "published", "random"),
        has_decision=True,
    ),
    MethodCard(
        name="drpl",
        title="DRPL",
        target="mffrepro.models.drpl:fuse",
        kind="network",
        bibkey="li2020drpl",
        chapter="08_networks",
        colour="decision",
        weights=("default", "random"),
        has_decision=True,
        seconds=1,
        note="layout is our reading: neither the table of layers nor code or weights could be had",
    ),
    MethodCard(
        name="ifcnn",
        title="IFCNN",
        target="mffrepro.models.ifcnn:fuse",
        kind="network",
        bibkey="zhang2020ifcnn",
        chapter="08_networks",
        colour="per-channel",
        weights=("default", "published", "random"),
        note="fuses the channels together, not one by one",
    ),
    MethodCard(
        name="densefuse",
        title="DenseFuse",
        target="mffrepro.models.densefuse:fuse",
        kind="network",
        bibkey="li2019densefuse",
        chapter="08_networks",
        colour="per-channel",
        min_side=2,
        weights=("default", "published", "random"),
        seconds=1.5,
    ),
    MethodCard(
        name="u2fusion",
        title="U2Fusion",
        target="mffrepro.models.u2fusion:fuse",
        kind="network",
        bibkey="xu2022u2fusion",
        chapter="08_networks",
        colour="luma",
        min_side=2,
        weights=("default", "published", "random"),
        seconds=1,
        note="shipped weights have half the maps of the paper and never saw a VGG-16",
    ),
    MethodCard(
        name="fusiondn",
        title="FusionDN",
        target="mffrepro.models.fusiondn:fuse",
        kind="network",
        bibkey="xu2020fusiondn",
        chapter="08_networks",
        colour="luma",
        min_side=2,
        weights=("default", "random"),
        seconds=2,
        note="shipped weights have half the maps of the paper and never saw a VGG-16; no weights are published",
    ),
    MethodCard(
        name="mff_gan",
        title="MFF-GAN",
        target="mffrepro.models.mff_gan:fuse",
        kind="network",
        bibkey="zhang2021mffgan",
        chapter="08_networks",
        colour="luma",
        weights=("default", "published", "random"),
    ),
    MethodCard(
        name="pmgi",
        title="PMGI",
        target="mffrepro.models.pmgi:fuse",
        kind="network",
        bibkey="zhang2020pmgi",
        chapter="08_networks",
        colour="luma",
        min_side=2,
        weights=("default", "published", "random"),
    ),
    MethodCard(
        name="mff_ssim",
        title="MFF-SSIM",
        target="mffrepro.models.mff_ssim:fuse",
        kind="classical",
        bibkey="xu2020mffssim",
        chapter="08_networks",
        colour="per-channel",
        min_side=2,
        seconds=11,
        fast={"iterations": 40, "rate": 1e-2},
        note="no network: the image itself is optimised",
    ),
    MethodCard(
        name="average",
        title="Average",
        target="mffrepro.baselines.average:fuse",
        kind="classical",
        bibkey="stathaki2008fusion",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="lp",
        title="Laplacian pyramid",
        target="mffrepro.baselines.lp:fuse",
        kind="classical",
        bibkey="burt1983laplacian",
        chapter="02_baselines",
        colour="per-channel",
        min_side=17,
    ),
    MethodCard(
        name="pca",
        title="Principal components",
        target="mffrepro.baselines.pca:fuse",
        kind="classical",
        bibkey="naidu2008",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="dwt",
        title="Wavelets",
        target="mffrepro.baselines.dwt:fuse",
        kind="classical",
        bibkey="li1995wavelet",
        chapter="02_baselines",
        colour="per-channel",
        min_side=17,
    ),
    MethodCard(
        name="swt",
        title="Stationary wavelets",
        target="mffrepro.baselines.swt:fuse",
        kind="classical",
        bibkey="rockinger1997",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="rp",
        title="Ratio pyramid",
        target="mffrepro.baselines.rp:fuse",
        kind="classical",
        bibkey="toet1989",
        chapter="02_baselines",
        colour="per-channel",
        min_side=17,
    ),
    MethodCard(
        name="dtcwt",
        title="Complex wavelets",
        target="mffrepro.baselines.dtcwt:fuse",
        kind="classical",
        bibkey="lewis2007",
        chapter="02_baselines",
        colour="per-channel",
        min_side=17,
    ),
    MethodCard(
        name="gff",
        title="Guided filter fusion",
        target="mffrepro.baselines.gff:fuse",
        kind="classical",
        bibkey="li2013gff",
        chapter="02_baselines",
        colour="luma",
    ),
    MethodCard(
        name="mgivf",
        title="Multi-scale guided fusion",
        target="mffrepro.baselines.mgivf:fuse",
        kind="classical",
        bibkey="bavirisetti2019",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="msvd",
        title="Multi-resolution SVD",
        target="mffrepro.baselines.msvd:fuse",
        kind="classical",
        bibkey="naidu2011",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="cbf",
        title="Cross bilateral filter",
        target="mffrepro.baselines.cbf:fuse",
        kind="classical",
        bibkey="kumar2015",
        chapter="02_baselines",
        colour="per-channel",
        min_side=6,
        seconds=1,
    ),
    MethodCard(
        name="sf",
        title="Spatial frequency",
        target="mffrepro.baselines.sf:fuse",
        kind="classical",
        bibkey="li2001frequency",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
    ),
    MethodCard(
        name="eol",
        title="Energy of Laplacian",
        target="mffrepro.baselines.eol:fuse",
        kind="classical",
        bibkey="huang2007",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
    ),
    MethodCard(
        name="sml",
        title="Sum-modified-Laplacian",
        target="mffrepro.baselines.sml:fuse",
        kind="classical",
        bibkey="nayar1994",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
    ),
    MethodCard(
        name="nsct",
        title="Contourlets",
        target="mffrepro.baselines.nsct:fuse",
        kind="classical",
        bibkey="zhang2009nsct",
        chapter="02_baselines",
        colour="per-channel",
        min_side=2,
        seconds=3,
    ),
    MethodCard(
        name="nsst",
        title="Shearlets",
        target="mffrepro.baselines.nsst:fuse",
        kind="classical",
        bibkey="easley2008",
        chapter="02_baselines",
        colour="per-channel",
        min_side=2,
        seconds=3,
    ),
    MethodCard(
        name="cvt",
        title="Curvelets",
        target="mffrepro.baselines.cvt:fuse",
        kind="classical",
        bibkey="nencini2007",
        chapter="02_baselines",
        colour="per-channel",
        seconds=1,
    ),
    MethodCard(
        name="pcnn",
        title="Pulse-coupled network",
        target="mffrepro.baselines.pcnn:fuse",
        kind="classical",
        bibkey="qu2008",
        chapter="02_baselines",
        colour="luma",
        seconds=4,
        fast={"iterations": 50},
    ),
    MethodCard(
        name="gd",
        title="Gradient domain",
        target="mffrepro.baselines.gd:fuse",
        kind="classical",
        bibkey="paul2016gd",
        chapter="02_baselines",
        colour="luma",
        note="equalises the contrast, as its authors do",
    ),
    MethodCard(
        name="dchwt",
        title="Cosine harmonic wavelets",
        target="mffrepro.baselines.dchwt:fuse",
        kind="classical",
        bibkey="kumar2013",
        chapter="02_baselines",
        colour="per-channel",
    ),
    MethodCard(
        name="nmei",
        title="Pulse exchange",
        target="mffrepro.baselines.nmei:fuse",
        kind="classical",
        bibkey="nie2021exchange",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
        note="identity uncertain: the name has no reference; read as networks that exchange their pulses",
    ),
    MethodCard(
        name="dsift",
        title="Dense SIFT",
        target="mffrepro.baselines.dsift:fuse",
        kind="classical",
        bibkey="liu2015dsift",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
        seconds=2,
    ),
    MethodCard(
        name="sr",
        title="Sparse representation",
        target="mffrepro.baselines.sr:fuse",
        kind="classical",
        bibkey="yang2010sr",
        chapter="02_baselines",
        colour="per-channel",
        min_side=8,
        seconds=75,
        fast={"eps": 5.0, "stride": 2},
    ),
    MethodCard(
        name="mst_sr",
        title="Multi-scale transform with sparse coding",
        target="mffrepro.baselines.mst_sr:fuse",
        kind="classical",
        bibkey="liu2015mstsr",
        chapter="02_baselines",
        colour="per-channel",
        min_side=17,
        seconds=2,
    ),
    MethodCard(
        name="asr",
        title="Adaptive sparse representation",
        target="mffrepro.baselines.asr:fuse",
        kind="classical",
        bibkey="liu2015asr",
        chapter="02_baselines",
        colour="per-channel",
        min_side=8,
        seconds=85,
        fast={"eps": 5.0, "stride": 2},
    ),
    MethodCard(
        name="csr",
        title="Convolutional sparse representation",
        target="mffrepro.baselines.csr:fuse",
        kind="classical",
        bibkey="liu2016csr",
        chapter="02_baselines",
        colour="per-channel",
        min_side=8,
        seconds=27,
        fast={"tolerance": 1e-2},
    ),
    MethodCard(
        name="mwg",
        title="Multi-scale weighted gradients",
        target="mffrepro.baselines.mwg:fuse",
        kind="classical",
        bibkey="zhou2014mwg",
        chapter="02_baselines",
        colour="luma",
        min_side=3,
        seconds=4,
        fast={"iterations": 100},
    ),
    MethodCard(
        name="focus_stack",
        title="Focus-Stack",
        target="mffrepro.baselines.focus_stack:fuse",
        kind="classical",
        bibkey="mcguinness2015",
        chapter="02_baselines",
        colour="decision",
        has_decision=True,
    ),
)

CARDS: dict[str, MethodCard] = {card.name: card for card in _CARDS}
if len(CARDS) != len(_CARDS):
    raise RuntimeError("two method cards share a name")


def get(name: str) -> MethodCard:
    """The card of a method; an OptionError with a suggestion where there is none."""
    if name not in CARDS:
        raise unknown("method", name, CARDS, "mffrepro list methods")
    return CARDS[name]


def within(seconds: float) -> list[str]:
    """Names of the methods whose cards promise to be done by then; what a chapter runs when it must be quick."""
    return [card.name for card in CARDS.values() if card.seconds <= seconds]


def parse(spec: str) -> tuple[MethodCard, str]:
    """Card and weights of ``"gacn"`` or ``"gacn.published"``: named states of a network, not flags."""
    name, _, weights = spec.partition(".")
    return get(name), weights or "default"


def fuse(
    images: FocusStack | Sequence[ImageOrPath],
    method: str = "gacn",
    *,
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    **options: Any,
) -> FusionResult:
    """Fuse several photographs of one scene, each sharp somewhere else, into one that is sharp everywhere.

    Args:
        images: Two or more arrays (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or paths; or a stack. All of one
            size, registered.
        method: A name of `list_methods()`; ``"gacn.published"`` is short for ``weights="published"``.
        weights: For networks: ``"default"`` (shipped), ``"published"`` (the authors', fetched), ``"random"`` or a file.
        device: For networks: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For decision networks and more than two images: ``"serial"``, ``"calibration"`` or the better, ``"auto"``.
        options: The method's own; ``mffrepro list methods`` names them.
    Returns:
        ``.image`` in the dtype, shape and range of the inputs, ``.decision`` (N, H, W) or None, ``.seconds``, ``.method``.
    Raises:
        ImageError: Images that cannot be fused; the sentence names which.
        OptionError: A method, weights or an option that does not exist.
        DataError: Weights that cannot be had.
    Chapter: 00_quickstart

    Example:
        >>> import numpy as np, mffrepro as mff
        >>> near = np.zeros((32, 32)); near[:, :16] = np.indices((32, 16)).sum(0) % 2
        >>> far = near[:, ::-1].copy()
        >>> mff.fuse([near, far], "average").image.mean()
        np.float64(0.25)
    """
    card, chosen = check_options(method, {"weights": weights, "device": device, "strategy": strategy} | options)
    return card.function()(as_stack(images, min_side=card.min_side), **chosen)


#: Options every method accepts at these values, whether it has them or not.
COMMON = {"weights": "default", "device": "auto", "strategy": "auto"}


def check_options(spec: str, options: Mapping[str, Any]) -> tuple[MethodCard, dict[str, Any]]:
    """The card of a method and the keyword arguments to call it with.

    Raises:
        OptionError: An unknown method, option, strategy or set of weights; the sentence suggests the nearest.
    """
    card, named_weights = parse(spec)
    known = card.options()
    chosen = COMMON | {"weights": named_weights} | dict(options)
    if chosen["weights"] == "default":
        chosen["weights"] = named_weights
    if chosen["strategy"] not in ("auto", "serial", "calibration"):
        raise unknown("strategy", chosen["strategy"], ("auto", "serial", "calibration"))
    named = card.weights + card.ablations
    if "weights" in known and chosen["weights"] not in named and not str(chosen["weights"]).endswith(".safetensors"):
        raise unknown(f"weights of {card.name}", chosen["weights"], named)
    for name in chosen.keys() - known.keys():
        if name not in COMMON:
            raise unknown(f"option of {card.name}", name, known.keys() - COMMON.keys(), "mffrepro list methods")
        if name != "device" and chosen[name] != COMMON[name]:
            raise OptionError(f"{card.name} takes no {name}; leave {name}={chosen[name]!r} out")
    return card, {name: value for name, value in chosen.items() if name in known}


def list_methods():
    """All methods as a pandas table, one row each: what they are, what they need, their own options."""
    import pandas as pd

    rows = []
    for card in CARDS.values():
        own = ", ".join(f"{n}={p.default!r}" for n, p in card.options().items() if n not in COMMON)
        row = {"name": card.name, "title": card.title, "kind": card.kind, "colour": card.colour}
        row |= {"decision map": card.has_decision, "seconds": card.seconds, "weights": ", ".join(card.weights)}
        row |= {"fast": ", ".join(f"{n}={v!r}" for n, v in card.fast.items())}
        row |= {"options": own, "reference": card.bibkey}
        rows.append(row)
    return pd.DataFrame(rows).set_index("name")
