r"""The wavelet/CNN paper: the network of Liu et al. on sub-bands, one for low and one for high frequencies.

The paper promises wavelets in its abstract and describes the spatial network of Liu et al. (2017) in its method (A3.2). The
spatial reading is the method ``cnn_fuse``. This module is the promise, written down: one level of a wavelet transform; a
classifier of low-frequency patches decides which source gives the low band, and another, which sees all directions of detail,
which source gives the details; the inverse transform puts both together.

What we changed: everything that the text leaves out had to be chosen; comments give the reasons, options the alternatives.

References: [cnnwt], [liu2017cnn], [li2019wavelet]. Chapter: 06_cnnwt.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from torch import nn

from mffrepro.errors import unknown
from mffrepro.fusion.dtcwt import analyse, synthesise
from mffrepro.fusion.multi_image import UnitImages, combine
from mffrepro.images import FocusStack, Shares, to_gray
from mffrepro.models.cnn_fuse import CnnFuse, check_limits, segment
from mffrepro.models.siamese import Border, Features, PatchComparer, gray
from mffrepro.models.weights import NetworkSource

Transform = Literal["dwt", "dtcwt"]

#: Directions of detail: horizontal, vertical and diagonal of Haar's wavelet; six of the dual tree, 30 degrees apart.
DIRECTIONS = {"dwt": 3, "dtcwt": 6}
#: Factor on the low band before a network sees it: Haar's is twice the local mean, the dual tree's is a mean.
LOW_GAIN = {"dwt": 0.5, "dtcwt": 1.0}
#: Factor on the details, most of which are under an eighth: networks initialised by Glorot's rule need inputs of one scale.
HIGH_GAIN = 8.0
#: Share of the low band in all coefficients at a place, in either transform.
LOW_SHARE = 0.25


class Cnnwt(nn.Module):
    """Hold two networks of Liu et al., one for each kind of band.

    Args:
        transform: ``"dwt"``, Haar's wavelet, or ``"dtcwt"``, the dual-tree complex one (A3.3).
        width: Factor on the maps of the branches; 1 is the paper's size.
        hidden: Outputs of the first fully connected layer.
        border: Values around a patch, see `mffrepro.models.siamese`.
    """

    def __init__(
        self, *, transform: Transform = "dwt", width: float = 1.0, hidden: int = 256, border: Border = "context"
    ) -> None:
        super().__init__()
        check_transform(transform)
        self.low = CnnFuse(width=width, hidden=hidden, border=border)
        self.high = CnnFuse(width=width, hidden=hidden, border=border, channels=DIRECTIONS[transform])
        self.options = {"transform": transform, "width": width, "hidden": hidden, "border": border}


# ------------------------------------------------------------------------------------------------- the bands


def split(image: np.ndarray, transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Transform an image by one level.

    Args:
        image: (H, W) or (H, W, C).
        transform: ``"dwt"`` halves both sides of all bands, ``"dtcwt"`` those of the details only.

    Returns:
        The low band (h, w[, C]) and the details (h, w, directions * C), complex for ``"dtcwt"``.
    """
    channels = [_split_channel(channel, transform) for channel in np.moveaxis(np.atleast_3d(image), -1, 0)]
    lows, highs = zip(*channels, strict=True)
    return (np.stack(lows, -1) if image.ndim == 3 else lows[0]), np.concatenate([np.moveaxis(h, 0, -1) for h in highs], -1)


