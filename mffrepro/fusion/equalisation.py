"""Contrast-limited adaptive histogram equalisation, as results of the field were made with it.

OpenCV and scikit-image have it too, but spread what they cut off a histogram over all its bins, also beyond the limit. Here
no bin passes the limit, and gray levels match those of the common implementation in MATLAB.
"""

import numpy as np

GRAYS = 256


def equalise(image: np.ndarray, *, limit: float, tiles: int = 8, whole: bool = True) -> np.ndarray:
    """Equalise gray levels within tiles, with the contrast kept in bounds.

    Args:
        image: (H, W) in [0, 1].
        limit: How far a gray may fill its histogram beyond an even share, as a share of the tile; 1 is no limit.
        tiles: Tiles along either side.
        whole: Whether a gray of a tile becomes one of 256 grays, as in images of 8 bits; otherwise it is not rounded.

    Returns:
        (H, W) in [0, 1]. Grays are counted in 256 bins.

    References:
        [zuiderveld1994].
    """
    pads = [_padding(side, tiles) for side in image.shape]
    grays = np.floor(np.pad(image, pads, mode="symmetric") * (GRAYS - 1) + 0.5).astype(np.intp)
    height, width = (side // tiles for side in grays.shape)
    maps = np.empty((tiles, tiles, GRAYS))
    for i, j in np.ndindex(tiles, tiles):
        tile = grays[i * height : (i + 1) * height, j * width : (j + 1) * width]
        levels = _levels(np.bincount(tile.ravel(), minlength=GRAYS), limit)
        maps[i, j] = np.floor(levels + 0.5) if whole else levels
    (up, down, y), (left, right, x) = (_between(side, tiles) for side in grays.shape)
    y, up, down = y[:, None], up[:, None], down[:, None]
    upper = _blend(maps[up, left, grays], maps[up, right, grays], x)
    lower = _blend(maps[down, left, grays], maps[down, right, grays], x)
    inside = tuple(slice(before, before + side) for (before, _), side in zip(pads, image.shape, strict=True))
    return _blend(upper, lower, y)[inside] / (GRAYS - 1)


def _blend(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    return first + share * (second - first)


def _padding(side: int, tiles: int) -> tuple[int, int]:
    """Compute the padding that makes the side a multiple of twice the tiles, shared by both ends."""
    extra = -side % (2 * tiles)
    return extra // 2, extra - extra // 2


def _between(side: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find, per pixel, the tile before and after it, and how far it lies from the middle of one to that of the other."""
    tile = side // tiles
    position = (np.arange(side) - tile // 2) / tile
    before = np.floor(position).astype(np.intp)
    return before.clip(0), (before + 1).clip(max=tiles - 1), position - before


def _levels(histogram: np.ndarray, limit: float) -> np.ndarray:
    """Map each gray level of a tile to the level, 0..255, that it becomes."""
    pixels = histogram.sum()
    even = -(-pixels // GRAYS)
    clipped = _clip(histogram, even + int(np.floor(limit * (pixels - even) + 0.5)))
    return np.minimum(clipped.cumsum() * (GRAYS - 1) / pixels, GRAYS - 1)


def _clip(histogram: np.ndarray, limit: int) -> np.ndarray:
    """Clip a histogram at `limit`; the excess goes to the other bins, evenly until they are full."""
    share = np.maximum(histogram - limit, 0).sum() // GRAYS
    clipped = np.minimum(histogram + share, limit)
    left = int((histogram - clipped).sum())
    start = 0
    while left:  # the rest one by one: at even steps through the bins, from the next bin each time
        chosen = np.arange(start, GRAYS, max(GRAYS // left, 1))
        chosen = chosen[clipped[chosen] < limit][:left]
        clipped[chosen] += 1
        left -= len(chosen)
        start = (start + 1) % GRAYS
    return clipped
