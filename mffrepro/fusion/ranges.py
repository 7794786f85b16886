"""Keep a fused image within its sources: its values, and its opacity."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mffrepro.images import Shares, from_unit


def clamp_to_sources(image: np.ndarray, sources: Sequence[np.ndarray]) -> np.ndarray:
    """Clip each value of a fused image to those of the sources.

    Each pixel and channel has a least and a largest value of its own.

    Args:
        image: (H, W) or (H, W, 3), any dtype.
        sources: N images of that shape and dtype.
    """
    low, high = sources[0].copy(), sources[0].copy()
    for source in sources[1:]:
        np.minimum(low, source, out=low)
        np.maximum(high, source, out=high)
    return np.clip(image, low, high)


def fuse_alpha(alpha: Sequence[np.ndarray], decision: Shares | np.ndarray | None) -> np.ndarray:
    """Fuse the opacity of the sources along with their colours.

    Where a method has a decision map, the result is as opaque as the sources that it takes. Where it has none, all sources
    contribute everywhere, and the result is as opaque as the most opaque of them: a mean would leave pixels half transparent that
    no source shows so.

    Args:
        alpha: N of (H, W), any dtype; asked for one by one.
        decision: Share of each source, N of (H, W), or None.

    Returns:
        (H, W) of the dtype of `alpha`.
    """
    if decision is None:
        return reduce(np.maximum, alpha)
    shares = decision if isinstance(decision, Shares) else Shares.of_planes(decision)
    return from_unit(shares.blend(alpha), alpha.dtype)
