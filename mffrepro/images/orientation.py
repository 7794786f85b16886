"""Turn pictures upright by their EXIF orientation, and settle frames of one stack that disagree about it."""

from collections.abc import Sequence

import numpy as np

#: Tag of the orientation in EXIF and in TIFF.
ORIENTATION = 0x0112
#: EXIF orientation -> (transpose, flip rows, flip columns), applied in that order.
_TURNS = {2: (0, 0, 1), 3: (0, 1, 1), 4: (0, 1, 0), 5: (1, 0, 0), 6: (1, 0, 1), 7: (1, 1, 1), 8: (1, 1, 0)}


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image (H, W, ...) upright by its EXIF orientation; the result is a view."""
    transpose, rows, columns = _TURNS.get(orientation, (0, 0, 0))
    image = image.swapaxes(0, 1) if transpose else image
    return image[:: -1 if rows else 1, :: -1 if columns else 1]


def turned_back(orientation: int) -> int:
    """Return the orientation that turns an upright image back to how it was stored."""
    return {6: 8, 8: 6}.get(orientation, orientation)


def follow_sensor(sizes: Sequence[tuple[int, int]], orientations: Sequence[int]) -> bool:
    """Tell whether frames belong together as stored, not as EXIF turns them.

    A camera that points straight down, or is tilted between frames, guesses its orientation anew for each frame, while the sensor
    stays where it is. So where orientations differ and all stored sizes agree, the frames are used as stored.

    Args:
        sizes: Stored (height, width) of each frame.
        orientations: EXIF orientation of each frame.
    """
    return len(set(orientations)) > 1 and len(set(sizes)) == 1
