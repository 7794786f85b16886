"""Predict where one image is out of focus, by a VGG-19 moved into an encoder and decoder: the base of tlcnn and tlcolor.

Neither paper prints all of it, and tlcolor describes it more precisely. Comments name the equations, and the ambiguities by their
numbers: those of tlcnn begin with A0, those of tlcolor with A1.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.multi_image import UnitImages, combine, mix
from mffrepro.images import FocusStack
from mffrepro.models.decision_rule import Agreement, choose, secondary_maps
from mffrepro.models.layers import device_of, to_array, to_tensor
from mffrepro.models.vgg import CHANNELS, CONVOLUTIONS, Depth, channels, conv_keys, normalise
from mffrepro.models.weights import NetworkSource

Downsample = Literal["stride", "avg", "max"]
#: What decides pixels whose maps agree: a comparison of both probabilities, or the choice of one candidate for all of them.
Select = Literal["compare", "qabf", "first", "second"]
STEP = 32  # five halvings
SLIM = 1 / 16  # width of the weights that ship with the package


class Block(nn.Module):
    """Convolve, normalise, apply Mish: Eq. 1 of tlcolor, C_i = M(C_{i-1} * W_i + b_i)."""

    def __init__(self, conv: nn.Module, *, bn: bool, activation: Callable[[Tensor], Tensor] = F.mish) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels) if bn else nn.Identity()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Apply all three to (B, C, H, W)."""
        return self.activation(self.norm(self.conv(x)))


class Encoder(nn.Module):
    """Apply VGG's convolutions of one stage, then five new ones (A0.1, A0.2).

    The last one halves the sides.

    The transferred convolutions keep their own width. The new ones have `added` channels, save the last, which has the `outputs`
    channels that the next stage expects.
    """

    new = 5

    def __init__(
        self, inputs: int, vgg: int, added: int, outputs: int, count: int, *, bn: bool, downsample: Downsample, vgg_act: str
    ) -> None:
        super().__init__()
        activation = F.mish if vgg_act == "mish" else torch.relu  # A0.26
        sizes = [inputs] + [vgg] * count
        self.vgg = nn.ModuleList([Block(conv3(a, b), bn=bn, activation=activation) for a, b in pairwise(sizes)])
        sizes = [vgg] + [added] * (self.new - 1) + [outputs]
        strides = [1] * (self.new - 1) + [2 if downsample == "stride" else 1]
        self.added = nn.ModuleList([Block(conv3(a, b, s), bn=bn) for (a, b), s in zip(pairwise(sizes), strides, strict=True)])
        self.pool = {"stride": nn.Identity(), "avg": nn.AvgPool2d(2), "max": nn.MaxPool2d(2)}[downsample]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map before the sides are halved, for the skip, and the one after."""
        for block in (*self.vgg, *self.added[:-1]):
            x = block(x)
        return x, self.pool(self.added[-1](x))


class Decoder(nn.Module):
    """Double the sides, join the encoder's map of that size, and convolve.

    Eq. 1 of tlcnn: y_i = h(x_{j-1}) (+) M(C_{i-1} * W_i), the circle read as concatenation (A0.6).
    """

    def __init__(self, inputs: int, outputs: int, count: int, *, bn: bool, skip: Literal["concat", "add"]) -> None:
        super().__init__()
        self.up = Block(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1), bn=bn)
        self.join = skip
        sizes = [outputs * (2 if skip == "concat" else 1)] + [outputs] * count
        self.convs = nn.ModuleList([Block(conv3(a, b), bn=bn) for a, b in pairwise(sizes)])
        self.head = nn.Conv2d(outputs, 2, 3, padding=1)  # side output: in focus, out of focus

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Decode a map (B, C, h, w) with the encoder's map of twice its sides."""
        x = self.up(x)
        x = torch.cat([skip, x], 1) if self.join == "concat" else skip + x
        for block in self.convs:
            x = block(x)
        return x


