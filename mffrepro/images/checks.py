"""Find frames that do not belong to a stack: black, white, doubled, displaced or repeated ones.

A frame is compared with all others on small, blurred copies, on which the frames of a focal stack are alike whatever is in focus,
and in whatever order they come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mffrepro.images.arrays import to_gray, to_unit
from mffrepro.progress import steps

#: Longer side of the small copies, and the standard deviation of their blur, pixels.
SIDE, BLUR = 512, 4.0
#: A frame does not belong if it differs from all others, as one minus the correlation, by more than this and by more than so
#: many times the median frame. Measured on five stacks, among them hand-held ones and a breathing lens: at most 0.0015 or 5 times
#: the median; a frame of 512 pixels moved by one pixel in both directions: 0.012.
LEAST_DIFFERENCE, TIMES_MEDIAN = 0.003, 6.0
#: A frame whose mean is less than the first, or more than the second, times the median frame's does not belong.
DARKER, BRIGHTER = 0.4, 2.5
#: A frame shows nothing if its standard deviation is less than this share of white, and so many times less than another frame's.
EMPTY, FAINTER = 0.004, 10
#: A frame is gray if its channels differ nowhere by more than this share of white, the rounding of 8 bits.
GRAY = 1 / 255
#: With fewer frames nobody can tell which one is wrong, unless it shows nothing.
LEAST_FRAMES = 4
#: Frames whose details correlate by less than this hardly show one scene. Of 99 published and made pairs the least had 0.64;
#: two scenes have under 0.3.
ONE_SCENE = 0.4


@dataclass(frozen=True)
class Outlier:
    """Name a frame that does not belong to its stack.

    Attributes:
        index: Number of the frame, from 0.
        reason: What it is, to follow the frame's name: ``"is black"``.
    """

    index: int
    reason: str


def find_outliers(images: Sequence[np.ndarray], *, registered: bool = True) -> list[Outlier]:
    """Find frames that do not belong to a stack or repeat an earlier one.

    Args:
        images: N of (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1].
        registered: Whether a displaced frame does not belong; with False only brightness counts, as before a registration.

    Returns:
        One entry for each such frame, in their order; none where over a third of the frames would be left out, since then the
        stack itself is unlike what these checks assume. Frames that show nothing are found in any number, as long as others show
        something. With under four frames, only these and repeated ones are found.
    """
    small = np.stack([_shrink(image) for image in steps(images, "checking")])
    repeated = _repeated(images, small)
    rest = [i for i in range(len(images)) if i not in {one.index for one in repeated}]
    bare = _bare(small[rest], rest)
    rest = [i for i in rest if i not in {one.index for one in bare}]
    strange = _strange(images, small[rest], rest, registered) if len(rest) >= LEAST_FRAMES else []
    return sorted(repeated + bare + strange, key=lambda one: one.index)


def find_strangers(images: Sequence[np.ndarray]) -> tuple[int, int] | None:
    """Find neighbours that hardly show the same scene.

    It is for stacks that are too short for `find_outliers` to say which frame is wrong.

    Args:
        images: As for `find_outliers`.

    Returns:
        Their numbers, from 0; None where all show one scene.
    """
    small = np.stack([_shrink(image) for image in steps(images, "checking")])
    likeness, shows = _likeness(small), small.std((1, 2)) > EMPTY
    unlike = [(n, n + 1) for n in range(len(small) - 1) if shows[n : n + 2].all() and likeness[n, n + 1] < ONE_SCENE]
    return next((pair for pair in unlike if _difference_of_colours(*(images[n] for n in pair)) > 1 - ONE_SCENE), None)


def _shrink(image: np.ndarray) -> np.ndarray:
    """Return a small, blurred gray copy, float32 in [0, 1]."""
    unit = _shrink_colours(image)
    return to_gray(unit) if unit.ndim == 3 else unit


def _shrink_colours(image: np.ndarray) -> np.ndarray:
    import cv2

    scale = min(1.0, SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.GaussianBlur(to_unit(cv2.resize(image, size, interpolation=cv2.INTER_AREA)), (0, 0), BLUR)


def _repeated(images: Sequence[np.ndarray], small: np.ndarray) -> list[Outlier]:
    """Find frames equal to an earlier one; two frames are a stack even if they are equal."""
    found = []
    for i in range(1, len(images)):
        earlier = next((j for j in range(i) if (small[i] == small[j]).all() and (images[i] == images[j]).all()), None)
        if earlier is not None and len(images) - len(found) > 2:
            found.append(Outlier(i, f"repeats frame {earlier + 1}"))
    return found


def _bare(small: np.ndarray, numbers: Sequence[int]) -> list[Outlier]:
    """Find frames that show nothing where others do."""
    means, spreads = small.mean((1, 2)), small.std((1, 2))
    bare = (spreads < EMPTY) & (spreads.max() > EMPTY) & (spreads < spreads.max() / FAINTER)
    return [Outlier(numbers[i], _nothing(means[i])) for i in np.flatnonzero(bare)]


def _nothing(mean: float) -> str:
    return "is black" if mean < 0.1 else "is white" if mean > 0.9 else "is empty"


def _strange(images: Sequence[np.ndarray], small: np.ndarray, numbers: Sequence[int], registered: bool) -> list[Outlier]:
    means = small.mean((1, 2))
    share = means / max(float(np.median(means)), 1e-6)
    odd = (share < DARKER) | (share > BRIGHTER)
    if registered:
        likeness = _likeness(small)
        difference = 1 - likeness.max(1)
        limit = max(LEAST_DIFFERENCE, TIMES_MEDIAN * float(np.median(difference)))
        for i in np.flatnonzero(difference > limit):
            nearest = int(likeness[i].argmax())
            odd[i] |= _difference_of_colours(images[numbers[i]], images[numbers[nearest]]) > limit
    if odd.sum() > len(numbers) / 3:
        return []
    return [Outlier(numbers[i], _reason(share[i])) for i in np.flatnonzero(odd)]


def _reason(share: float) -> str:
    if share > 1.5 or share < 1 / 1.5:
        return f"is {share:.1f} times as bright as the others"
    return "is displaced, doubled or of another scene"


def _likeness(small: np.ndarray) -> np.ndarray:
    """Return the correlation of each frame with each other; -1 with itself."""
    details = np.stack([_details(image) for image in small])
    details /= np.maximum(np.linalg.norm(details, axis=1, keepdims=True), 1e-5)
    likeness = details @ details.T
    np.fill_diagonal(likeness, -1)
    return likeness


def _details(image: np.ndarray) -> np.ndarray:
    """Return what is left of a small gray image without light and shade of large areas, one value a pixel."""
    import cv2

    details = (image - cv2.GaussianBlur(image, (0, 0), 6 * BLUR)).ravel()
    return details - details.mean()


def _difference_of_colours(image: np.ndarray, other: np.ndarray) -> float:
    """Return one minus the correlation of an image with the mixture of another's channels that resembles it most.

    A program may have weighted the colours in any way when it made a gray frame. Images in colour are compared in gray, where a
    mixture would be too good at hiding what differs.
    """
    ours, theirs = _shrink_colours(image), _shrink_colours(other)
    if theirs.ndim == 2 or (ours.ndim == 3 and np.ptp(ours, axis=2).max() > GRAY):
        return np.inf
    wanted = _details(ours[..., 0] if ours.ndim == 3 else ours)
    channels = np.stack([_details(theirs[..., k]) for k in range(3)], 1)
    mixture = channels @ np.linalg.lstsq(channels, wanted, rcond=None)[0]
    return 1 - float(wanted @ mixture / max(np.linalg.norm(wanted) * np.linalg.norm(mixture), 1e-10))
