r"""The wavelet/CNN paper: the network of Liu et al. on sub-bands, one for low and one for high frequencies.

The text at hand promises wavelets in its abstract and describes the spatial network of Liu et al. (2017) in its method
(A3.2). So there are two modes. ``"spatial"`` is `mffrepro.models.cnn_fuse`. ``"wavelet"`` is the promise, written down: one
level of a wavelet transform; a classifier of low-frequency patches decides which source gives the low band, another, which
sees all directions of detail, which gives the details; the inverse transform puts both together.

What we changed: all that the text leaves out had to be chosen; comments give the reasons, options the alternatives.

References: [cnnwt], [liu2017cnn], [li2019wavelet]. Chapter: 06_cnnwt.
"""

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from torch import nn

from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.dtcwt import analyse, synthesise
from mffrepro.fusion.multi_image import Calibration, Floats
from mffrepro.images import FocusStack, FusionResult, as_stack, to_gray
from mffrepro.models import cnn_fuse
from mffrepro.models.cnn_fuse import CnnFuse, segment
from mffrepro.models.siamese import Border, Look, PatchJudge, fuse_many, gray
from mffrepro.models.weights import prepare, shipped

Transform = Literal["dwt", "dtcwt"]

#: Directions of detail: horizontal, vertical and diagonal of Haar's wavelet; six of the dual tree, 30 degrees apart.
DIRECTIONS = {"dwt": 3, "dtcwt": 6}
#: Shipped weights by transform: the coefficients differ, so do the networks.
SHIPPED = {"dwt": "cnnwt.default", "dtcwt": "cnnwt.dtcwt"}
#: Factor on the low band before a network sees it: Haar's is twice the local mean (section 7), the dual tree's is a mean.
LOW_GAIN = {"dwt": 0.5, "dtcwt": 1.0}
#: The same for details, most of which are under an eighth: networks that start by Glorot's rule want inputs of one size.
HIGH_GAIN = 8.0
#: Of all coefficients at a place those of the low band, in either transform.
LOW_SHARE = 0.25