def _split_channel(channel: np.ndarray, transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    import pywt

    if transform == "dwt":
        low, details = pywt.dwt2(channel, "haar", "periodization")
        return low, np.stack(details)
    (details,), low = analyse(channel.astype(np.float64), 1)
    return low.astype(np.float32), details.astype(np.complex64)


def join(low: np.ndarray, high: np.ndarray, shape: tuple[int, ...], transform: Transform) -> np.ndarray:
    """Invert `split`: compute the image of that shape from its bands."""
    lows = np.moveaxis(np.atleast_3d(low), -1, 0)
    highs = np.split(np.moveaxis(high, -1, 0), len(lows))
    channels = [_join_channel(*bands, shape[:2], transform) for bands in zip(lows, highs, strict=True)]
    return np.stack(channels, -1) if len(shape) == 3 else channels[0]


def _join_channel(low: np.ndarray, high: np.ndarray, shape: tuple[int, int], transform: Transform) -> np.ndarray:
    import pywt

    if transform == "dwt":
        return pywt.idwt2((low, tuple(high)), "haar", "periodization")[: shape[0], : shape[1]]
    return synthesise([high.astype(np.complex128)], low.astype(np.float64), shape)


def see_low(low: np.ndarray, transform: Transform) -> np.ndarray:
    """Scale the low band for its network: gray (h, w), about in [0, 1]."""
    return gray(low) * np.float32(LOW_GAIN[transform])


def see_high(high: np.ndarray, transform: Transform) -> np.ndarray:
    """Scale gray details (h, w, directions) for their network.

    They are signed, or magnitudes of complex coefficients.
    """
    count = DIRECTIONS[transform]
    if high.shape[-1] > count:  # the transform is linear: gray details are the weighted sum of those of the channels
        high = to_gray(np.moveaxis(high.reshape(*high.shape[:2], -1, count), 2, -1))
    return (np.abs(high) if np.iscomplexobj(high) else high) * np.float32(HIGH_GAIN)


class _Bands(Sequence):
    """Compute one band of each image of a stack when it is asked for."""

    def __init__(self, images: UnitImages, transform: Transform, which: Literal[0, 1]) -> None:
        self.images, self.transform, self.which = images, transform, which

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return split(self.images[index], self.transform)[self.which]


# ----------------------------------------------------------------------------------------------- inference


SOURCE = NetworkSource(Cnnwt, random={"width": 0.25, "hidden": 32})


def comparers(
    network: Cnnwt, *, dense: int | None = None, threshold: float = 0.5, smallest: float = 0.01
) -> tuple[PatchComparer, PatchComparer]:
    """Build the comparers of the low band and of the details.

    The arguments are those of `fuse`.
    """

    def rule(focus: np.ndarray, first: Features, second: Features) -> np.ndarray:
        return segment(focus, threshold=threshold, smallest=smallest).astype(np.float32)

    transform = network.options["transform"]
    pairs = ((network.low, see_low), (network.high, see_high))
    low, high = (PatchComparer(net, rule, step=dense, see=partial(see, transform=transform)) for net, see in pairs)
    return low, high


def fuse(
    stack: FocusStack,
    network: Cnnwt,
    *,
    strategy: str = "serial",
    dense: int | None = None,
    threshold: float = 0.5,
    smallest: float = 0.01,
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse band by band, each copied from the source that is sharper there.

    A network decides for each kind of band.

    Args:
        stack: N >= 2 images, sides at least 31 pixels, gray or colour; decided on gray, all channels are treated alike.
        network: Both classifiers, and the transform they were trained for: Haar's wavelet (``weights="default"``) or the
            dual-tree complex one (``weights="dtcwt"``).
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`; the paper has ``"serial"``.
        dense: Coefficients between neighbouring patches, 2 (as the pooling gives) or 1.
        threshold: Share of the first source over which it takes a coefficient.
        smallest: Least area of a region of either decision, as a share of the band; 0 keeps all.

    Returns:
        The fused image; as decision the share of each source in the coefficients at a pixel, a quarter low, the rest details.

    Raises:
        OptionError: There is no such `dense`, or a number is out of its range.
    Deviations:
        The text has no rules for the bands: these are ours. The network for details sees all directions of a place together,
        and they are taken from one source.

    References:
        [cnnwt], network of [liu2017cnn], idea of [li2019wavelet].
    Chapter: 06_cnnwt
    """
    check_limits(threshold, smallest)
    low, high = comparers(network, dense=dense, threshold=threshold, smallest=smallest)
    images, transform = UnitImages(stack.images), network.options["transform"]
    fused_low, share_low = combine(_Bands(images, transform, 0), low, strategy)
    fused_high, share_high = combine(_Bands(images, transform, 1), high, strategy)
    fused = join(fused_low, fused_high, stack.images.shape[1:], transform)
    size, pairs = stack.images.shape[1:3], zip(share_low, share_high, strict=True)
    shares = (LOW_SHARE * _to_pixels(low, size) + (1 - LOW_SHARE) * _to_pixels(high, size) for low, high in pairs)
    return fused, Shares.of_planes(shares)


def _to_pixels(share: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Spread a share (h, w) of coefficients over the pixels (H, W) below them."""
    factor = round(shape[0] / share.shape[0])
    return share.repeat(factor, 0).repeat(factor, 1)[: shape[0], : shape[1]]


def check_transform(transform: str) -> None:
    """Raise OptionError unless the transform exists."""
    if transform not in DIRECTIONS:
        raise unknown("transform", transform, DIRECTIONS)
