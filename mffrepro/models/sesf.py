r"""SESF-Fuse: an autoencoder's features, their spatial frequency, and a map that morphology has cleaned.

The encoder is the feature path that GACN took over: four densely connected convolutions with channel attention. It was trained to
give single photographs back; the decoder is then dropped. Where the features of one image change more, summed over an 11x11
window and over all 64 maps, that image is taken. Opening, closing, the filling of holes and a guided filter clean the map.

What we changed: the guided filter. The authors filter with each channel of a colour image on 0..255 and add up what comes out,
so that the map overshoots to -1.5 and 2.1; that is ``as_published=True``. Otherwise the guide is gray in [0, 1].

References: [ma2021sesf]. Chapter: 08_networks.
"""

from typing import ClassVar, Literal, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.errors import unknown
from mffrepro.fusion.boxes import box_sum
from mffrepro.fusion.guided import box_mean, guided_filter
from mffrepro.fusion.multi_image import UnitImages, combine, mix
from mffrepro.fusion.regions import fill_holes
from mffrepro.images import FocusStack, to_gray
from mffrepro.models.gacn import ConvBlock, FeaturePath, squared_differences
from mffrepro.models.gacn.inference import features_in_strips
from mffrepro.models.layers import device_of, to_array, to_tensor, truncated
from mffrepro.models.weights import NetworkSource, read_published
from mffrepro.tiling import map_network

#: Mean and standard deviation of the training photographs, gray in [0, 1], of the authors' code.
MEAN, DEVIATION = 0.4500517361627943, 0.26465333914691797
#: The disk of opening and closing, (11, 11).
DISK = (np.hypot(*np.mgrid[-5:6, -5:6]) <= 5).astype(np.uint8)
#: Islands under this share of the image are removed.
SMALLEST = 0.01
GUIDED_RADIUS, GUIDED_EPS = 4, 0.1

PostProcessing = Literal["all", "morphology", "none"]


class SESF(nn.Module):
    """Encode one image and reconstruct it; 74 803 parameters.

    14 416 of them are in the encoder, which alone is needed for fusion.
    """

    options: ClassVar[dict] = {}
    radius = 5  # windows of 11x11

    def __init__(self) -> None:
        super().__init__()
        self.features = FeaturePath()
        self.decoder = nn.Sequential(ConvBlock(64, 64), ConvBlock(64, 32), ConvBlock(32, 16), ConvBlock(16, 1))

    def forward(self, gray: Tensor) -> Tensor:
        """Reconstruct normalised images (B, 1, H, W), which is what the training asks for."""
        return self.decoder(self.features(gray))

    def activity(self, features: Tensor) -> Tensor:
        """Sum the spatial frequency of (B, 64, H, W) over the maps: (B, 1, H, W).

        There is neither root nor division.
        """
        return box_sum(squared_differences(features), self.radius).sum(1, keepdim=True)


def normalise(gray: Tensor) -> Tensor:
    """Normalise gray values in [0, 1] as in the training."""
    return (gray - MEAN) / DEVIATION


def verify(decision: np.ndarray) -> np.ndarray:
    """Remove small islands from a map (H, W) bool in the authors' order.

    Opening, removal, closing, filling.
    """
    smallest = SMALLEST * decision.size
    opened = cv2.morphologyEx(decision.astype(np.uint8), cv2.MORPH_OPEN, DISK) > 0
    kept = ~fill_holes(~opened, smallest)
    closed = cv2.morphologyEx(kept.astype(np.uint8), cv2.MORPH_CLOSE, DISK) > 0
    return fill_holes(closed, smallest)


def smooth(decision: np.ndarray, composite: np.ndarray) -> np.ndarray:
    """Filter a map, float64 (H, W), with the provisional fusion as guide.

    The fusion is (H, W[, 3]) in [0, 1].
    """
    guide = to_gray(composite) if composite.ndim == 3 else composite
    return guided_filter(guide, decision, radius=GUIDED_RADIUS, eps=GUIDED_EPS).clip(0, 1)


