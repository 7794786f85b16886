r"""Regress the sub-bands of the fused image from those of the sources: the mapping that the wavelet/CNN paper announces.

Its abstract echoes Li, Yuan and Fan (2019): a wavelet splits the sources and the wanted image into a low band and details, and
two networks learn the direct mapping from the bands of the sources to those of the fused image (A3.2). The inverse transform of
their results is the fused image. There is no focus map and no decision: this is regression, where ``cnnwt`` classifies.

The transform is one level of Haar's orthonormal wavelet. For a block of 2x2 pixels :math:`p, q, r, s`, row by row,

.. math:: L = \tfrac12(p+q+r+s), \quad H = \tfrac12(p+q-r-s), \quad V = \tfrac12(p-q+r-s), \quad D = \tfrac12(p-q-r+s).

Its matrix is symmetric and orthogonal, so the transform is its own inverse. Each network adds a correction to the fixed rule of
wavelet fusion, the mean of the low bands :math:`L` and the larger of the details:

.. math:: \hat F = R(A, B) + \mathrm{CNN}([A, B]).

What we changed: of the article only the abstract and the beginning could be read, which fix no layer, no loss and no wavelet.
Everything else is our reading (A3.13 to A3.18).

References: [li2019wavelet], [cnnwt]. Chapter: 06_cnnwt.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import unknown
from mffrepro.images import FocusStack, to_unit
from mffrepro.models.layers import conv, fuse_in_turn
from mffrepro.models.luma import through_luma
from mffrepro.models.weights import NetworkSource

Domain = Literal["wavelet", "blocks", "image"]
Details = Literal["larger", "mean"]
Bands = dict[str, Tensor]

#: Convolutions of a network.
DEPTH = 6
#: Factor on the details that their network sees, most of which are under an eighth; the steps of Adam do not depend on scale.
HIGH_GAIN = 8.0
#: Maps of a network in each domain: the controls have as many parameters as both wavelet networks together.
MAPS = {"wavelet": 64, "blocks": 90, "image": 91}


# ------------------------------------------------------------------------------------------------ transform


def haar(x: Tensor) -> Tensor:
    """Transform blocks of 2x2 pixels by Haar's wavelet, or back again.

    Args:
        x: (B, 4, h, w): upper left, upper right, lower left and lower right pixels; or the bands L, H, V, D, which PyWavelets
            calls approximation, horizontal, vertical and diagonal detail.

    Returns:
        The other of the two, (B, 4, h, w).
    """
    p, q, r, s = x.unbind(1)
    return torch.stack([p + q + r + s, p + q - r - s, p - q + r - s, p - q - r + s], 1) / 2


def split(image: Tensor) -> Bands:
    """Split images (B, 1, H, W) with even sides into bands of half the size.

    ``low`` (B, 1, H/2, W/2) is halved, so that it stays in the range of the image; ``high`` (B, 3, H/2, W/2) is not.
    """
    bands = haar(F.pixel_unshuffle(image, 2))
    return {"low": bands[:, :1] / 2, "high": bands[:, 1:]}


def join(bands: Bands) -> Tensor:
    """Invert `split`."""
    return F.pixel_shuffle(haar(torch.cat([2 * bands["low"], bands["high"]], 1)), 2)


# ------------------------------------------------------------------------------------------------- networks


def mean(a: Tensor, b: Tensor) -> Tensor:
    """Compute the mean of two bands: the fixed rule of the low band."""
    return (a + b) / 2


def larger(a: Tensor, b: Tensor) -> Tensor:
    """Take the coefficient of larger magnitude: the fixed rule of the details."""
    return torch.where(a.abs() >= b.abs(), a, b)


#: Fixed rules for the details by name.
DETAILS = {"larger": larger, "mean": mean}


class Mapping(nn.Module):
    """Map the bands of two sources to that of the fused image.

    Args:
        channels: Channels of a band.
        maps: Maps of the hidden layers.
        rule: Fixed rule that the network corrects.
        gain: Factor on the bands that the network sees. Its correction is divided by it.
    """

    def __init__(self, channels: int, maps: int, rule: Callable[[Tensor, Tensor], Tensor] = mean, gain: float = 1.0) -> None:
        super().__init__()
        widths = [2 * channels] + [maps] * (DEPTH - 1)
        hidden = [conv(i, o, border="reflect", activation=nn.ReLU()) for i, o in pairwise(widths)]
        self.body = nn.Sequential(*hidden, nn.Conv2d(maps, channels, 3, padding=1, padding_mode="reflect"))
        self.rule, self.gain = rule, gain
        for layer in hidden:  # the default would shrink the signal from layer to layer
            nn.init.kaiming_normal_(layer.conv.weight, nonlinearity="relu")
            nn.init.zeros_(layer.conv.bias)
        nn.init.zeros_(self.body[-1].weight)  # training begins with the fixed rule
        nn.init.zeros_(self.body[-1].bias)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two bands (B, C, h, w) in this order."""
        return self.rule(a, b) + self.body(self.gain * torch.cat([a, b], 1)) / self.gain

    def in_both_orders(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two bands by the mean over both orders.

        The correction is limited to the largest difference of the sources within one coefficient, so that equal sources come
        back unchanged (A3.15).
        """
        rule = mean(self.rule(a, b), self.rule(b, a))
        correction = mean(self(a, b), self(b, a)) - rule
        limit = F.max_pool2d((a - b).abs().amax(1, keepdim=True), 3, stride=1, padding=1)
        return rule + correction.clamp(-limit, limit)


class Subbands(nn.Module):
    """Hold the mappings of all bands, and the transform around them.

    Args:
        domain: ``"wavelet"``: one network of 149 505 parameters for the low band, and one of 152 963 for the details. Controls of
            the same size tell what the wavelet is worth (A3.17): ``"image"``, a plain network on pixels; and ``"blocks"``, a
            network on the four pixels of each block, which sees as far and costs as much as the wavelet networks.
        details: What the network for the details corrects: the ``"larger"`` coefficient, which is right at most places; or the
            ``"mean"``, which is wrong wherever the sources differ (A3.15).
        width: Factor on the maps; 1 is the reading.

    Attributes:
        squared: Whether the training minimises squared errors for now, which its recipe decides.
    """

    squared = False

    def __init__(self, *, domain: Domain = "wavelet", details: Details = "larger", width: float = 1.0) -> None:
        super().__init__()
        for option, value, known in (("domain", domain, MAPS), ("details", details, DETAILS)):
            if value not in known:
                raise unknown(option, value, known)
        self.domain, self.options = domain, {"domain": domain, "details": details, "width": width}
        maps = round(width * MAPS[domain])
        if domain == "wavelet":
            parts = {"low": Mapping(1, maps, mean), "high": Mapping(3, maps, DETAILS[details], HIGH_GAIN)}
        else:
            parts = {"pixels": Mapping(1 if domain == "image" else 4, maps)}
        self.mappings = nn.ModuleDict(parts)
        #: Rows that a pixel depends on; even, so that strips begin where blocks do.
        self.reach = DEPTH if domain == "image" else 2 * DEPTH

    def split(self, image: Tensor) -> Bands:
        """Split images (B, 1, H, W) with even sides into what each network sees."""
        if self.domain == "wavelet":
            return split(image)
        return {"pixels": image if self.domain == "image" else F.pixel_unshuffle(image, 2)}

    def join(self, bands: Bands) -> Tensor:
        """Invert the method `split`."""
        if self.domain == "wavelet":
            return join(bands)
        return bands["pixels"] if self.domain == "image" else F.pixel_shuffle(bands["pixels"], 2)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse two images (B, 1, H, W) in [0, 1].

        Sides are at least 3. The result may leave the range a little.
        """
        height, width = a.shape[-2:]
        first, second = (self.split(F.pad(x, (0, width % 2, 0, height % 2), mode="reflect")) for x in (a, b))
        fused = {name: mapping.in_both_orders(first[name], second[name]) for name, mapping in self.mappings.items()}
        return self.join(fused)[..., :height, :width]


SOURCE = NetworkSource(Subbands, random={"width": 0.25})


def fuse(stack: FocusStack, network: Subbands, *, colour: Literal["luma", "channels"] = "luma") -> tuple[np.ndarray, None]:
    """Fuse by regressing the sub-bands of the fused image from those of two sources.

    Args:
        stack: N >= 2 images, sides at least 3, gray or colour; more than two are fused one after the other.
        network: The mappings, in the domain that they were trained for.
        colour: ``"luma"`` fuses luma, and chroma is weighted by its distance from gray (A3.18); ``"channels"`` fuses red, green
            and blue one by one.

    Returns:
        The fused image; no decision map, since every pixel is computed anew.

    Raises:
        OptionError: There is no such `colour`.
    Deviations:
        The article could not be read whole; layers, wavelet, loss and data are our reading.

    References:
        [li2019wavelet].
    Chapter: 06_cnnwt
    """
    if colour not in ("luma", "channels"):
        raise unknown("colour", colour, ("luma", "channels"))
    if colour == "luma" or not stack.is_colour:
        return through_luma(stack, lambda lumas: fuse_in_turn(network, lumas)), None
    channels = np.moveaxis(to_unit(stack.images), -1, 0)
    return np.stack([fuse_in_turn(network, list(planes)) for planes in channels], -1), None
