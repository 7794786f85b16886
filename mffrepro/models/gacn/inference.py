"""GACN on images of any size: the modules of the printed network, applied to a strip of rows at a time.

Only the features that are compared are kept whole, 64 maps of each image; everything between lives in a strip. A pixel depends on
a few rows around it, except through the means of channel attention: each layer passes over the whole image before the next one
begins. For images that are too large even for that, the features keep no maps: the weights of channel attention are gathered
first, and with them the maps of any rows can be computed without the rest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.images import to_gray
from mffrepro.models.gacn.network import GACN, Boundary, FeaturePath
from mffrepro.models.layers import device_of
from mffrepro.tiling import Strip, strips

#: Pixels of a strip: small where maps should stay in the processor's cache, large where neighbours are computed twice.
#: A strip of gray values has more than 20,480 of them: below that, torch takes a convolution of a quarter of the speed.
FEATURE_PIXELS, DECISION_PIXELS = 3 * 2**13, 2**18
#: Rows of a strip where two whole rankings are compared, which happens once: memory counts there, and time does not.
RANKED_ROWS = 80
#: Images of more pixels are processed in bands of about so many: 256 bytes each for the 64 maps of a pixel.
LARGE, BAND_PIXELS = 2**23, 2**20
#: Rows of a strip of activity levels, however wide the image: with fewer rows the halo would double the work.
ACTIVITY_ROWS = 32
#: Rows that a pixel's activity level depends on: four 3x3 convolutions, windows of 11x11 and the difference to a neighbour.
ACTIVITY_HALO = 4 * 1 + 5 + 1
#: Rows that a pixel's decision depends on: four 3x3 and five 7x7 convolutions, and the two box filters of the guided filter.
DECISION_HALO = 4 * 1 + 5 * 3 + 2 * 3

#: Weights of the channels of each layer, (1, C); None for a layer without attention.
Weights = Sequence[Tensor | None]


class Features(NamedTuple):
    """Hold what a decision needs to know of one image."""

    gray: Tensor  # (1, 1, H, W)
    activity: Tensor | None  # (1, 64, H, W), float16 in a ranking; None: too large to keep
    weights: Weights | None = None  # of channel attention, for features that keep no maps

    def rows(self, network: GACN, rows: slice) -> tuple[Tensor, Tensor]:
        """Return gray values and activity levels of some rows.

        Activity levels that are not kept are computed now.
        """
        gray = self.gray[..., rows, :]
        if self.activity is not None:
            return gray, self.activity[..., rows, :].float()
        strip = Strip(rows, slice(max(0, rows.start - ACTIVITY_HALO), rows.stop + ACTIVITY_HALO))
        return gray, strip.crop(activity_in_strips(network, self.gray[..., strip.with_halo, :], self.weights))


# ------------------------------------------------------------------------------------------------- extraction


def activity_in_strips(network: GACN, gray: Tensor, weights: Weights | None = None) -> Tensor:
    """Compute `GACN.extract` of one image (1, 1, H, W), strip by strip.

    It may be a part of an image whose attention weights are given.

    The activity levels replace the feature maps, each strip once the next one has been computed, which needs its last rows.
    """
    maps = features_in_strips(network.features, gray, weights)
    height, width = maps.shape[-2:]
    waiting = None
    for strip in strips(height, width, max(FEATURE_PIXELS, ACTIVITY_ROWS * width), halo=network.radius + 1):
        computed = strip.rows, _activity_of(network, maps, strip)
        if waiting is not None:
            maps[..., waiting[0], :] = waiting[1]
        waiting = computed
    maps[..., waiting[0], :] = waiting[1]
    return maps


def _activity_of(network: GACN, maps: Tensor, strip: Strip) -> Tensor:
    """Compute the activity level in blocks of columns: of a wide image not even one strip of all maps fits into the cache."""
    rows, width = strip.rows.stop - strip.rows.start, maps.shape[-1]
    activity = torch.empty((1, maps.shape[1], rows, width), device=maps.device, memory_format=torch.channels_last)
    for block in strips(width, rows, FEATURE_PIXELS, halo=network.radius + 1):
        part = strip.crop(network.spatial_frequency(maps[..., strip.with_halo, block.with_halo]))
        activity[..., block.rows] = block.crop(part.mT).mT
    return activity


def features_in_strips(path: FeaturePath, gray: Tensor, weights: Weights | None = None) -> Tensor:
    """Compute the feature maps (1, 64, H, W) of one image (1, 1, H, W).

    The maps of all layers fill one tensor, which is the concatenation that the next layer reads.

    Args:
        path: The convolutions and their channel attention.
        gray: The image, or a part of an image whose attention weights are given.
        weights: Weights of channel attention; by default computed from the means over this image.
    """
    height, width = gray.shape[-2:]
    layer_width = path.conv[0].conv.out_channels
    maps = torch.empty((1, len(path.conv) * layer_width, height, width), device=gray.device, memory_format=torch.channels_last)
    for i, (conv, se) in enumerate(zip(path.conv, path.se, strict=True)):
        known = maps[:, : i * layer_width] if i else gray
        new = maps[:, i * layer_width : (i + 1) * layer_width]
        total = torch.zeros(layer_width, dtype=torch.float64, device=gray.device)
        for strip in strips(height, width, FEATURE_PIXELS, halo=1):
            rows = strip.crop(conv(known[..., strip.with_halo, :].contiguous(memory_format=torch.channels_last)))
            new[..., strip.rows, :] = rows
            total += rows.sum((0, 2, 3))
        if not isinstance(se, nn.Identity):
            weight = weights[i] if weights else se.weight((total / (height * width)).float()[None])
            new.mul_(weight[..., None, None])
    return maps


def attention_weights(path: FeaturePath, gray: Tensor) -> Weights:
    """Compute the weights of channel attention of one image without keeping its maps.

    The mean of every layer needs all layers before it, so that each layer costs one pass over the image.
    """
    weights: list[Tensor | None] = []
    for layer, se in enumerate(path.se):
        if isinstance(se, nn.Identity):
            weights.append(None)
            continue
        total = 0.0
        for strip in strips(*gray.shape[-2:], FEATURE_PIXELS, halo=layer + 1):
            maps = [gray[..., strip.with_halo, :]]
            for conv, weight in zip(path.conv[: layer + 1], [*weights, None], strict=True):
                x = conv(torch.cat(maps[1:], 1) if maps[1:] else maps[0])
                maps.append(x if weight is None else x * weight[..., None, None])
            total += strip.crop(maps[-1]).sum((0, 2, 3), dtype=torch.float64)
        weights.append(se.weight((total / gray[0, 0].numel()).float()[None]))
    return weights


# ---------------------------------------------------------------------------------------------------- decision


def decide_in_strips(network: GACN, first: Features, second: Features, boundary: Boundary | None = None) -> tuple[Tensor, Tensor]:
    """Compute the final map and the logit of `GACN.decide`, (H, W) each."""
    final, logit = (torch.empty_like(first.gray[0, 0]) for _ in range(2))
    for strip in strips(*final.shape, _decision_pixels(first), DECISION_HALO):
        (a, activity_a), (b, activity_b) = (features.rows(network, strip.with_halo) for features in (first, second))
        raw, _, smooth = network.decide(a, b, activity_a, activity_b, boundary=boundary)
        final[strip.rows], logit[strip.rows] = strip.crop(smooth)[0, 0], strip.crop(raw)[0, 0]
    return final, logit


def _decision_pixels(features: Features) -> int:
    if features.activity is None:
        return BAND_PIXELS
    return RANKED_ROWS * features.gray.shape[-1] if features.activity.dtype == torch.half else DECISION_PIXELS


class GacnComparer:
    """Compare images by GACN: arrays in, arrays out.

    See `mffrepro.fusion.multi_image.Comparer`.

    Args:
        network: Ready for inference.
        boundary: Reading of the boundary smoothing (A4.10); by default that of the network.
        whole: Keep the maps even of large images, as blending needs them; False saves the memory.
    """

    def __init__(self, network: GACN, *, boundary: Boundary | None = None, whole: bool = True) -> None:
        self.network, self.boundary, self.whole = network, boundary or network.boundary, whole

    def gray(self, image: np.ndarray) -> Tensor:
        """Convert an image (H, W[, 3]) in [0, 1] to a gray batch.

        It is a copy, since features are changed in place.
        """
        gray = np.array(to_gray(image) if image.ndim == 3 else image, np.float32)
        return torch.from_numpy(gray)[None, None].to(device_of(self.network))

    @torch.inference_mode()
    def extract(self, image: np.ndarray) -> Features:
        """Compute gray values and activity levels of one image.

        Of a large image only the attention weights are computed, unless `whole` is set.
        """
        gray = self.gray(image)
        if gray.numel() > LARGE and not self.whole:
            return Features(gray, None, attention_weights(self.network.features, gray))
        return Features(gray, activity_in_strips(self.network, gray))

    @torch.inference_mode()
    def decide(self, first: Features, second: Features) -> tuple[np.ndarray, np.ndarray]:
        """Compute the final map (H, W), and the logit of the map before smoothing.

        The map is 1 where the first image is taken.
        """
        final, logit = decide_in_strips(self.network, first, second, self.boundary)
        return final.clamp(0, 1).cpu().numpy(), logit.cpu().numpy()  # guided filtering leaves the range by up to 2e-4

    @torch.inference_mode()
    def blend(self, first: Features, second: Features, final: np.ndarray) -> Features:
        """Blend two sets of features by a decision map, in place of the first."""
        weight = torch.from_numpy(final).to(first.gray.device)
        for ours, theirs in zip(first[:2], second[:2], strict=True):
            ours.sub_(theirs).mul_(weight).add_(theirs)
        return first
