"""Draw focal stacks that look like photographs: a scene, a lens, and the faults of a camera, each at random, with the truth.

A scene is a photograph with label maps and a depth drawn for it, see `mffrepro.data.layered`. A lens is how far it blurs, by a
round or a six-sided aperture. The camera adds what real frames have: noise, another exposure, a small shift, and the traces of
JPEG.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mffrepro.data.conditions import DepthStack
from mffrepro.data.labelled import LabelledImage
from mffrepro.data.layered import Shots, draw_disparity, take_stack
from mffrepro.data.regions import draw_mask
from mffrepro.errors import OptionError
from mffrepro.images import FocusStack, from_unit, to_unit

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Lens:
    """Say between which bounds the scenes and the blur of a stack are drawn.

    Attributes:
        blur: Radius of the circle of confusion at the other end of the scene's depth, pixels.
        surfaces: Share of scenes that are one tilted surface.
        cutouts: Share of scenes with two depths only: an object and a background.
        hexagons, gaussians: Shares of lenses whose circle of confusion is a hexagon, or a Gaussian; the others have a disc.
    """

    blur: Range = (2.0, 14.0)
    surfaces: float = 0.15
    cutouts: float = 0.25
    hexagons: float = 0.3
    gaussians: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Say how bad the faults of a camera may be.

    0 switches a fault off.

    Attributes:
        noise: Largest standard deviation of the noise at full light, where 1 is white; half of the stacks have less than a tenth.
        exposure: Largest change of the light of a frame, as a share; half of the stacks have none.
        shift: Largest shift of a frame along either axis, pixels; half of the stacks have none.
        jpeg: Least quality of JPEG; half of the stacks are not compressed.
    """

    noise: float = 0.03
    exposure: float = 0.03
    shift: float = 0.4
    jpeg: int = 80

    def __post_init__(self) -> None:
        if min(self.noise, self.exposure, self.shift) < 0 or not 0 <= self.jpeg <= 100:
            raise OptionError(f"{self}; give shares and pixels of at least 0, and a quality from 0 to 100")


#: A camera without faults.
FAULTLESS = Camera(noise=0.0, exposure=0.0, shift=0.0, jpeg=0)


def drawn_stack(
    regions: Sequence[LabelledImage],
    number: int,
    *,
    frames: tuple[int, int] = (2, 12),
    size: int = 320,
    lens: Lens | None = None,
    camera: Camera | None = None,
    seed: int = 1,
) -> DepthStack:
    """Draw a colour stack from one of several labelled photographs.

    Args:
        regions: Labelled photographs, see `mffrepro.data.load_regions`.
        number: From 0; photographs are taken in turn.
        frames: Fewest and most frames.
        size: Longer side in pixels, at most.
        lens: Bounds of scene and blur.
        camera: Bounds of the faults.
        seed: With the number, of everything that is drawn.

    Returns:
        A stack of 8 bits with the sharp scene as reference, and its depth in frames.

    Raises:
        OptionError: A size under 16, fewer than two frames, or more at least than at most.
    """
    check_bounds(size, frames)
    rng = np.random.default_rng((seed, number))
    image, labelled = shrunk(regions[number % len(regions)], size)
    shots = draw_stack(to_unit(image), labelled, int(rng.integers(frames[0], frames[1] + 1)), lens or Lens(), rng)
    spoilt = from_unit(spoil(shots.frames, camera or Camera(), rng), image.dtype)
    name = f"{number + 1:04d}_{labelled.name}"
    return DepthStack(name, FocusStack(name, spoilt, reference=image), shots.depth * (len(spoilt) - 1))


def check_bounds(size: int, frames: tuple[int, int]) -> None:
    """Raise OptionError for sizes and numbers of frames that no stack can have."""
    if size < 16 or not 2 <= frames[0] <= frames[1]:
        raise OptionError(f"size={size}, frames={frames}; give a size of 16 or more, and two ascending numbers of at least 2")


def shrunk(labelled: LabelledImage, size: int) -> tuple[np.ndarray, LabelledImage]:
    """Shrink a photograph and its label maps to `size` pixels on the longer side.

    Smaller ones stay as they are.
    """
    image = labelled.image
    scale = min(1.0, size / max(image.shape))
    shape = round(image.shape[1] * scale), round(image.shape[0] * scale)
    image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    labels = [cv2.resize(m.astype(np.uint16), shape, interpolation=cv2.INTER_NEAREST) for m in labelled.labels]
    return image, LabelledImage(labelled.name, lambda: image, lambda: labels)


def draw_stack(image: np.ndarray, labelled: LabelledImage, count: int, lens: Lens, rng: np.random.Generator) -> Shots:
    """Draw a scene and take a focal stack of it, without any fault of a camera.

    Args:
        image: Photograph, (H, W) or (H, W, 3).
        labelled: Its label maps, (H, W).
        count: Frames, at least 2.
        lens: Bounds of what is drawn.
        rng: Source of all randomness.
    """
    blur = np.exp(rng.uniform(*np.log(lens.blur)))
    kind, shape = rng.random(2)
    if kind < lens.cutouts:
        disparity = draw_mask(labelled, rng).astype(np.float32)
    elif kind < lens.cutouts + lens.surfaces:
        disparity = draw_disparity(_unlabelled(labelled, image.shape[:2]), rng)
    else:
        disparity = draw_disparity(labelled, rng)
    psf = "hexagon" if shape < lens.hexagons else "gaussian" if shape < lens.hexagons + lens.gaussians else "disc"
    return take_stack(image, disparity, count, blur / (count - 1), psf=psf, from_near=rng.random() < 0.5)


def _unlabelled(labelled: LabelledImage, shape: tuple[int, int]) -> LabelledImage:
    return LabelledImage(labelled.name, lambda: labelled.image, lambda: [np.zeros(shape, np.uint8)])


def spoil(frames: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Add the faults of a camera to the frames of a stack.

    Args:
        frames: (N, H, W) or (N, H, W, 3), float in [0, 1].
        camera: Bounds of what is drawn.
        rng: Source of all randomness.

    Returns:
        Same shape, float32 in [0, 1].
    """
    noise = camera.noise * (rng.random() if rng.random() < 0.5 else 0.1 * rng.random())
    exposure, shift = (bound * (rng.random() < 0.5) for bound in (camera.exposure, camera.shift))
    quality = int(rng.integers(camera.jpeg, 101)) if camera.jpeg and rng.random() < 0.5 else None
    spoilt = [_moved(frame, rng.uniform(-shift, shift, 2)) * (1 + rng.uniform(-exposure, exposure)) for frame in frames]
    spoilt = [frame + noise * np.sqrt(0.1 + 0.9 * np.clip(frame, 0, 1)) * rng.standard_normal(frame.shape) for frame in spoilt]
    spoilt = np.clip(spoilt, 0, 1).astype(np.float32)
    return spoilt if quality is None else np.stack([_compressed(frame, quality) for frame in spoilt])


def _moved(frame: np.ndarray, shift: np.ndarray) -> np.ndarray:
    if not shift.any():
        return frame
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(frame, move, frame.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _compressed(frame: np.ndarray, quality: int) -> np.ndarray:
    levels = (255 * frame[..., ::-1] if frame.ndim == 3 else 255 * frame).round().astype(np.uint8)
    coded = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED).astype(np.float32) / 255
    return decoded[..., ::-1] if frame.ndim == 3 else decoded
