r"""MSCNN: a patch classifier that looks at three sizes of the image, and a decision map that is cut out by watersheds.

Blur that a patch of 16 pixels cannot tell from a flat wall is seen in an image of a quarter of the size. The classifier is that
of CNN-Fuse, the same for all three sizes. Its maps are enlarged and averaged; the result is certain inside of regions and
changes slowly where they meet. So the outline is found in a second step: the certain parts are flooded over the slope of the
map until they meet, on its steepest line.

What we changed: all that the abstract does not say is our reading, since the text, code and weights of the authors were not
available. It says that the decision map is a segmentation; that a multi-scale network analyses each input; that its maps are
joined to one; and that an initial segmentation, morphology and a watershed follow. Shipped weights have a quarter of the maps.

References: [du2017mscnn]. Chapter: 08_networks.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from skimage.filters import sobel
from skimage.segmentation import watershed

from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import UnitImages, combine
from mffrepro.fusion.regions import remove_small
from mffrepro.images import FocusStack, require_side
from mffrepro.models.cnn_fuse import CnnFuse
from mffrepro.models.siamese import Features, PatchComparer, gray
from mffrepro.models.weights import NetworkSource

#: The sizes that the network is shown: the image, and by which factors it is reduced.
SCALES = (1, 2, 4)
#: Radius of the disc of the morphology, pixels.
DISC = 5

SOURCE = NetworkSource(CnnFuse, random={"width": 0.25, "hidden": 32})


def reduced(image: np.ndarray, smallest: int) -> Iterator[np.ndarray]:
    """Yield an image (H, W) at each of the sizes, as means over squares.

    Sizes with a side under `smallest` pixels are left out.
    """
    for scale in SCALES:
        height, width = (side // scale for side in image.shape)
        if min(height, width) >= smallest:
            yield image if scale == 1 else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def segment(focus: np.ndarray, *, smallest: float = 0.01, certain: float = 0.8) -> np.ndarray:
    """Cut the joined focus map (H, W) into the regions of both images.

    Args:
        focus: Share of the first image, between 0 and 1.
        smallest: Least area of a region, as a share of the image.
        certain: Share from which a pixel is certain for either image; the others are flooded from these.

    Returns:
        (H, W) bool, true where the first image is taken.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * DISC + 1,) * 2)
    mask = (focus > 0.5).astype(np.uint8)
    for operation in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        mask = cv2.morphologyEx(mask, operation, disc)
    mask = remove_small(mask, smallest * mask.size) > 0
    seeds = np.select([mask & (focus >= certain), ~mask & (focus <= 1 - certain)], [1, 2])
    return watershed(sobel(focus), seeds) == 1 if {1, 2} <= set(np.unique(seeds)) else mask


class ScaleComparer:
    """Compare images at several sizes by one patch classifier.

    See `mffrepro.fusion.multi_image.Comparer`.

    Args:
        network: Ready for inference.
        smallest: See `segment`.
        certain: See `segment`.
    """

    def __init__(self, network: CnnFuse, *, smallest: float, certain: float) -> None:
        self.single = PatchComparer(network, rule=lambda focus, first, second: focus, both_orders=True)
        self.smallest, self.certain = smallest, certain

    def extract(self, image: np.ndarray) -> list[Features]:
        """Run the branch on an image (H, W[, C]), float in [0, 1], at every size."""
        return [self.single.extract(small) for small in reduced(gray(image), self.single.network.patch)]

    def focus(self, first: list[Features], second: list[Features]) -> np.ndarray:
        """Average the focus maps of all sizes (H, W), 1 where the first image is sharper."""
        maps = [self.single.focus(a, b) for a, b in zip(first, second, strict=True)]
        return np.mean([cv2.resize(map_, maps[0].shape[::-1], interpolation=cv2.INTER_LINEAR) for map_ in maps], 0)

    def decide(self, first: list[Features], second: list[Features]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the final map (H, W) and the logit of the joined focus map."""
        focus = self.focus(first, second)
        final = segment(focus, smallest=self.smallest, certain=self.certain).astype(np.float32)
        tiny = np.finfo(np.float32).eps
        return final, np.log(focus + tiny) - np.log(1 - focus + tiny)

    def blend(self, first: list[Features], second: list[Features], final: np.ndarray) -> list[Features]:
        """Blend two sets of features by a decision map."""
        shares = (cv2.resize(final, a.gray.shape[1::-1], interpolation=cv2.INTER_AREA) for a in first)
        return [self.single.blend(a, b, share) for a, b, share in zip(first, second, shares, strict=True)]


def fuse(
    stack: FocusStack, network: CnnFuse, *, strategy: str = "serial", smallest: float = 0.01, certain: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse by a segmentation of the focus that a network finds at three sizes.

    Args:
        stack: N >= 2 images, sides at least those of a patch, 16 pixels; gray or colour. Sizes below that are left out.
        network: The patch classifier.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`.
        smallest: Least area of a region, as a share of the image; 0 keeps all.
        certain: Share of an image from which a pixel is certain, over 0.5 and under 1.

    Returns:
        Fused image and decision map.

    Raises:
        ImageError: Images too small.
        OptionError: A number is out of its range.

    References:
        [du2017mscnn].
    Chapter: 08_networks
    """
    if not (0 <= smallest < 1 and 0.5 < certain < 1):
        raise OptionError(f"smallest is {smallest:g} and certain {certain:g}; use 0 <= smallest < 1 and 0.5 < certain < 1")
    require_side(stack, network.patch)
    return combine(UnitImages(stack.images), ScaleComparer(network, smallest=smallest, certain=certain), strategy)
