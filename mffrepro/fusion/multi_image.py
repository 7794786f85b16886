"""From a network that judges two images to the fusion of many.

A judge looks at an image once (`look`) and compares two looks (`compare`). Serial fusion looks at 2(N - 1) images,
decision calibration at N [ma2022gacn, section 3.4]. All compare N - 1 times but `ranked`, which compares once. No form keeps more
than two looks beside the one it is at, or all images as floats.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from mffrepro.fusion.guided import guided_filter
from mffrepro.images import to_gray, to_unit
from mffrepro.tiling import Strip, in_threads, strips

Calibration = Literal["carry", "log", "literal"]
Part = TypeVar("Part")

#: The guided filter of `ranked`. GACN smooths the one border between two images over 7x7 pixels; borders between many lie closer
#: together, and 5x5 keep more of what is sharp beside them.
BLEND_RADIUS, BLEND_EPS = 2, 0.1
#: Pixels of a strip there: it stays in the processor's cache.
BLEND_PIXELS = 2**15


class Judge(Protocol):
    """A decision network for two images."""

    def look(self, image: np.ndarray) -> Any:
        """All that a comparison needs to know of one image (H, W[, 3]), float in [0, 1]."""

    def compare(self, first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
        """Final map (H, W) in [0, 1], 1 where the first is sharper, and the logit (H, W) of the map before smoothing."""

    def merge(self, first: Any, second: Any, final: np.ndarray) -> Any:
        """About what `look` would see in the image fused by that final map, without looking again; may reuse `first`."""


class RankingJudge(Judge, Protocol):
    """A judge whose looks also say by themselves how sharp an image is."""

    def clarity(self, look: Any) -> np.ndarray:
        """(H, W), the larger the sharper, on a scale that all images share."""

    def keep(self, look: Any) -> Any:
        """That look in as little memory as may be."""

    def exchange(self, first: Any, second: Any, where: np.ndarray) -> None:
        """Let two looks change places at those pixels, (H, W) bool; in place."""

    @property
    def smooths(self) -> bool:
        """Whether borders between sources shall be smoothed."""


class MapJudge:
    """Any method that yields a soft decision map for two images, as a judge. It keeps nothing of an image but the image.

    Args:
        decide: From two images (H, W[, 3]), float in [0, 1], to the share (H, W) of the first.
    """

    def __init__(self, decide: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self.decide = decide

    def look(self, image: np.ndarray) -> np.ndarray:
        return image

    def compare(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        final = np.clip(self.decide(first, second), 0, 1).astype(np.float32)
        tiny = np.finfo(np.float32).tiny  # a saturated map has the largest logit there is, not an infinite one
        return final, np.log(np.maximum(final, tiny)) - np.log(np.maximum(1 - final, tiny))

    def merge(self, first: np.ndarray, second: np.ndarray, final: np.ndarray) -> np.ndarray:
        return mix(first, second, final)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The share (H, W) of the first image and the rest of the second, gray or colour."""
    weight = share[..., None] if first.ndim == 3 else share
    return weight * first + (1 - weight) * second


