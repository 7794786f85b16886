"""Keep a fused image within its sources: its values, and its opacity."""

from collections.abc import Sequence

import numpy as np

from mffrepro.images import from_unit, to_unit


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


def fuse_alpha(alpha: np.ndarray, decision: np.ndarray | None) -> np.ndarray:
    """Fuse the opacity of the sources along with their colours.

    Where a method has a decision map, the result is as opaque as the sources that it takes. Where it has none, all sources
    contribute everywhere, and the result is as opaque as the most opaque of them: a mean would leave pixels half transparent that
    no source shows so.

    Args:
        alpha: (N, H, W), any dtype.
        decision: (N, H, W) share of each source, or None.

    Returns:
        (H, W) of the dtype of `alpha`.
    """
    if decision is None:
        return alpha.max(0)
    return from_unit(sum(share * to_unit(one) for share, one in zip(decision, alpha, strict=True)), alpha.dtype)
