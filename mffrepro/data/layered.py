"""Draw scenes with depth from labelled photographs, and take focal stacks of them through a lens.

No photograph with a label map has a depth map. But its regions are where things end, so a plane drawn for each of them makes a
scene in which depth jumps where the picture does. The lens then blurs near things over far ones.
"""

from typing import NamedTuple

import numpy as np

from mffrepro.data.labelled import LabelledImage
from mffrepro.data.lens import focal_stack

#: Standard deviation of the slope of a plane: change of disparity across the picture.
SLOPE = 0.3
#: Share of the regions whose plane is tilted; the others stand upright.
TILTED = 0.5
#: Steps of disparity that are blurred one by one.
LAYERS = 24


class Shots(NamedTuple):
    """Hold a focal stack of a drawn scene and its depth.

    Attributes:
        frames: (N, H, W[, 3]), type of the photograph.
        depth: (H, W) float32 in [0, 1]: 0 is sharpest in the first frame, 1 in the last.
    """

    frames: np.ndarray
    depth: np.ndarray


def draw_disparity(labelled: LabelledImage, rng: np.random.Generator) -> np.ndarray:
    """Draw a plane for each region of one of a photograph's label maps.

    Returns:
        (H, W) float32 from 0, far, to 1, near.
    """
    labels = labelled.labels[rng.integers(len(labelled.labels))]
    regions, flat = np.unique(labels, return_inverse=True)
    flat = flat.reshape(labels.shape)
    offsets = rng.random(len(regions))
    slopes = rng.normal(0, SLOPE, (2, len(regions))) * (rng.random(len(regions)) < TILTED)
    rows, columns = (np.linspace(-0.5, 0.5, side) for side in labels.shape)
    planes = offsets[flat] + slopes[0][flat] * rows[:, None] + slopes[1][flat] * columns
    low, high = planes.min(), planes.max()
    return ((planes - low) / max(high - low, np.finfo(float).tiny)).astype(np.float32)


def take_stack(
    image: np.ndarray, disparity: np.ndarray, count: int, step: float, *, psf: str = "disc", from_near: bool = False
) -> Shots:
    """Take a focal stack of a scene, focused at equal steps of disparity.

    Args:
        image: Photograph, sharp everywhere, (H, W) or (H, W, 3).
        disparity: (H, W) in [0, 1].
        count: Frames, at least 2.
        step: Radius of the blur that a thing in focus in one frame has in the next, pixels.
        psf: ``"disc"`` or ``"gaussian"``, see `mffrepro.data.lens.thin_lens`.
        from_near: Whether the first frame is focused on the nearest thing.

    Raises:
        ImageError: The disparity map is of another size or not finite.
        OptionError: A negative step, or an unknown psf.
    """
    focuses = np.linspace(0, 1, count)
    depth = np.asarray(disparity, np.float32)
    if from_near:
        focuses, depth = focuses[::-1], 1 - depth
    return Shots(focal_stack(image, disparity, list(focuses), step * (count - 1), psf=psf, layers=LAYERS), depth)
