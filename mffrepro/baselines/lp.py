"""Laplacian pyramid fusion: band by band, the sharper source wins.

A pyramid splits each source into bands of detail, one octave each, and a small base. In every band the coefficient with
the larger magnitude is kept, since a source in focus has the stronger detail; the bases are averaged.
"""

from functools import partial

import numpy as np

from mffrepro.errors import OptionError
from mffrepro.fusion.in_turn import Derived, choose, is_large
from mffrepro.fusion.pyramid import analyse, detail_strip, reduce, smallest_side, synthesise
from mffrepro.fusion.rules import choose_max
from mffrepro.images import FocusStack, Frames, require_side, to_255
from mffrepro.threads import in_threads
from mffrepro.tiling import Strip, strips

#: Pixels of a strip of all sources together that stay in the processor's cache.
STRIP_PIXELS = 2**16


def fuse(stack: FocusStack, *, levels: int = 4) -> tuple[np.ndarray, None]:
    """Fuse a Laplacian pyramid by Li's choose-max rule, each channel separately.

    Args:
        stack: N >= 2 images, sides at least 17 pixels for four levels; gray or colour.
        levels: Bands of detail, >= 1.

    Returns:
        The fused image; no decision map, since each band decides for itself.

    Raises:
        ImageError: The images are too small for that many levels.
        OptionError: `levels` is under 1.
    Deviations:
        None known from the toolbox of Liu, Liu and Wang (2015) at four levels.

    References:
        [burt1983laplacian], rule of [li1995wavelet], settings of [liu2015mstsr].
    Chapter: 02_baselines
    """
    if levels < 1:
        raise OptionError(f"levels is {levels}; use 1 or more")
    require_side(stack, smallest_side(levels))
    if is_large(stack.images):
        return _fuse_in_turn(stack.images, levels), None
    channels = [stack.images[..., c] for c in range(3)] if stack.is_colour else [stack.images]
    fused = [_fuse_channel(list(images), levels) / np.float32(255) for images in channels]
    return np.stack(fused, -1) if stack.is_colour else fused[0], None


def _fuse_in_turn(images: np.ndarray | Frames, levels: int) -> np.ndarray:
    """Fuse images of which memory holds two; each is split twice, first to find the sharpest, then to take what it won."""
    colour = images.ndim == 4
    bases, counted = [0] * (3 if colour else 1), set()

    def split(numbered: tuple[int, np.ndarray]) -> list[np.ndarray]:
        number, image = numbered
        planes = [image[..., c] for c in range(3)] if colour else [image]
        pyramids = in_threads(lambda plane: analyse(to_255(plane, np.float32), levels), planes)
        for channel, (_, base) in enumerate(pyramids if number not in counted else ()):
            bases[channel] = bases[channel] + base
        counted.add(number)
        return [detail for details, _ in pyramids for detail in details]

    numbered = Derived(range(len(images)), lambda number: (number, images[number]))
    details = choose(Derived(numbered, split))
    out = np.empty(images.shape[1:], np.float32)
    for channel, base in enumerate(bases):
        plane = synthesise(details[channel * levels : (channel + 1) * levels], base / len(images), images.shape[1:3])
        (out[..., channel] if colour else out)[...] = plane / np.float32(255)
    return out


def _fuse_channel(images: list[np.ndarray], levels: int) -> np.ndarray:
    """Fuse one channel (H, W) of each source, of any dtype, to one on 0..255."""
    shape, details = images[0].shape, []
    convert = partial(to_255, dtype=np.float32)  # exact: the filters' taps are whole numbers over a power of two
    for _ in range(levels):
        smaller = in_threads(lambda image, convert=convert: reduce(convert(image)), images)
        details.append(_fuse_details(images, smaller, convert))
        images, convert = smaller, np.asarray
    return synthesise(details, sum(images) / len(images), shape)


def _fuse_details(images: list[np.ndarray], smaller: list[np.ndarray], convert) -> np.ndarray:
    """Fuse the details strip by strip: those of many large sources at once would fill the memory."""
    height, width = (2 * side for side in smaller[0].shape)

    def fuse(strip: Strip) -> np.ndarray:
        rows = strip.with_halo
        bands = [detail_strip(convert(image[rows]), rows.start, small) for image, small in zip(images, smaller, strict=True)]
        return strip.crop(choose_max(bands))

    return np.concatenate(in_threads(fuse, strips(height, width, STRIP_PIXELS, halo=4)))