class TransferNet(nn.Module):
    """Predict how much each pixel of one image is out of focus.

    Five encoders and five decoders.

    Args:
        width: Share of the full channels in the new layers: added encoder layers and decoders (A1.2).
        vgg_width: Share of the full channels in the transferred layers; only 1 can take ImageNet's weights. Where it differs from
            `width`, the last new layer of each encoder has the channels that the next transferred layer expects.
        dec_convs: Convolutions of each decoder after the transposed one; tlcnn's text says 8 in all (A0.5).
        bn: Batch normalisation.
        init: Initialisation of all layers that are not transferred: ``"xavier"``, or ``"normal"`` of standard deviation 0.05.
        downsample: How an encoder halves the sides (A0.1).
        skip: How a decoder takes in the encoder's map (A0.6).
        vgg_act: Activation after the transferred layers, ``"mish"`` as after all, or ``"relu"`` as they learned it (A0.26).
        depth: Whose convolutions the encoders begin with, VGG-19 as in the papers or VGG-16.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        vgg_width: float = 1.0,
        dec_convs: Sequence[int] = (8, 8, 8, 6, 6),
        bn: bool = True,
        init: Literal["xavier", "normal"] = "xavier",
        downsample: Downsample = "stride",
        skip: Literal["concat", "add"] = "concat",
        vgg_act: Literal["mish", "relu"] = "mish",
        depth: Depth = 19,
    ) -> None:
        super().__init__()
        if depth not in CONVOLUTIONS:
            raise OptionError(f"depth is {depth}; give 16 or 19, of VGG-16 or VGG-19")
        if len(dec_convs) != len(CHANNELS) or min(dec_convs) < 1:
            raise OptionError(f"dec_convs is {dec_convs}; give five counts of at least 1")
        self.options = {"width": width, "vgg_width": vgg_width, "dec_convs": list(dec_convs), "bn": bn, "init": init}
        self.options |= {"downsample": downsample, "skip": skip, "vgg_act": vgg_act}
        self.options |= {"depth": depth} if depth != 19 else {}  # older weights name no depth
        self.depth = depth
        vgg, own = channels(vgg_width), channels(width)
        kinds = {"bn": bn, "downsample": downsample, "vgg_act": vgg_act}
        handed_on = vgg if vgg_width != width else own  # transferred layers expect what VGG's own layers would hand them
        stages = zip([3, *handed_on], vgg, own, handed_on, CONVOLUTIONS[depth], strict=False)
        self.encoders = nn.ModuleList([Encoder(*sizes, **kinds) for sizes in stages])
        mirrored = [handed_on[-1], *reversed(own)]
        stages = zip(pairwise(mirrored), dec_convs, strict=True)
        self.decoders = nn.ModuleList([Decoder(a, b, count, bn=bn, skip=skip) for (a, b), count in stages])
        self.apply(_XAVIER if init == "xavier" else _NORMAL)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the logits of the five decoders, each (B, 2, H, W).

        The two are: in focus, out of focus. The last decoder is the prediction.

        Args:
            image: (B, 3, H, W) in [0, 1], sides multiples of 32.
        """
        sides = [decoder.head(x) for decoder, x in zip(self.decoders, self.decode(image), strict=True)]
        size = image.shape[-2:]
        return [F.interpolate(side, size, mode="bilinear", align_corners=False) for side in sides[:-1]] + sides[-1:]

    def decode(self, image: Tensor) -> list[Tensor]:
        """Compute the maps of the five decoders, whose sides double from one to the next."""
        x, skips, maps = normalise(image), [], []
        for encoder in self.encoders:
            before, x = encoder(x)
            skips.append(before)
        for decoder, skip in zip(self.decoders, reversed(skips), strict=True):
            x = decoder(x, skip)
            maps.append(x)
        return maps

    def defocus(self, image: Tensor) -> Tensor:
        """Compute the probability (B, H, W) that a pixel is out of focus.

        Eq. 3 of the last decoder, for images of any size (A0.16).
        """
        height, width = image.shape[-2:]
        padded = reflect(image, -height % STEP, -width % STEP)
        prediction = self.decoders[-1].head(self.decode(padded)[-1])
        return prediction.softmax(1)[:, 1, :height, :width]


def conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Build a 3x3 convolution with a border of zeros."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)


