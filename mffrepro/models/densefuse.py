r"""DenseFuse: an autoencoder with dense connections; its codes are averaged, or weighted by their activity.

The network only learns to give one image back. For fusion, every source goes through the encoder, the 64 maps are joined by a
rule that was never trained, and the decoder paints the fused image. Made for infrared and visible images.

What we changed: nothing in the layout. The published network adds the codes whatever strategy is asked for, and the l1
strategy of its code divides infinities on 0..255 input; here ``fusion="l1"`` is that of the paper, Eq. 5 to 8.

References: [li2019densefuse]. Chapter: 08_networks.
"""

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Literal

import torch
from torch import Tensor, nn

from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.boxes import box_mean
from mffrepro.images import FocusStack, FusionResult, as_stack, to_unit
from mffrepro.models._parts import Grow, conv, device_of, in_strips, to_array, to_tensor, truncated
from mffrepro.models.weights import prepare, read_published

Rule = Literal["addition", "l1"]

block = partial(conv, border="reflect", activation=nn.ReLU())


class DenseFuse(nn.Module):
    """74 193 parameters for gray, 74 771 for colour.

    Args:
        channels: 1 or 3, of the images it takes and gives.
    """

    reach = 4 + 1 + 4  # rows: four 3x3 convolutions, the 3x3 mean of the l1 strategy, four more convolutions

    def __init__(self, *, channels: int = 1) -> None:
        super().__init__()
        self.channels, self.options = channels, {"channels": channels}
        self.conv1 = block(channels, 16)
        self.dense = Grow([block(16 * i, 16) for i in (1, 2, 3)])
        self.decoder = nn.Sequential(block(64, 64), block(64, 32), block(32, 16), block(16, channels))  # ReLU at the end too

    def encode(self, image: Tensor) -> Tensor:
        return self.dense(self.conv1(255 * image))  # the published weights know 0..255

    def decode(self, code: Tensor) -> Tensor:
        return self.decoder(code) / 255

    def forward(self, *images: Tensor, rule: Rule = "addition") -> Tensor:
        """(B, C, H, W) in [0, 1] each -> the same, at least 0."""
        return self.decode(join([self.encode(image) for image in images], rule))


def join(codes: Sequence[Tensor], rule: Rule) -> Tensor:
    """One code of several: their mean, or each weighted by the l1 norm of its channels over 3x3 pixels (Eq. 5 to 8)."""
    if rule == "addition":
        return sum(codes) / len(codes)
    activities = [box_mean(code.abs().sum(1, keepdim=True), 1) for code in codes]
    total = sum(activities).clamp(min=torch.finfo(codes[0].dtype).tiny)
    return sum(code * (activity / total) for code, activity in zip(codes, activities, strict=True))


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``densefuse_*.model`` to those of `DenseFuse`."""
    renamed = {}
    for key, tensor in state.items():
        layer, kind = key.split(".conv2d.")
        if layer.startswith("DB1"):
            ours = f"dense.{layer.split('.')[2]}"
        else:
            ours = "conv1" if layer == "conv1" else f"decoder.{int(layer[-1]) - 2}"
        renamed[f"{ours}.conv.{kind}"] = tensor
    return renamed


@lru_cache(maxsize=4)
def load(weights: str = "default", *, channels: Literal["gray", "rgb"] = "gray", device: str = "auto") -> DenseFuse:
    """DenseFuse ready for inference; arguments as for `fuse`."""
    count = {"gray": 1, "rgb": 3}[channels]
    kind = partial(DenseFuse, channels=count) if weights == "random" else DenseFuse

    def published() -> tuple[dict[str, Tensor], dict[str, int]]:
        return from_published(read_published(f"densefuse.published.{channels}")), {"channels": count}

    network = prepare(kind, "densefuse", weights, device, published)
    if network.channels != count:
        raise OptionError(f"these weights are not for channels={channels!r}; weights='published' has both kinds")
    return network


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    fusion: Rule = "addition",
    channels: Literal["gray", "rgb"] = "gray",
    as_published: bool = False,
) -> FusionResult:
    """Fuse any number of images at once in the code of an autoencoder.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour.
        weights: ``"default"`` (this project's), ``"published"`` (the authors'), ``"random"``, or a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        fusion: ``"addition"`` takes the mean of the codes, as the published code always does; ``"l1"`` weights them by activity.
        channels: ``"gray"`` fuses each channel of a colour image on its own, ``"rgb"`` all three together by the network
            for colour (published weights only); gray images are then fused as colour with three equal channels.
        as_published: Cut off to 8 bits instead of rounding, as the authors do, and add the codes.
    Returns:
        The fused image; no decision map, since every pixel is painted anew.
    Raises:
        ImageError: A side is under 2 pixels.
        OptionError: No such rule, or no such weights for these channels.
        DataError: Weights that cannot be had.
    References:
        [li2019densefuse].
    Chapter: 08_networks
    """
    for name, value, known in (("fusion", fusion, ("addition", "l1")), ("channels", channels, ("gray", "rgb"))):
        if value not in known:
            raise unknown(f"{name} of densefuse", value, known)
    as_stack(stack, min_side=2)
    network = load(weights, channels=channels, device=device)
    started = time.perf_counter()
    images = [to_tensor(to_unit(image), device_of(network)) for image in stack.images]
    if network.channels == 3:
        images = [image.expand(-1, 3, -1, -1) for image in images]
    else:
        images = [image.transpose(0, 1) for image in images]  # every channel an image of its own
    fused = in_strips(partial(network, rule="addition" if as_published else fusion), images, DenseFuse.reach)
    image = to_array(fused if network.channels == 3 else fused.transpose(0, 1))
    if not stack.is_colour and image.ndim == 3:
        image = image.mean(-1)
    return FusionResult.finish(stack, truncated(image) if as_published else image, None, started, "densefuse")
