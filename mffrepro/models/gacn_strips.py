"""GACN on images of any size: the same numbers as its `forward`, a strip of rows at a time.

Only the two looks that are compared are kept whole, 64 maps each; all that lies between lives in a strip. Nothing in the network
looks further than a few rows, but for the means of channel attention: each layer passes over the whole image before
the next one begins.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.strips import keep_freed_memory, strips

#: Pixels of a strip: small where maps should stay in the processor's cache, large where neighbours are computed twice.
FEATURE_PIXELS, DECISION_PIXELS = 2**14, 2**18
#: Rows of a strip where two whole stacks are compared, which is done once: memory counts there, and time does not.
RANKED_ROWS = 80
#: Rows that a pixel's decision depends on: four 3x3 and five 7x7 convolutions, and guided filtering, which looks twice.
DECISION_HALO = 4 * 1 + 5 * 3 + 2 * 3


class Look(NamedTuple):
    """All that a comparison needs to know of an image."""

    gray: Tensor  # (1, 1, H, W)
    sharpness: Tensor  # (1, 64, H, W); float16 in a ranking of images


def sharpness_in_strips(network: nn.Module, gray: Tensor) -> Tensor:
    """`GACN.sharpness` of one image (1, 1, H, W)."""
    maps = features_in_strips(network.features, gray)
    return _activity(network, maps)


def features_in_strips(path: nn.Module, gray: Tensor) -> Tensor:
    """`FeaturePath.forward`: the maps of all layers fill one tensor, which is the concatenation that the next layer reads."""
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
            new.mul_(se.weight((total / (height * width)).float()[None])[..., None, None])
    return maps


def _activity(network: nn.Module, maps: Tensor) -> Tensor:
    """`GACN.spatial_frequency` in place of the maps, each strip once the next has been computed, which needs its last rows."""
    done = []
    for strip in strips(*maps.shape[-2:], FEATURE_PIXELS, halo=network.radius + 1):
        done.append((strip.rows, strip.inner(network.spatial_frequency(maps[..., strip.with_halo, :]))))
        if len(done) > 1:
            rows, sharpness = done.pop(0)
            maps[..., rows, :] = sharpness
    (rows, sharpness) = done.pop()
    maps[..., rows, :] = sharpness
    return maps


def decide_in_strips(network: nn.Module, first: Look, second: Look) -> tuple[Tensor, Tensor]:
    """Final map and logit, (H, W) each, of `GACN.decide`."""
    final, logit = (torch.empty_like(first.gray[0, 0]) for _ in range(2))
    ranked = first.sharpness.dtype == torch.half
    for strip in strips(*final.shape, RANKED_ROWS * final.shape[1] if ranked else DECISION_PIXELS, DECISION_HALO):
        grays, activities = ([getattr(look, part)[..., strip.with_halo, :] for look in (first, second)] for part in Look._fields)
        maps = network.decide(*grays, *(activity.float() for activity in activities))
        final[strip.rows], logit[strip.rows] = strip.inner(maps.final)[0, 0], strip.inner(maps.logit)[0, 0]
    return final, logit


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