def _initialise(weights: Callable[[Tensor], Tensor]) -> Callable[[nn.Module], None]:
    def apply(layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            weights(layer.weight)
            nn.init.zeros_(layer.bias)

    return apply


_XAVIER = _initialise(nn.init.xavier_uniform_)
_NORMAL = _initialise(lambda weight: nn.init.normal_(weight, std=0.05))


def reflect(image: Tensor, down: int, right: int) -> Tensor:
    """Mirror rows below and columns to the right, repeatedly if necessary."""
    for axis, missing in ((-2, down), (-1, right)):
        length = image.shape[axis]
        period = max(1, 2 * (length - 1))
        index = torch.arange(length + missing, device=image.device) % period
        image = image.index_select(axis, torch.where(index < length, index, period - index))
    return image


# ------------------------------------------------------------------------------------------------- transfer


def transfer(network: TransferNet, source: dict[str, Tensor]) -> None:
    """Copy the convolutions of a VGG in torchvision's names into the encoders.

    Raises:
        OptionError: The depths or widths differ.
    """
    found = [key for key in source if key.startswith("features.") and key.endswith(".weight")]
    if len(found) != sum(CONVOLUTIONS[network.depth]):
        raise OptionError(f"the source is no VGG-{network.depth}; give the network the depth of its source")
    for encoder, keys in zip(network.encoders, conv_keys(network.depth), strict=True):
        for block, key in zip(encoder.vgg, keys, strict=True):
            weight, inputs = source[f"{key}.weight"], block.conv.in_channels
            if weight.shape != block.conv.weight.shape:
                raise OptionError(
                    f"{key} has {tuple(weight.shape)} weights and the network {tuple(block.conv.weight.shape)}: "
                    f"transfer from a VGG-19 whose width is that of vgg_width, into a network as wide ({inputs} inputs)"
                )
            with torch.no_grad():
                block.conv.weight.copy_(weight)
                block.conv.bias.copy_(source[f"{key}.bias"])


def freeze_vgg(network: TransferNet) -> None:
    """Freeze the transferred convolutions (A0.14)."""
    for encoder in network.encoders:
        for block in encoder.vgg:
            block.conv.requires_grad_(False)


def count_parameters(network: TransferNet) -> dict[str, int]:
    """Count the parameters of the convolutions by their part of the network.

    Transferred, added, of the decoders, of the side outputs.
    """
    parts = {
        "transferred": [b for e in network.encoders for b in e.vgg],
        "added": [b for e in network.encoders for b in e.added],
        "decoders": [b for d in network.decoders for b in (d.up, *d.convs)],
        "side outputs": [d.head for d in network.decoders],
    }
    return {
        name: sum(p.numel() for block in blocks for p in getattr(block, "conv", block).parameters())
        for name, blocks in parts.items()
    }


# ----------------------------------------------------------------------------------------------- inference


class DefocusComparer:
    """Compare images by their maps of what is out of focus.

    See `mffrepro.fusion.multi_image.Comparer`.

    The features of an image are the image and its probability map. The arguments are those of `fuse`.
    """

    def __init__(
        self,
        network: TransferNet,
        *,
        m3: Agreement = "xor",
        select: Select = "compare",
        smoothing: float = 2.0,
        size: int | None = None,
    ) -> None:
        if select not in get_args(Select):
            raise unknown("select", select, get_args(Select))
        if not 0 <= smoothing < np.inf:
            raise OptionError(f"smoothing is {smoothing}; use 0 or more pixels")
        self.network, self.m3, self.select, self.smoothing, self.size = network, m3, select, smoothing, size

    @torch.inference_mode()
    def defocus(self, image: np.ndarray) -> np.ndarray:
        """Compute the probability (H, W) that a pixel is out of focus.

        The image is (H, W[, 3]), float in [0, 1].
        """
        batch = to_tensor(image, device_of(self.network)).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        if self.size is None:
            return self.network.defocus(batch)[0].float().cpu().numpy()
        shrunk = F.interpolate(batch, (self.size, self.size), mode="bilinear", antialias=True)
        found = self.network.defocus(shrunk)[:, None]
        return to_array(F.interpolate(found, image.shape[:2], mode="bilinear"))

    def extract(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the image and its probability map."""
        return image, self.defocus(image)

    def decide(self, first: tuple, second: tuple) -> tuple[np.ndarray, np.ndarray]:
        """Compute the binary map (H, W) of the first image, and how much clearer it is."""
        (s1, p1), (s2, p2) = first, second
        if self.select == "compare":
            clearer = _smoothed(p2 - p1, self.smoothing)
            return (clearer >= 0).astype(np.float32), clearer
        share = choose(s1, s2, secondary_maps(p1 > 0.5, p2 > 0.5, self.m3), self.select).share
        return share, _logit(p2) - _logit(p1)

    def blend(self, first: tuple, second: tuple, final: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Blend images and probability maps by a decision map."""
        return tuple(mix(a, b, final) for a, b in zip(first, second, strict=True))


def _smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(values, (0, 0), sigma) if sigma else values


def _logit(p: np.ndarray) -> np.ndarray:
    tiny = np.finfo(np.float32).tiny
    return np.log(np.maximum(p, tiny)) - np.log(np.maximum(1 - p, tiny))


#: The network of both papers; shipped and random weights have a sixteenth of the channels.
SOURCE = NetworkSource(TransferNet, random={"width": SLIM, "vgg_width": SLIM})


def fuse(
    stack: FocusStack,
    network: TransferNet,
    *,
    strategy: str = "carry",
    m3: Agreement = "xor",
    select: Select = "compare",
    smoothing: float = 2.0,
    size: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse a stack by comparing maps of what is out of focus, as tlcnn and tlcolor do.

    Args:
        stack: N >= 2 images, gray or colour, any size.
        network: The network of either paper.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`; the papers fuse two.
        m3: Reading of the step that compares the maps: ``"xor"``, or ``"literal"`` as the formula is printed (A0.7, A1.12).
        select: What decides pixels where both maps or neither say "out of focus". ``"compare"`` takes each pixel from the source
            that is less likely out of focus. ``"qabf"``, the rule of the papers, leaves them to the candidate with the higher
            Q_ABF (A0.23), which takes a whole source there; ``"first"`` and ``"second"`` always return that candidate.
        smoothing: Standard deviation, in pixels, by which ``"compare"`` smooths the difference of the two probabilities.
        size: Side to which images are resized for the network, 224 in training; None keeps their size (A0.16, A1.16).

    Returns:
        Fused image and binary decision map.

    Raises:
        OptionError: There is no such reading, or `smoothing` is below 0.
    Deviations:
        The default compares the maps: with these slim weights the papers' rule gives up too much of the image to one source.

    References:
        [tlcnn], [tlcolor].
    Chapter: 03_tlcnn, 04_tlcolor
    """
    comparer = DefocusComparer(network, m3=m3, select=select, smoothing=smoothing, size=size)
    return combine(UnitImages(stack.images), comparer, strategy)
