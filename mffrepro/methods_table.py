"""The table of fusion methods: one row each, in the order in which tables show them.

A row is plain data, so that listing the methods imports none of them. `mffrepro.methods` runs what stands here.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

#: Strategies for more than two images, the default first; see `mffrepro.fusion.multi_image`.
PAIRWISE = ("serial", "carry", "calibration", "calibration_log")
CARRY_FIRST = ("carry", "serial", "calibration", "calibration_log")
#: Weights of a network whose authors publish theirs.
PUBLISHED = ("default", "published", "random")
#: The fusion rule that tlcnn and tlcolor print.
PRINTED_RULE = {"printed": {"select": "qabf"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCard:
    """Describe a method without importing it.

    Attributes:
        name: What `mffrepro.fuse` calls it.
        title: What tables call it.
        module: Module with the function ``fuse``; imported on first use. Of a network also with a `NetworkSource`, ``SOURCE``.
        kind: ``"network"`` or ``"classical"``.
        bibkey: Its paper in the bibliography.
        chapter: The chapter that shows it.
        colour: ``"decision"``: one decision map for all channels; ``"luma"``: fused luma, weighted chroma; or ``"per-channel"``.
        min_side: Smallest height and width, pixels.
        weights: Names of a network's weights.
        extra_weights: Further weights, such as ablations: available by name, but not rows of every table.
        variants: Named options, such as the rule that a paper prints: ``"tlcnn.printed"``.
        strategies: How it combines more than two images, the default first; empty where it takes any number at once.
        has_decision: Whether its result has a decision map.
        order_matters: Whether another order of more than two frames changes the result visibly: ties go to the first frame, or
            the frames are combined one after the other. `mffrepro.benchmarks.robustness` measures it.
        seconds: About what a colour pair of 520x520 takes on two cores after the first call; for choosing what to run.
        fast: Options with which a slow method takes a fraction of that, for a preview rather than for a table.
        memory: Peak of the memory that a large colour stack takes beyond the program itself: bytes a pixel, and bytes a pixel and
            frame. ``make memory`` measures them. The second is 0 where frames are read one by one, and not where a method holds
            all of them at once, as sparse codes and networks of pulses do. The values of sr, asr and mst_sr are estimates
            from the arrays that they keep.
        whole: Most pixels of an image that is processed whole, and the bytes a pixel that this takes; larger ones are processed
            in bands, for which `memory` holds.
        published_chroma: How the authors' program enlarged the chroma of JPEG files, see `mffrepro.read_image`; used with
            ``as_published``.
        note: What a user should know.
    """

    name: str
    title: str
    module: str
    kind: Literal["network", "classical"]
    bibkey: str
    chapter: str
    colour: Literal["decision", "luma", "per-channel"]
    min_side: int = 1
    weights: tuple[str, ...] = ()
    extra_weights: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    strategies: tuple[str, ...] = ()
    has_decision: bool = False
    order_matters: bool = False
    seconds: float = 0.5
    fast: Mapping[str, Any] = field(default_factory=dict)
    memory: tuple[float, float] = (60, 0)
    whole: tuple[int, float] = (0, 0)
    published_chroma: Literal["interpolated", "dct"] = "interpolated"
    note: str = ""

    def function(self) -> Callable[..., tuple]:
        """Import the function of the method.

        It goes from a checked stack (and a network) to the fused image and the decision.
        """
        return importlib.import_module(self.module).fuse

    def options(self) -> dict[str, inspect.Parameter]:
        """Return the keyword arguments of the method by name."""
        parameters = inspect.signature(self.function()).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _card(kind: str, folder: str, name: str, title: str, bibkey: str, colour: str, **more: Any) -> MethodCard:
    given = {"module": f"mffrepro.{folder}.{name}", "has_decision": colour == "decision"} | more
    return MethodCard(kind=kind, name=name, title=title, bibkey=bibkey, colour=colour, **given)


_network = partial(_card, "network", "models", chapter="08_networks", weights=("default", "random"))
_classical = partial(_card, "classical", "baselines", chapter="02_baselines")

_CARDS = (
    _network(
        "gacn",
        "GACN",
        "ma2022gacn",
        "decision",
        chapter="07_gacn",
        min_side=11,
        weights=PUBLISHED,
        extra_weights=("smooth", "dice", "seed2", "seed3"),
        strategies=("rank", *PAIRWISE),
        seconds=1,
        memory=(110, 0),
        whole=(2**23, 900),
    ),
    _network(
        "tlcnn",
        "Transfer-learned CNN",
        "tlcnn",
        "decision",
        chapter="03_tlcnn",
        module="mffrepro.models.transfer",
        min_side=3,
        extra_weights=("long", "avg", "max"),
        variants=PRINTED_RULE,
        strategies=CARRY_FIRST,
        seconds=1,
        order_matters=True,
        memory=(330, 0),
    ),
    _network(
        "tlcolor",
        "Transfer-learned colour CNN",
        "tlcolor",
        "decision",
        chapter="04_tlcolor",
        module="mffrepro.models.transfer",
        min_side=3,
        extra_weights=("nontl", "compare_loss", "compare_bn", "compare_initial", "seed1", "seed2", "seed3", "seed4", "seed5"),
        variants=PRINTED_RULE,
        strategies=CARRY_FIRST,
        seconds=1,
        order_matters=True,
        memory=(330, 0),
    ),
    _network(
        "icacs18",
        "ICACS '18",
        "li2018icacs",
        "decision",
        chapter="05_icacs18",
        min_side=16,
        variants={"printed": {"cancel": 1.0}},  # only the largest region stays
        strategies=PAIRWISE,
        seconds=1,
        note="shipped weights have half the maps of the paper",
        order_matters=True,
        memory=(125, 0),
    ),
    _network(
        "cnnwt",
        "Wavelet CNN",
        "cnnwt",
        "per-channel",
        chapter="06_cnnwt",
        min_side=31,
        extra_weights=("dtcwt",),
        strategies=PAIRWISE,
        has_decision=True,
        note="decides for each band; its decision map is the share of each source in all coefficients",
        order_matters=True,
        memory=(120, 12),
    ),
    _network(
        "cnn_fuse",
        "CNN-Fuse",
        "liu2017cnn",
        "decision",
        chapter="06_cnnwt",
        min_side=16,
        strategies=PAIRWISE,
        note="shipped weights have a quarter of the maps of the paper; python -m mffrepro.models.cnn_fuse converts the authors'",
        order_matters=True,
        memory=(410, 0),
    ),
    _network(
        "sesf",
        "SESF-Fuse",
        "ma2021sesf",
        "decision",
        min_side=11,
        weights=PUBLISHED,
        strategies=CARRY_FIRST,
        memory=(450, 0),
        order_matters=True,
    ),
    _network(
        "drpl",
        "DRPL",
        "li2020drpl",
        "decision",
        strategies=PAIRWISE,
        seconds=1,
        note="the layout is our reading: the table of layers, code and weights are not available",
        order_matters=True,
        memory=(410, 0),
    ),
    _network(
        "pixel_cnn",
        "p-CNN",
        "tang2018pcnn",
        "decision",
        min_side=17,
        seconds=1,
        memory=(130, 0),
        note="a reading: text, code and weights of the authors are not available; shipped weights have half the maps",
        order_matters=True,
    ),
    _network(
        "ifcnn",
        "IFCNN",
        "zhang2020ifcnn",
        "per-channel",
        weights=PUBLISHED,
        extra_weights=("published.sum", "published.mean"),
        published_chroma="dct",  # of the Pillow of 2019; found from their stored results of three sources
        note="fuses the channels together, not one by one",
        memory=(30, 42),
    ),
    _network(
        "densefuse",
        "DenseFuse",
        "li2019densefuse",
        "per-channel",
        min_side=2,
        weights=PUBLISHED,
        extra_weights=("published.rgb",),
        seconds=1.5,
        memory=(275, 54),
    ),
    _network(
        "u2fusion",
        "U2Fusion",
        "xu2022u2fusion",
        "luma",
        min_side=2,
        weights=PUBLISHED,
        seconds=1,
        note="shipped weights have half the maps of the paper and never saw a VGG-16",
        memory=(290, 21),
        order_matters=True,
    ),
    _network(
        "fusiondn",
        "FusionDN",
        "xu2020fusiondn",
        "luma",
        min_side=2,
        seconds=2,
        note="shipped weights have half the maps of the paper and never saw a VGG-16; no weights are published",
        memory=(470, 103),
        order_matters=True,
    ),
    _network(
        "mff_gan",
        "MFF-GAN",
        "zhang2021mffgan",
        "luma",
        weights=PUBLISHED,
        extra_weights=("published.mfi_whu",),
        memory=(95, 40),
        order_matters=True,
    ),
    _network("pmgi", "PMGI", "zhang2020pmgi", "luma", min_side=2, weights=PUBLISHED, memory=(85, 43), order_matters=True),
    _network(
        "deepfuse",
        "DeepFuse",
        "prabhakar2017deepfuse",
        "luma",
        weights=PUBLISHED,
        seconds=3,
        memory=(300, 20),
        note="made for exposures",
    ),
    _network(
        "difnet",
        "DIF-Net",
        "jung2020difnet",
        "luma",
        memory=(150, 40),
        note="a reading: text, code and weights of the authors are not available",
        order_matters=True,
    ),
    _network(
        "stackmff",
        "StackMFF-V2",
        "xie2025stackmff",
        "decision",
        min_side=3,
        weights=PUBLISHED,
        order_matters=True,
        seconds=1,
        memory=(120, 10),
        note="frames must be in the order of their focus; the published weights find depth better than the shipped ones",
    ),
    _network(
        "lightmff",
        "LightMFF",
        "xie2025lightmff",
        "decision",
        strategies=PAIRWISE,
        order_matters=True,
        seconds=0.1,
        memory=(100, 0),
        note="decides at 256x256, whatever the size of the images",
    ),
    _network(
        "gcf",
        "GCF",
        "xu2020gcf",
        "decision",
        min_side=2,
        strategies=PAIRWISE,
        order_matters=True,
        seconds=1,
        memory=(1500, 0),
        note="a pixel depends on the whole image; shipped weights have half the maps of the paper",
    ),
    _network(
        "mscnn",
        "MSCNN",
        "du2017mscnn",
        "decision",
        min_side=16,
        strategies=PAIRWISE,
        order_matters=True,
        seconds=0.5,
        memory=(430, 14),
        note="a reading: text, code and weights of the authors are not available",
    ),
    _network(
        "unet",
        "U-Net",
        "ronneberger2015unet",
        "luma",
        order_matters=True,
        seconds=0.5,
        memory=(850, 26),
        note="a reading of a sentence in tlcolor",
    ),
    _network(
        "focal",
        "Focal",
        "mffrepro2026",
        "decision",
        chapter="11_lessons",
        variants={"crisp": {"sharpness": 8.0}},
        seconds=0.3,
        memory=(145, 0),
        note="ours, of no paper: all frames at once, in any order, with depth and its confidence",
    ),
    _classical(
        "mff_ssim",
        "MFF-SSIM",
        "xu2020mffssim",
        "per-channel",
        chapter="08_networks",
        module="mffrepro.models.mff_ssim",
        min_side=2,
        seconds=11,
        fast={"iterations": 40, "rate": 0.01},
        note="no network: the image itself is optimised",
        memory=(270, 46),
    ),
    _classical(
        "zmff",
        "ZMFF",
        "hu2023zmff",
        "luma",
        chapter="08_networks",
        module="mffrepro.models.zmff",
        min_side=33,
        seconds=20000,
        fast={"steps": (60, 40)},
        note="networks fitted to the stack itself: hours on a CPU, minutes on a GPU",
        memory=(5200, 4500),
        order_matters=True,
    ),
    _classical("average", "Average", "stathaki2008fusion", "per-channel"),
    _classical("lp", "Laplacian pyramid", "burt1983laplacian", "per-channel", min_side=17, memory=(90, 0), order_matters=True),
    _classical("pca", "Principal components", "naidu2008", "per-channel", memory=(40, 16)),
    _classical("dwt", "Wavelets", "li1995wavelet", "per-channel", min_side=17, memory=(80, 0), order_matters=True),
    _classical("swt", "Stationary wavelets", "rockinger1997", "per-channel", memory=(220, 0), order_matters=True),
    _classical("rp", "Ratio pyramid", "toet1989", "per-channel", min_side=17, memory=(90, 0), order_matters=True),
    _classical(
        "mp", "Morphological pyramid", "toet1989morphology", "per-channel", min_side=2, memory=(40, 0), order_matters=True
    ),
    _classical("dtcwt", "Complex wavelets", "lewis2007", "per-channel", min_side=17, memory=(190, 0), order_matters=True),
    _classical("gff", "Guided filter fusion", "li2013gff", "luma", memory=(240, 0)),
    _classical("mgivf", "Multi-scale guided fusion", "bavirisetti2019", "per-channel", memory=(120, 48)),
    _classical("msvd", "Multi-resolution SVD", "naidu2011", "per-channel", memory=(100, 0)),
    _classical("cbf", "Cross bilateral filter", "kumar2015", "per-channel", min_side=6, seconds=1, memory=(170, 0)),
    _classical("sf", "Spatial frequency", "li2001frequency", "decision"),
    _classical("eog", "Energy of gradient", "huang2007", "decision", memory=(95, 0), order_matters=True),
    _classical("eol", "Energy of Laplacian", "huang2007", "decision", memory=(95, 0), order_matters=True),
    _classical("sml", "Sum-modified-Laplacian", "nayar1994", "decision", memory=(95, 0), order_matters=True),
    _classical(
        "contourlet", "Decimated contourlets", "do2005contourlet", "per-channel", min_side=17, memory=(530, 0), order_matters=True
    ),
    _classical("nsct", "Contourlets", "zhang2009nsct", "per-channel", min_side=2, seconds=3, memory=(840, 0), order_matters=True),
    _classical("nsst", "Shearlets", "easley2008", "per-channel", min_side=2, seconds=3, memory=(820, 0), order_matters=True),
    _classical("cvt", "Curvelets", "nencini2007", "per-channel", seconds=1, memory=(300, 0), order_matters=True),
    _classical(
        "pcnn",
        "Pulse-coupled network",
        "qu2008",
        "luma",
        seconds=4,
        fast={"iterations": 50},
        memory=(360, 390),
        order_matters=True,
    ),
    _classical(
        "scm",
        "Spiking cortical model",
        "hou2018scm",
        "luma",
        seconds=4,
        fast={"iterations": 50},
        note="read from an abstract",
        memory=(220, 510),
        order_matters=True,
    ),
    _classical(
        "gd",
        "Gradient domain",
        "paul2016gd",
        "luma",
        note="equalises the contrast, as its authors do",
        memory=(350, 64),
        order_matters=True,
    ),
    _classical("dchwt", "Cosine harmonic wavelets", "kumar2013", "per-channel", memory=(50, 27)),
    _classical(
        "nmei",
        "Pulse exchange",
        "nie2021exchange",
        "decision",
        note="the name has no reference; read as networks that exchange their pulses",
        memory=(45, 45),
        order_matters=True,
    ),
    _classical("dsift", "Dense SIFT", "liu2015dsift", "decision", seconds=2, memory=(2000, 0), order_matters=True),
    _classical(
        "sr",
        "Sparse representation",
        "yang2010sr",
        "per-channel",
        min_side=8,
        seconds=75,
        fast={"eps": 5.0, "stride": 2},
        memory=(100, 100),
    ),
    _classical(
        "mst_sr",
        "Multi-scale transform with sparse coding",
        "liu2015mstsr",
        "per-channel",
        min_side=17,
        seconds=2,
        memory=(100, 30),
        order_matters=True,
    ),
    _classical(
        "asr",
        "Adaptive sparse representation",
        "liu2015asr",
        "per-channel",
        min_side=8,
        seconds=85,
        fast={"eps": 5.0, "stride": 2},
        memory=(100, 100),
    ),
    _classical(
        "csr",
        "Convolutional sparse representation",
        "liu2016csr",
        "per-channel",
        min_side=8,
        seconds=27,
        fast={"tolerance": 0.01},
        memory=(890, 210),
    ),
    _classical(
        "mwg",
        "Multi-scale weighted gradients",
        "zhou2014mwg",
        "luma",
        min_side=3,
        seconds=2,
        fast={"iterations": 100},
        memory=(140, 43),
        order_matters=True,
    ),
    _classical("focus_stack", "Focus-Stack", "mcguinness2015", "decision", memory=(80, 0)),
)

CARDS: dict[str, MethodCard] = {card.name: card for card in _CARDS}
if len(CARDS) != len(_CARDS):
    raise RuntimeError("two method cards share a name")
