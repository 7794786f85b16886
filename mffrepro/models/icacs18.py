r"""ICACS '18: five convolutions and three poolings say which of two patches is the sharper.

Both photographs pass through the same branch; its 256 maps of either are joined, and three fully connected layers answer.
Asked twice, with the photographs swapped, the network yields two score maps, whose comparison is the decision. The paper's
point is how little cleaning follows: invert the map, cancel all but its largest region, invert back, dilate.

What we changed: of the regions of the inverted map only small ones are cancelled; ``cancel=1`` does as printed (A2.5). Where
the layout is not printed, comments say what was chosen. Shipped weights have half as many maps.

References: [li2018icacs]. Chapter: 05_icacs18.
"""

import cv2
import numpy as np
from scipy import ndimage

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import UnitImages, combine
from mffrepro.images import FocusStack, require_side
from mffrepro.models.siamese import Border, Features, PatchComparer, Pool, Siamese
from mffrepro.models.weights import NetworkSource


class Icacs18(Siamese):
    """Classify patches by the network of section 3.1.

    It has 1 111 874 parameters at full width.

    Args:
        width: Factor on the maps and the fully connected layers; 1 is the paper's size.
        patch: Side of the patches, 8, 16 or 32 (A2.8).
        pool: ``"max"``, or ``"avg"`` as section 2.1 has it (A2.1).
        border: Values around a patch; ``"zeros"`` in the paper.
        poolings: 3 in the paper; with fewer, the last ones are left out (A2.7).
    """

    def __init__(
        self, *, width: float = 1.0, patch: int = 16, pool: Pool = "max", border: Border = "context", poolings: int = 3
    ) -> None:
        pools = ["pool"] * poolings + [None] * (3 - poolings)
        # Five 3x3 convolutions, three 2x2 poolings, 256 maps at the end; the numbers before are not printed (A2.15).
        plan = [layer for layer in (64, 64, pools[0], 128, 128, pools[1], 256, pools[2]) if layer]
        hidden = [max(2, round(width * size)) for size in (256, 128)]  # then 2 and the softmax (A2.3)
        super().__init__(plan, hidden, patch=patch, width=width, pool=pool, border=border)
        self.options = {"width": width, "patch": patch, "pool": pool, "border": border, "poolings": poolings}


def cancel_regions(mask: np.ndarray, cancel: float) -> np.ndarray:
    """Keep the largest region of a bool map (H, W), and others that are not small.

    Regions are connected; small ones are under a share of the image (A2.5).

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
    """Turn a focus map into a decision map as section 2.3 of the paper does.

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


SOURCE = NetworkSource(Icacs18, random={"width": 0.25})


def comparer(
    network: Icacs18, *, dense: int | None = None, cancel: float = 0.01, dilate: int = 1, symmetric: bool = False
) -> PatchComparer:
    """Build the comparer of a network; the arguments are those of `fuse`."""

    def rule(focus: np.ndarray, first: Features, second: Features) -> np.ndarray:
        return final_decision(focus, cancel=cancel, dilate=dilate, symmetric=symmetric)

    return PatchComparer(network, rule, step=dense, both_orders=True)


def fuse(
    stack: FocusStack,
    network: Icacs18,
    *,
    strategy: str = "serial",
    dense: int | None = None,
    cancel: float = 0.01,
    dilate: int = 1,
    symmetric: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse a stack with the ICACS '18 network; every pixel is copied from one source.

    The decision is made on gray.

    Args:
        stack: N >= 2 images, sides at least those of a patch, 16 pixels; gray or colour.
        network: The patch classifier.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`; the paper has ``"serial"``.
        dense: Pixels between neighbouring patches, 8, 4, 2 or 1; 8 is what three poolings give, less costs more (A2.7).
        cancel: Regions of the inverted map under this share of the image are cancelled, save the largest; 1 cancels all others.
        dilate: Radius of the last dilation, pixels; 0 leaves it out.
        symmetric: Cancel regions of the first image too.

    Returns:
        Fused image and decision map.

    Raises:
        ImageError: Images too small.
        OptionError: There is no such `dense`, `dilate` is negative, or `cancel` outside [0, 1].
    Deviations:
        As printed all regions of the inverted map but one are cancelled, which gives a second image that is sharp in two places
        away. The paper cleans one polarity and dilates, so the order of the sources matters; ``symmetric=True, dilate=0`` does
        not ask for it.

    References:
        [li2018icacs].
    Chapter: 05_icacs18
    """
    if dilate < 0 or not 0 <= cancel <= 1:
        raise OptionError(f"dilate is {dilate} and cancel {cancel:g}; use a radius of at least 0 and a share from 0 to 1")
    require_side(stack, network.patch)
    asked = comparer(network, dense=dense, cancel=cancel, dilate=dilate, symmetric=symmetric)
    return combine(UnitImages(stack.images), asked, strategy)
