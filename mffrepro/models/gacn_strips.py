"""GACN on images of any size: the same numbers as its `forward`, a strip of rows at a time.

Only the looks that are compared are kept whole, 64 maps each; all that lies between lives in a strip. Nothing in the network
looks further than a few rows, but for the means of channel attention: each layer passes over the whole image before
the next one begins. Of images too large even for that, a look keeps no maps: the weights of channel attention are gathered first,
and with them the maps of any rows can be had without the rest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.tiling import Strip, keep_freed_memory, strips

#: Pixels of a strip: small where maps should stay in the processor's cache, large where neighbours are computed twice.
FEATURE_PIXELS, DECISION_PIXELS = 2**14, 2**18
#: Rows of a strip where two whole stacks are compared, which is done once: memory counts there, and time does not.
RANKED_ROWS = 80
#: Images of more pixels are looked at in bands of about so many: 256 bytes each for the 64 maps of a pixel.
LARGE, BAND_PIXELS = 2**23, 2**20
#: Rows of a strip of activities, however wide the image: with fewer the halo would double the work.
ACTIVITY_ROWS = 32
#: Rows that a pixel's activity depends on: four 3x3 convolutions, windows of 11x11 and the difference to a neighbour.
ACTIVITY_HALO = 4 * 1 + 5 + 1
#: Rows that a pixel's decision depends on: four 3x3 and five 7x7 convolutions, and guided filtering, which looks twice.
DECISION_HALO = 4 * 1 + 5 * 3 + 2 * 3


#: Of a layer's channels, (1, C); None without attention.
Weights = Sequence[Tensor | None]


class Look(NamedTuple):
    """All that a comparison needs to know of an image."""

    gray: Tensor  # (1, 1, H, W)
    sharpness: Tensor | None  # (1, 64, H, W), float16 in a ranking of images; None: too large to keep
    weights: Weights | None = None  # of channel attention, for looks that keep no maps

    def rows(self, network: nn.Module, rows: slice) -> tuple[Tensor, Tensor]:
        """Gray values and activities of some rows."""
        gray = self.gray[..., rows, :]
        if self.sharpness is not None:
            return gray, self.sharpness[..., rows, :].float()
        strip = Strip(rows, slice(max(0, rows.start - ACTIVITY_HALO), rows.stop + ACTIVITY_HALO))
        return gray, strip.inner(sharpness_in_strips(network, self.gray[..., strip.with_halo, :], self.weights))


def sharpness_in_strips(network: nn.Module, gray: Tensor, weights: Weights | None = None) -> Tensor:
    """`GACN.sharpness` of one image (1, 1, H, W), or of a part of one whose weights are known."""
    maps = features_in_strips(network.features, gray, weights)
    return _activity(network, maps)


def attention_weights(path: nn.Module, gray: Tensor) -> Weights:
    """The weights of channel attention of one image, without keeping its maps: every layer's mean needs all layers before."""
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
            total += strip.inner(maps[-1]).sum((0, 2, 3), dtype=torch.float64)
        weights.append(se.weight((total / gray[0, 0].numel()).float()[None]))
    return weights


def features_in_strips(path: nn.Module, gray: Tensor, weights: Weights | None = None) -> Tensor:
    """`FeaturePath.forward`: the maps of all layers fill one tensor, which is the concatenation that the next layer reads. With
    the weights of channel attention given, the image may be a part of the one that they belong to."""
    keep_freed_memory()
    height, width = gray.shape[-2:]
    width_of_layer = path.conv[0].conv.out_channels
    maps = torch.empty((1, len(path.conv) * width_of_layer, height, width), device=gray.device, memory_format=torch.channels_last)
    for i, (conv, se) in enumerate(zip(path.conv, path.se, strict=True)):
        known = maps[:, : i * width_of_layer] if i else gray
        new = maps[:, i * width_of_layer : (i + 1) * width_of_layer]
        total = torch.zeros(width_of_layer, dtype=torch.float64, device=gray.device)
        for strip in strips(height, width, FEATURE_PIXELS, halo=1):
            rows = strip.inner(conv(known[..., strip.with_halo, :].contiguous(memory_format=torch.channels_last)))
            new[..., strip.rows, :] = rows
            total += rows.sum((0, 2, 3))
        if not isinstance(se, nn.Identity):
            weight = weights[i] if weights else se.weight((total / (height * width)).float()[None])
            new.mul_(weight[..., None, None])
    return maps


def _activity(network: nn.Module, maps: Tensor) -> Tensor:
    """`GACN.spatial_frequency` in place of the maps, each strip once the next has been computed, which needs its last rows."""
    done = []
    height, width = maps.shape[-2:]
    for strip in strips(height, width, max(FEATURE_PIXELS, ACTIVITY_ROWS * width), halo=network.radius + 1):
        done.append((strip.rows, _activity_of(network, maps, strip)))
        if len(done) > 1:
            rows, sharpness = done.pop(0)
            maps[..., rows, :] = sharpness
    (rows, sharpness) = done.pop()
    maps[..., rows, :] = sharpness
    return maps


def _activity_of(network: nn.Module, maps: Tensor, strip: Strip) -> Tensor:
    """Of a strip, in blocks of columns: of a wide image not even one strip of all maps would stay in the cache."""
    rows, width = strip.rows.stop - strip.rows.start, maps.shape[-1]
    sharpness = torch.empty((1, maps.shape[1], rows, width), device=maps.device, memory_format=torch.channels_last)
    for block in strips(width, rows, FEATURE_PIXELS, halo=network.radius + 1):
        part = strip.inner(network.spatial_frequency(maps[..., strip.with_halo, block.with_halo]))
        sharpness[..., block.rows] = block.inner(part.mT).mT
    return sharpness


def decide_in_strips(network: nn.Module, first: Look, second: Look) -> tuple[Tensor, Tensor]:
    """Final map and logit, (H, W) each, of `GACN.decide`."""
    final, logit = (torch.empty_like(first.gray[0, 0]) for _ in range(2))
    for strip in strips(*final.shape, _decision_pixels(first), DECISION_HALO):
        (a, sharpness_a), (b, sharpness_b) = (look.rows(network, strip.with_halo) for look in (first, second))
        maps = network.decide(a, b, sharpness_a, sharpness_b)
        final[strip.rows], logit[strip.rows] = strip.inner(maps.final)[0, 0], strip.inner(maps.logit)[0, 0]
    return final, logit


def _decision_pixels(look: Look) -> int:
    if look.sharpness is None:
        return BAND_PIXELS
    return RANKED_ROWS * look.gray.shape[-1] if look.sharpness.dtype == torch.half else DECISION_PIXELS


def conv_to_one(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A convolution with one output map, (B, C, H, W) -> (B, 1, H, W), a row of the kernel at a time: k convolutions of 1 x k
    to k maps, in one call, and their sum, each shifted by its row. Libraries compute output maps in blocks of 8 or 16, of which
    one map wastes most: for 7x7 and 64 maps of 520x520 this takes 9 ms instead of 50."""
    margin = conv.padding[0]
    rows = F.conv2d(x, conv.weight.transpose(0, 2).contiguous(memory_format=torch.channels_last), padding=(0, margin))
    height = x.shape[-2]
    total = rows[:, margin].clone()
    for shift in range(1, min(margin, height - 1) + 1):
        total[:, :-shift] += rows[:, margin + shift, shift:]
        total[:, shift:] += rows[:, margin - shift, :-shift]
    return total[:, None]
