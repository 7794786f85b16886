"""GACN on images of any size: the same numbers as its `forward`, a strip of rows at a time.

Only the two looks that are compared are kept whole, 64 maps each; all that lies between lives in a strip. Nothing in the network
looks further than a few rows, but for the means of channel attention: each layer passes over the whole image before
the next one begins.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mffrepro.strips import strips

#: Pixels of a strip: small where maps should stay in the processor's cache, large where neighbours are computed twice.
FEATURE_PIXELS, DECISION_PIXELS = 2**15, 2**18
#: Rows that a pixel's decision depends on: four 3x3 and five 7x7 convolutions, and guided filtering, which looks twice.
DECISION_HALO = 4 * 1 + 5 * 3 + 2 * 3


class Look(NamedTuple):
    """All that a comparison needs to know of an image."""

    gray: Tensor  # (1, 1, H, W)
    sharpness: Tensor  # (1, 64, H, W)


def sharpness_in_strips(network: nn.Module, gray: Tensor) -> Tensor:
    """`GACN.sharpness` of one image (1, 1, H, W)."""
    maps = features_in_strips(network.features, gray)
    return _activity(network, maps)


def features_in_strips(path: nn.Module, gray: Tensor) -> Tensor:
    """`FeaturePath.forward`: the maps of all layers fill one tensor, which is the concatenation that the next layer reads."""
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
        new.mul_(se.weight((total / (height * width)).float()[None])[..., None, None])
    return maps


def _activity(network: nn.Module, maps: Tensor) -> Tensor:
    """`GACN.spatial_frequency` in place of the maps; the rows that the next strip still needs are set aside."""
    halo = network.radius + 1
    above = maps[..., :0, :]
    for strip in strips(*maps.shape[-2:], FEATURE_PIXELS, halo):
        block = torch.cat([above, maps[..., strip.rows.start : strip.with_halo.stop, :]], 2)
        end = strip.rows.stop - strip.rows.start + above.shape[2]
        above = block[..., max(0, end - halo) : end, :]
        maps[..., strip.rows, :] = strip.inner(network.spatial_frequency(block))
    return maps


def decide_in_strips(network: nn.Module, first: Look, second: Look) -> tuple[Tensor, Tensor]:
    """Final map and logit, (H, W) each, of `GACN.decide`."""
    final, logit = (torch.empty_like(first.gray[0, 0]) for _ in range(2))
    for strip in strips(*final.shape, DECISION_PIXELS, DECISION_HALO):
        grays, activities = ([getattr(look, part)[..., strip.with_halo, :] for look in (first, second)] for part in Look._fields)
        maps = network.decide(*grays, *activities)
        final[strip.rows], logit[strip.rows] = strip.inner(maps.final)[0, 0], strip.inner(maps.logit)[0, 0]
    return final, logit


def conv_to_one(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A convolution with one output map. On a CPU, from many maps and without gradients, by its definition the other way about:
    first the sum over the maps for each of the k^2 places of the kernel, one product of matrices; then the sum of those k^2
    maps, shifted. For 7x7 and 64 maps of 520x520 this takes less than half the time, for 16 maps it gains nothing."""
    batch, channels, height, width = x.shape
    if torch.is_grad_enabled() or x.device.type != "cpu" or batch > 1 or channels < 32:
        return conv(x)
    kernel, margin = conv.kernel_size[0], conv.padding[0]
    pixels = x[0].permute(1, 2, 0).reshape(height * width, channels)
    places = (conv.weight[0].reshape(channels, -1).T @ pixels.T).view(-1, height, width)
    total = x.new_zeros(1, 1, height, width)
    for place, values in enumerate(places):
        down, right = place // kernel - margin, place % kernel - margin
        here = _overlap(height, down), _overlap(width, right)
        there = _overlap(height, -down), _overlap(width, -right)
        total[0, 0][there] += values[here]
    return total


def _overlap(size: int, shift: int) -> slice:
    """The indices i for which i - shift is an index too."""
    return slice(max(0, shift), max(0, size + min(0, shift)))
