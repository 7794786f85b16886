"""The fusion rule of tlcnn and tlcolor: two maps of what is out of focus, made consistent, two candidates, the better one.

The rule has no equation numbers: tlcnn describes its steps in words (A0.7, A0.8).
"""

from typing import Literal, NamedTuple

import numpy as np

from mffrepro.errors import unknown
from mffrepro.fusion.multi_image import mix
from mffrepro.images import to_gray
from mffrepro.metrics import qabf

Agreement = Literal["xor", "literal"]
Selection = Literal["qabf", "first", "second"]


class Secondary(NamedTuple):
    """The secondary decision maps, (H, W) bool: `agree` (M3), `first` (M4: S1 blurred, S2 sharp), `second` (M5: the reverse)."""

    agree: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Choice(NamedTuple):
    """Both candidates, their scores, and the share (H, W) of the first source in the chosen one."""

    candidates: tuple[np.ndarray, np.ndarray]
    scores: tuple[float, float]
    chosen: int
    share: np.ndarray


def secondary_maps(m1: np.ndarray, m2: np.ndarray, m3: Agreement = "xor") -> Secondary:
    """Keep of the initial maps only what they agree on.

    Args:
        m1: (H, W) bool, where the first source is out of focus.
        m2: The same of the second.
        m3: ``"xor"``: exactly one source is out of focus. ``"literal"`` is the formula as printed, M1 and not M2, with which M5
            is empty and the second candidate nothing but the second source (A0.7).
    """
    if m3 not in ("xor", "literal"):
        raise unknown("m3", m3, ("xor", "literal"))
    agree = m1 ^ m2 if m3 == "xor" else m1 & ~m2
    return Secondary(agree, m1 & agree, m2 & agree)


def choose(s1: np.ndarray, s2: np.ndarray, maps: Secondary, select: Selection = "qabf") -> Choice:
    """F1 = M4 S2 + (1 - M4) S1 or F2 = M5 S1 + (1 - M5) S2, whichever has the higher Q_ABF; of equals F1 (A0.23).

    Args:
        s1: First source (H, W[, 3]), float in [0, 1].
        s2: Second source.
        maps: Secondary decision maps.
        select: ``"qabf"`` on the luminance (A0.19), or always the ``"first"`` or the ``"second"``.
    """
    if select not in ("qabf", "first", "second"):
        raise unknown("select", select, ("qabf", "first", "second"))
    shares = [(~maps.first).astype(np.float32), maps.second.astype(np.float32)]
    candidates = tuple(mix(s1, s2, share) for share in shares)
    if select != "qabf" or np.array_equal(*shares):
        chosen, scores = int(select == "second"), (np.nan, np.nan)
    else:
        gray = [to_gray(s) if s.ndim == 3 else s for s in (s1, s2)]
        scores = tuple(qabf(gray, to_gray(f) if f.ndim == 3 else f) for f in candidates)
        chosen = int(scores[1] > scores[0] + 1e-12)
    return Choice(candidates, scores, chosen, shares[chosen])