def smooth_as_published(decision: np.ndarray, composite: np.ndarray) -> np.ndarray:
    """Filter as the authors' code does, on 0..255 and without clipping.

    Each channel is the only guide in turn, and the results are added.
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return box_mean(x, GUIDED_RADIUS)

    total = offset = mean(decision)
    smoothed = 0.0
    for channel in np.moveaxis(255 * np.atleast_3d(composite), -1, 0):
        guide = np.ascontiguousarray(channel)
        average = mean(guide)
        slope = (mean(guide * decision) - average * total) / (mean(guide * guide) - average**2 + GUIDED_EPS)
        offset = offset - slope * average
        smoothed = smoothed + mean(slope) * guide
    return smoothed + mean(offset)


# ----------------------------------------------------------------------------------------------- inference


class Features(NamedTuple):
    """Hold what a comparison needs to know of one image."""

    image: np.ndarray  # (H, W[, 3]) in [0, 1]
    activity: np.ndarray  # (H, W)


class SesfComparer:
    """Compare images by SESF-Fuse; see `mffrepro.fusion.multi_image.Comparer`.

    Args:
        network: SESF-Fuse.
        post_processing: See `fuse`.
        as_published: See `fuse`.
    """

    def __init__(self, network: SESF, *, post_processing: PostProcessing = "all", as_published: bool = False) -> None:
        self.network, self.post_processing, self.as_published = network, post_processing, as_published

    @torch.inference_mode()
    def extract(self, image: np.ndarray) -> Features:
        """Compute the activity level of one image (H, W[, 3]) in [0, 1]."""
        gray = to_gray(image) if image.ndim == 3 else image
        maps = features_in_strips(self.network.features, normalise(to_tensor(gray, device_of(self.network))))
        return Features(image, to_array(map_network(self.network.activity, [maps], self.network.radius + 1)))

    def decide(self, first: Features, second: Features) -> tuple[np.ndarray, np.ndarray]:
        """Compute the final map (H, W) and the difference of the activity levels.

        The map is 1 where the first image is taken.
        """
        difference = first.activity - second.activity
        decision = difference > 0  # ties go to the second
        if self.post_processing != "none":
            decision = verify(decision)
        final = decision.astype(np.float64)
        if self.post_processing == "all":
            composite = mix(first.image, second.image, final)
            final = (smooth_as_published if self.as_published else smooth)(final, composite)
        return final, difference

    def blend(self, first: Features, second: Features, final: np.ndarray) -> Features:
        """Blend two sets of features by a decision map."""
        return Features(mix(first.image, second.image, final), mix(first.activity, second.activity, final.clip(0, 1)))


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``.pkl`` to those of `SESF`."""
    blocks = {"features": "features.conv.0", "se_f": "features.se.0"}
    blocks |= {f"conv_encode_{i}": f"features.conv.{i}" for i in (1, 2, 3)} | {f"se_{i}": f"features.se.{i}" for i in (1, 2, 3)}
    blocks |= {f"conv_decode_{i}": f"decoder.{i - 1}" for i in (1, 2, 3, 4)}
    layers = {"0": "conv", "2": "norm", "fc.0": "squeeze", "fc.2": "excite"}
    renamed = {}
    for key, tensor in state.items():
        block, _, rest = key.partition(".")
        layer, _, kind = rest.rpartition(".")
        renamed[f"{blocks[block]}.{layers[layer]}.{kind}"] = tensor
    return renamed


def published(name: str) -> tuple[dict[str, Tensor], dict]:
    """Load the authors' tensors under our names."""
    return from_published(read_published(name)), {}


SOURCE = NetworkSource(SESF, published=published)


def fuse(
    stack: FocusStack,
    network: SESF,
    *,
    strategy: str = "carry",
    post_processing: PostProcessing = "all",
    as_published: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse by the spatial frequency of an autoencoder's features.

    Decided on gray, applied to all channels.

    Args:
        stack: N >= 2 images, sides at least 11 pixels, gray or colour.
        network: SESF-Fuse.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`.
        post_processing: ``"all"``; ``"morphology"`` leaves out the guided filter; ``"none"`` takes the first comparison.
        as_published: The authors' guided filter, whose map overshoots, and a result cut off to 8 bits. The decision then leaves
            [0, 1], and still sums to 1.

    Returns:
        Fused image and decision map.

    Raises:
        OptionError: There is no such post-processing.

    References:
        [ma2021sesf].
    Chapter: 08_networks
    """
    if post_processing not in ("all", "morphology", "none"):
        raise unknown("post_processing of sesf", post_processing, ("all", "morphology", "none"))
    comparer = SesfComparer(network, post_processing=post_processing, as_published=as_published)
    images = UnitImages(stack.images, np.float64)  # a cut-off result would show the rounding of float32
    fused, decision = combine(images, comparer, strategy)
    return truncated(fused) if as_published else fused, decision
