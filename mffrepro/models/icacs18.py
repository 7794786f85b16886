r"""ICACS '18: five convolutions and three poolings say which of two patches is the sharper.

Both photographs pass through the same branch; its 256 maps of either are joined, and three fully connected layers answer.
Asked twice, with the photographs swapped, the network yields two score maps, whose comparison is the decision. The paper's
point is how little cleaning follows: invert the map, cancel all but its largest region, invert back, dilate.

What we changed: of the regions of the inverted map only small ones are cancelled; ``cancel=1`` does as printed (A2.5). Where
the layout is not printed, comments say what was chosen. Shipped weights have half as many maps.

References: [li2018icacs]. Chapter: 05_icacs18.
"""

import time
from functools import lru_cache, partial
from typing import Literal

import cv2
import numpy as np
from scipy import ndimage

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import Calibration, Floats
from mffrepro.images import FocusStack, FusionResult, as_stack
from mffrepro.models.siamese import Border, Look, PatchJudge, Pool, Siamese, fuse_many
from mffrepro.models.weights import prepare


class Icacs18(Siamese):
    """The network of section 3.1; 1 111 874 parameters at full width.

    Args:
        width: Factor on the maps and the fully connected layers; 1 is the paper's size.
        patch: Side of the patches, 8, 16 or 32 (A2.8).
        pool: ``"max"``, or ``"avg"`` as section 2.1 has it (A2.1).
        border: What lies around a patch; ``"zeros"`` in the paper.
        poolings: 3 in the paper; with fewer, the last ones are left out (A2.7).
    """

    def __init__(
        self, *, width: float = 1.0, patch: int = 16, pool: Pool = "max", border: Border = "context", poolings: int = 3
    ) -> None:
        pools = ["pool"] * poolings + [None] * (3 - poolings)
        # Five 3x3 convolutions, three 2x2 poolings, 256 maps at the end; the numbers before are not printed (section 4).
        plan = [layer for layer in (64, 64, pools[0], 128, 128, pools[1], 256, pools[2]) if layer]
        hidden = [max(2, round(width * size)) for size in (256, 128)]  # then 2 and the softmax (A2.3)
        super().__init__(plan, hidden, patch=patch, width=width, pool=pool, border=border)
        self.options = {"width": width, "patch": patch, "pool": pool, "border": border, "poolings": poolings}


def cancel_regions(mask: np.ndarray, cancel: float) -> np.ndarray:
    """Of a bool map (H, W) the largest connected region, and all others that are not under a share of the image (A2.5).

    Args:
        mask: Pixels that touch, corners included, are one region.
        cancel: Share of the image; 1 keeps the largest region alone, 0 all of them.
    """
    regions, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return mask
    areas = np.bincount(regions.ravel())
    areas[0] = 0  # what is not in the map
    kept = areas >= np.ceil(cancel * mask.size)
    kept[areas.argmax()] = True
    kept[0] = False
    return kept[regions]


def final_decision(focus: np.ndarray, *, cancel: float = 0.01, dilate: int = 1, symmetric: bool = False) -> np.ndarray:
    """From the focus map to the decision: section 2.3 of the paper.

    Args:
        focus: s_3 (H, W), over 1/2 where the first image is the sharper (A2.4).
        cancel: Share of the image under which a region is cancelled, save the largest; 1 cancels all others, as printed.
        dilate: Radius of the disk that the region of the first image is dilated by, pixels; 0 leaves it (A2.6).
        symmetric: Cancel regions of the first image too (A2.5).
    Returns:
        (H, W) float32, 1 where the first image is taken.
    """
    first = focus > 0.5  # pre-decision map: s_1 > s_2
    if symmetric:
        first = cancel_regions(first, cancel)
    first = ~cancel_regions(~first, cancel)  # invert, cancel, invert back
    if dilate:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilate + 1,) * 2)
        first = cv2.dilate(first.astype(np.uint8), disk)
    return first.astype(np.float32)


# ----------------------------------------------------------------------------------------------- inference


@lru_cache(maxsize=4)
def load(weights: str = "default", *, device: str = "auto") -> Icacs18:
    """The network ready for inference.

    Args:
        weights: ``"default"``, ``"random"``, or the path of a ``.safetensors`` file of the trainer.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """
    return prepare(partial(Icacs18, width=0.25), "icacs18", weights, device)  # that width for random weights


def judge(
    network: Icacs18, *, dense: int | None = None, cancel: float = 0.01, dilate: int = 1, symmetric: bool = False
) -> PatchJudge:
    """The network as a judge of `mffrepro.fusion.multi_image`; the arguments are those of `fuse`."""

    def decide(focus: np.ndarray, first: Look, second: Look) -> np.ndarray:
        return final_decision(focus, cancel=cancel, dilate=dilate, symmetric=symmetric)

    return PatchJudge(network, decide, step=dense, both_orders=True)


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    calibration: Calibration = "carry",
    dense: int | None = None,
    cancel: float = 0.01,
    dilate: int = 1,
    symmetric: bool = False,
) -> FusionResult:
    """Fuse a stack with the ICACS '18 network; decided on gray, every pixel copied from one source.

    Args:
        stack: N >= 2 images, sides at least those of a patch, 16 pixels; gray or colour.
        weights: ``"default"`` (this project's), ``"random"``, or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For more than two images; ``"auto"`` is ``"serial"``, as in the paper.
        calibration: Form of the calibration, see `mffrepro.fusion.multi_image.calibrated`.
        dense: Pixels between neighbouring patches, 8, 4, 2 or 1; 8 is what three poolings give, less costs more (A2.7).
        cancel: Regions of the inverted map under this share of the image are cancelled, save the largest; 1 cancels all others.
        dilate: Radius of the last dilation, pixels; 0 leaves it out.
        symmetric: Cancel regions of the first image too.
    Returns:
        Fused image and decision map.
    Raises:
        ImageError: Images too small.
        OptionError: No such `dense`, a negative `dilate`, or a `cancel` outside [0, 1].
        DataError: Weights that cannot be had.
    Deviations:
        As printed all regions of the inverted map but one are cancelled, which gives a second image that is sharp in two places
        away. The paper cleans one polarity and dilates, so the order of the sources matters; ``symmetric=True, dilate=0`` does
        not ask for it.
    References:
        [li2018icacs].
    Chapter: 05_icacs18
    """
    if dilate < 0 or not 0 <= cancel <= 1:
        raise OptionError(f"dilate={dilate}, cancel={cancel:g}; give a radius >= 0 and a share of the image")
    network = load(weights, device=device)
    as_stack(stack, min_side=network.patch)
    asked = judge(network, dense=dense, cancel=cancel, dilate=dilate, symmetric=symmetric)
    started = time.perf_counter()
    fused, decision = fuse_many(Floats(stack.images), asked, strategy, calibration)
    return FusionResult.finish(stack, fused, decision, started, "icacs18")