class Cnnwt(nn.Module):
    """Two networks of Liu et al., one for each kind of band.

    Args:
        transform: ``"dwt"``, Haar's wavelet, or ``"dtcwt"``, the dual-tree complex one (A3.3).
        width: Factor on the maps of the branches; 1 is the paper's size.
        hidden: Outputs of the first fully connected layer.
        border: What lies around a patch, see `mffrepro.models.siamese`.
    """

    side = 31  # the least that leaves 16 coefficients for a patch

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
    """One level of the transform.

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
    """The image of that shape whose bands these are; inverse of `split`."""
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
    """What the network for low frequencies is shown: (h, w), gray, about in [0, 1]."""
    return gray(low) * np.float32(LOW_GAIN[transform])


def see_high(high: np.ndarray, transform: Transform) -> np.ndarray:
    """What the network for high frequencies is shown: (h, w, directions); signed, or magnitudes of complex coefficients."""
    count = DIRECTIONS[transform]
    if high.shape[-1] > count:  # the transform is linear: gray details are the weighted sum of those of the channels
        high = to_gray(np.moveaxis(high.reshape(*high.shape[:2], -1, count), 2, -1))
    return (np.abs(high) if np.iscomplexobj(high) else high) * np.float32(HIGH_GAIN)


class _Bands(Sequence):
    """One band of the images of a stack, each computed when it is asked for."""

    def __init__(self, images: Floats, transform: Transform, which: Literal[0, 1]) -> None:
        self.images, self.transform, self.which = images, transform, which

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return split(self.images[index], self.transform)[self.which]


# ----------------------------------------------------------------------------------------------- inference


@lru_cache(maxsize=4)
def load(weights: str = "default", *, device: str = "auto", transform: Transform = "dwt") -> Cnnwt:
    """Both networks ready for inference.

    Args:
        weights: ``"default"``, ``"random"``, or the path of a ``.safetensors`` file of the trainer.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        transform: The transform they must be for.
    Raises:
        OptionError: The weights of a file are for another transform.
    """
    check_transform(transform)
    make = partial(Cnnwt, transform=transform, width=0.25, hidden=32)  # that size for random weights
    network = prepare(make, "cnnwt", str(shipped(SHIPPED[transform])) if weights == "default" else weights, device)
    if network.options["transform"] != transform:
        raise OptionError(f"{weights} is for transform={network.options['transform']!r}; ask for that one")
    return network


def judges(
    network: Cnnwt, *, dense: int | None = None, threshold: float = 0.5, smallest: float = 0.01
) -> tuple[PatchJudge, PatchJudge]:
    """The judge of the low band and that of the details; the arguments are those of `fuse`."""

    def decide(focus: np.ndarray, first: Look, second: Look) -> np.ndarray:
        return segment(focus, threshold=threshold, smallest=smallest).astype(np.float32)

    transform = network.options["transform"]
    pairs = ((network.low, see_low), (network.high, see_high))
    low, high = (PatchJudge(net, decide, step=dense, see=partial(see, transform=transform)) for net, see in pairs)
    return low, high


def fuse(
    stack: FocusStack,
    *,
    mode: Literal["wavelet", "spatial"] = "wavelet",
    transform: Transform = "dwt",
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    calibration: Calibration = "carry",
    dense: int | None = None,
    threshold: float = 0.5,
    smallest: float = 0.01,
) -> FusionResult:
    """Fuse a stack band by band, each band copied from the source that a network finds sharper there.

    Args:
        stack: N >= 2 images, sides at least 31 pixels, gray or colour; decided on gray, all channels are treated alike.
        mode: ``"wavelet"``, or ``"spatial"``, which is ``cnn_fuse`` (A3.2).
        transform: Of the wavelet mode: ``"dwt"``, Haar's, or ``"dtcwt"``, dual-tree complex.
        weights: ``"default"`` (this project's), ``"random"``, or a ``.safetensors`` file for that mode and transform.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For more than two images; ``"auto"`` is ``"serial"``, as in the paper.
        calibration: Form of the calibration, see `mffrepro.fusion.multi_image.calibrated`.
        dense: Coefficients between neighbouring patches, 2 (as the pooling gives) or 1.
        threshold: Share of the first source over which it takes a coefficient.
        smallest: Least area of a region of either decision, as a share of the band; 0 keeps all.
    Returns:
        The fused image; as decision the share of each source in the coefficients at a pixel, a quarter low, the rest details.
    Raises:
        ImageError: Images too small.
        OptionError: No such mode, transform or `dense`, or a number out of its range.
        DataError: Weights that cannot be had.
    Deviations:
        The text has no rules for the bands: these are ours. The network for details sees all directions of a place together,
        and they are taken from one source.
    References:
        [cnnwt], network of [liu2017cnn], idea of [li2019wavelet].
    Chapter: 06_cnnwt
    """
    as_stack(stack, min_side=Cnnwt.side)
    if mode not in ("wavelet", "spatial"):
        raise unknown("mode", mode, ("wavelet", "spatial"))
    check_transform(transform)
    cnn_fuse.check_limits(threshold, smallest)
    common = {"dense": dense, "threshold": threshold, "smallest": smallest}
    many = {"strategy": strategy, "calibration": calibration}
    if mode == "spatial":
        result = cnn_fuse.fuse(stack, weights=weights, device=device, **many, **common)
        return FusionResult(result.image, result.decision, result.seconds, "cnnwt")
    low, high = judges(load(weights, device=device, transform=transform), **common)
    started = time.perf_counter()
    images = Floats(stack.images)
    fused_low, share_low = fuse_many(_Bands(images, transform, 0), low, **many)
    fused_high, share_high = fuse_many(_Bands(images, transform, 1), high, **many)
    fused = join(fused_low, fused_high, stack.images.shape[1:], transform)
    shares = (_to_pixels(share, stack.images.shape[1:3]) for share in (share_low, share_high))
    return FusionResult.finish(
        stack, fused, sum(w * share for w, share in zip((LOW_SHARE, 1 - LOW_SHARE), shares, strict=True)), started, "cnnwt"
    )


def _to_pixels(shares: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Shares (N, h, w) of coefficients as shares (N, H, W) of the pixels below them."""
    factor = round(shape[0] / shares.shape[1])
    return shares.repeat(factor, 1).repeat(factor, 2)[:, : shape[0], : shape[1]]


def check_transform(transform: str) -> None:
    if transform not in DIRECTIONS:
        raise unknown("transform", transform, DIRECTIONS)
