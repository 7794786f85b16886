r"""DenseFuse: an autoencoder with dense connections; its codes are averaged, or weighted by their activity.

The network only learns to give one image back. For fusion, every source goes through the encoder, the 64 maps are joined by a
rule that was never trained, and the decoder paints the fused image. Made for infrared and visible images.

What we changed: nothing in the layout. The published network adds the codes whatever strategy is asked for, and the l1
strategy of its code divides infinities on 0..255 input; here ``fusion="l1"`` is that of the paper, Eq. 5 to 8.

References: [li2019densefuse]. Chapter: 08_networks.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from mffrepro.errors import unknown
from mffrepro.fusion.boxes import box_mean
from mffrepro.images import FocusStack, to_unit
from mffrepro.models.layers import Grow, conv, device_of, to_array, to_tensor, truncated
from mffrepro.models.weights import NetworkSource, read_published
from mffrepro.tiling import map_network

Rule = Literal["addition", "l1"]

block = partial(conv, border="reflect", activation=nn.ReLU())


class DenseFuse(nn.Module):
    """Encode and decode images; 74 193 parameters for gray, 74 771 for colour.

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
        """Encode a batch (B, C, H, W) in [0, 1] to 64 maps."""
        return self.dense(self.conv1(255 * image))  # the published weights know 0..255

    def decode(self, code: Tensor) -> Tensor:
        """Decode 64 maps to a batch in [0, 1]."""
        return self.decoder(code) / 255

    def forward(self, *images: Tensor, rule: Rule = "addition") -> Tensor:
        """Fuse batches (B, C, H, W) in [0, 1]; the result is at least 0."""
        return self.decode(join([self.encode(image) for image in images], rule))


def join(codes: Sequence[Tensor], rule: Rule) -> Tensor:
    """Join several codes by their mean, or weighted by activity (Eq. 5 to 8).

    The activity is the l1 norm of the channels, averaged over 3x3 pixels.
    """
    if rule == "addition":
        return sum(codes) / len(codes)
    activities = [box_mean(code.abs().sum(1, keepdim=True), 1) for code in codes]
    total = sum(activities).clamp(min=torch.finfo(codes[0].dtype).tiny)
    return sum(code * (activity / total) for code, activity in zip(codes, activities, strict=True))


def from_published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' ``densefuse_*.model`` to ours."""
    renamed = {}
    for key, tensor in state.items():
        layer, kind = key.split(".conv2d.")
        if layer.startswith("DB1"):
            ours = f"dense.{layer.split('.')[2]}"
        else:
            ours = "conv1" if layer == "conv1" else f"decoder.{int(layer[-1]) - 2}"
        renamed[f"{ours}.conv.{kind}"] = tensor
    return renamed


def published(name: str) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Load the authors' tensors under our names.

    ``published`` is for gray, ``published.rgb`` for colour.
    """
    return from_published(read_published(name)), {"channels": 3 if name.endswith(".rgb") else 1}


SOURCE = NetworkSource(DenseFuse, published=published)


def fuse(
    stack: FocusStack, network: DenseFuse, *, fusion: Rule = "addition", as_published: bool = False
) -> tuple[np.ndarray, None]:
    """Fuse any number of images at once in the code of an autoencoder.

    Args:
        stack: N >= 2 images, sides at least 2 pixels, gray or colour.
        network: DenseFuse. The network for gray fuses each channel of a colour image separately, that for colour
            (``weights="published.rgb"``) all three together; gray images are then fused as colour with three equal channels.
        fusion: ``"addition"`` takes the mean of the codes, as the published code always does; ``"l1"`` weights them by activity.
        as_published: Cut off to 8 bits instead of rounding, as the authors do, and add the codes.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    Raises:
        OptionError: There is no such rule.

    References:
        [li2019densefuse].
    Chapter: 08_networks
    """
    if fusion not in ("addition", "l1"):
        raise unknown("fusion of densefuse", fusion, ("addition", "l1"))
    images = [to_tensor(to_unit(image), device_of(network)) for image in stack.images]
    if network.channels == 3:
        images = [image.expand(-1, 3, -1, -1) for image in images]
    else:
        images = [image.transpose(0, 1) for image in images]  # every channel becomes an image
    fused = map_network(partial(network, rule="addition" if as_published else fusion), images, DenseFuse.reach)
    image = to_array(fused if network.channels == 3 else fused.transpose(0, 1))
    if not stack.is_colour and image.ndim == 3:
        image = image.mean(-1)
    return truncated(image) if as_published else image, None