def serial(images: Sequence[np.ndarray], judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Fuse the first two, then the result with the third, and so on.

    Args:
        images: N >= 2 of (H, W) or (H, W, 3), float in [0, 1].
        judge: The decision network; `merge` is not needed.
    Returns:
        The fused image, and the decision (N, H, W), which is the share each source kept to the end.
    """
    return _one_after_the_other(images, judge, lambda best, image, final, fused: judge.look(fused))


def carried(images: Sequence[np.ndarray], judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Serial fusion that never looks at its own result: the winner's look is carried along, pixel by pixel.

    Costs what decision calibration costs, and what is compared is always the sharpest seen so far, so that two images that
    both beat the first are told apart.

    Args:
        images: As for `serial`.
        judge: The decision network.
    Returns:
        As `serial`.
    """
    return _one_after_the_other(images, judge, lambda best, image, final, fused: judge.merge(best, image, final))


def _one_after_the_other(images: Sequence[np.ndarray], judge: Judge, look_again) -> tuple[np.ndarray, np.ndarray]:
    fused, best, shares = None, None, None
    for i, image in enumerate(progress(images)):
        if i == 0:
            fused, best = image, judge.look(image)
            shares = np.zeros((len(images), *image.shape[:2]), np.float32)
            shares[0] = 1
            continue
        look = judge.look(image)
        final, _ = judge.compare(best, look)
        shares[:i] *= final
        shares[i] = 1 - final
        fused = mix(fused, image, final)
        if i + 1 < len(images):
            best = look_again(best, look, final, fused)
        del look  # looks at large images fill the memory: let go before the next
    return fused, shares


def ranked(images: Sequence[np.ndarray], judge: RankingJudge) -> tuple[np.ndarray, np.ndarray]:
    """Look at every image once, rank them pixel by pixel by what the looks say, and compare the first two ranks.

    Which image comes first matters only where two are equally clear. The borders between the winners are smoothed together,
    as GACN smooths the one between two: guided filtering is linear in the map, so that the shares go on adding up to 1.

    Args:
        images: As for `serial`.
        judge: The decision network; `merge` is not needed.
    Returns:
        As `serial`.
    """
    return blended(images, winners(progress(images), judge), smooth=judge.smooths)


def winners(images: Iterable[np.ndarray], judge: RankingJudge) -> np.ndarray:
    """Numbers (H, W) of the images that `ranked` chooses; the judge looks at them in their order."""
    ranks: list[_Rank] = []
    for i, image in enumerate(images):
        look = judge.look(image)
        new = _Rank(look, judge.clarity(look), np.full(image.shape[:2], i, np.int32))
        if len(ranks) < 2:
            ranks.append(new._replace(look=judge.keep(look)))
        else:
            _put_above(ranks[1], new, judge)
        if len(ranks) == 2:
            _put_above(ranks[0], ranks[1], judge)
        del look, new  # looks at large images fill the memory: let go before the next
    best, second = ranks
    _, logit = judge.compare(best.look, second.look)
    return np.where(logit >= 0, best.source, second.source)


class _Rank(NamedTuple):
    """At every pixel one of the images: what a look saw of it, how clear it is, and its number."""

    look: Any
    clarity: np.ndarray
    source: np.ndarray


def _put_above(above: _Rank, below: _Rank, judge: RankingJudge) -> None:
    """Exchange the two where the lower one is the clearer."""
    where = below.clarity > above.clarity
    judge.exchange(above.look, below.look, where)
    for ours, theirs in ((above.clarity, below.clarity), (above.source, below.source)):
        ours[where], theirs[where] = theirs[where], ours[where]


def blended(images: Sequence[np.ndarray], winner: np.ndarray, *, smooth: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel (H, W) the image with that number; `smooth` softens the borders along the edges of what is seen there."""
    radius = BLEND_RADIUS if smooth else 0
    chosen = np.empty_like(images[0])
    for i, image in enumerate(images):
        chosen[winner == i] = image[winner == i]
    guide = to_gray(chosen) if chosen.ndim == 3 else chosen
    shares = np.zeros((len(images), *winner.shape), np.float32)

    def share(strip: Strip) -> None:
        numbers = winner[strip.with_halo]
        for i in np.unique(numbers):
            soft = guided_filter(guide[strip.with_halo], (numbers == i).astype(np.float32), radius=radius, eps=BLEND_EPS)
            shares[i, strip.rows] = strip.inner(soft).clip(0, 1)

    in_threads(share, strips(*winner.shape, BLEND_PIXELS, halo=2 * radius))
    shares /= shares.sum(0)
    fused = np.zeros_like(chosen)
    for weight, image in zip(shares, images, strict=True):
        fused += weight[..., None] * image if image.ndim == 3 else weight * image
    return fused, shares


def calibrated(
    images: Sequence[np.ndarray], judge: Judge, *, form: Literal["rank", Calibration] = "carry"
) -> tuple[np.ndarray, np.ndarray]:
    """Look at every image once, and let their clarities decide.

    Args:
        images: As for `serial`.
        judge: The decision network.
        form: ``"carry"`` is `carried`, ``"rank"`` is `ranked`, for which the judge must rank. The other two compare every image
            with the first only: ``"literal"`` is Eq. 19 of GACN on the final maps with the authors' 1e-4 in the denominator;
            saturated maps tie, and the earlier image wins. ``"log"`` is the same order of clarities taken from the logits, which
            do not saturate at 0 and 1 (A4.6).
    Returns:
        The fused image and the decision (N, H, W); of ``"literal"`` and ``"log"`` every pixel is copied from one source.
    """
    if form in ("carry", "rank"):
        return {"carry": carried, "rank": ranked}[form](images, judge)
    best, winner, fused, first = None, None, None, None
    for i, image in enumerate(progress(images)):
        if i == 0:
            fused, first, winner = image.copy(), judge.look(image), np.zeros(image.shape[:2], np.intp)
            continue
        final, logit = judge.compare(first, judge.look(image))
        if form == "log":
            value, start = -logit, np.zeros_like(logit)  # log clarity of image i over that of the first
        elif i == 1:
            value, start, reference = 1 - final, final, final  # Eq. 19 fixes the clarities of the first two to sum to 1
        else:
            value = reference * (1 - final) / (final + 1e-4)
        best = start.copy() if best is None else best
        better = value > best
        fused[better], winner[better], best[better] = image[better], i, value[better]
    return fused, (winner == np.arange(len(images))[:, None, None]).astype(np.float32)


def progress(parts: Sequence[Part], unit: str = "image") -> Iterable[Part]:
    """The images, or whatever the work consists of, one by one; on a terminal with a bar once two seconds have passed."""
    from tqdm import tqdm

    return tqdm(parts, desc="fusing", unit=unit, delay=2, leave=False, disable=None)


class Floats(Sequence):
    """The images of a stack as float32 in [0, 1], each made when it is asked for."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> np.ndarray:
        return to_unit(self.images[index])
