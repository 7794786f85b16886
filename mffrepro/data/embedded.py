"""Multi-focus stacks from the photographs inside the scikit-image wheel: no network, and the truth is known.

Five photographs carry the outline of what stands in front, drawn by hand as polygons; from each come pairs at five blur
levels and one pair with defocus spread. The stereo motorcycle carries a measured disparity map; from it comes a focal
stack through a thin lens. The same call gives the same arrays every time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mffrepro.data.labelled import LabelledImage
from mffrepro.data.lens import focal_stack, sharpest_slice
from mffrepro.data.outlines import OUTLINES, draw_outline
from mffrepro.data.synthetic import composite, defocus_spread
from mffrepro.errors import DataError, OptionError, unknown
from mffrepro.images import FocusStack, read_image

KINDS = ("all", "composite", "spread", "lens")
LEVELS = (1, 2, 3, 4, 5)
SLICES = 8
#: Radius of the largest circle of confusion in the focal stack, as a share of the longer side.
DEFOCUS = 0.012


def embedded_stacks(
    *, kind: str = "all", levels: Sequence[int] = LEVELS, size: int = 512, slices: int = SLICES
) -> Mapping[str, Callable[[], FocusStack]]:
    """List stack names and the functions that make the stacks.

    Args:
        kind: ``"composite"`` (hard outlines), ``"spread"`` (blur over the outline), ``"lens"`` (focal stack) or ``"all"``.
        levels: Blur levels of the composites: how often the 7x7 kernel of sigma 2 is applied.
        size: Longer side of the images in pixels, at most; smaller photographs keep theirs.
        slices: Images in the focal stack.

    Raises:
        OptionError: An unknown kind, a level below 1, a size below 64, or fewer than two slices.
    """
    if kind not in KINDS:
        raise unknown("kind of embedded data", kind, KINDS)
    if not levels or min(levels) < 1 or size < 64 or slices < 2:
        raise OptionError(f"levels={tuple(levels)}, size={size}, slices={slices}; give levels >= 1, size >= 64, slices >= 2")
    makers: dict[str, Callable[[], FocusStack]] = {}
    if kind in ("all", "composite"):
        makers |= {f"{scene}_blur{n}": partial(_composite, scene, n, size) for scene in OUTLINES for n in levels}
    if kind in ("all", "spread"):
        makers |= {f"{scene}_spread": partial(_spread, scene, size) for scene in OUTLINES}
    if kind in ("all", "lens"):
        makers["motorcycle_lens"] = partial(_motorcycle, slices, size)
    return makers


def embedded_regions(size: int = 512) -> list[LabelledImage]:
    """Return five photographs with outlines as label maps: 1 inside, 0 outside."""
    return [LabelledImage(name, partial(_photograph, name, size), partial(_labels, name, size)) for name in OUTLINES]


def _composite(name: str, level: int, size: int) -> FocusStack:
    image, mask = outlined_scene(name, size)
    return _masked_stack(f"{name}_blur{level}", composite(image, mask, 2.0, size=7, level=level), image, mask)


def _spread(name: str, size: int) -> FocusStack:
    image, mask = outlined_scene(name, size)
    return _masked_stack(f"{name}_spread", defocus_spread(image, mask), image, mask)


def _masked_stack(name: str, images: np.ndarray, image: np.ndarray, mask: np.ndarray) -> FocusStack:
    return FocusStack(name, images, reference=image, decision=np.stack([mask, ~mask]).astype(np.float32))


def _motorcycle(slices: int, size: int) -> FocusStack:
    image, disparity = stereo_scene(size)
    focuses = focus_settings(disparity, slices)
    aperture = DEFOCUS * max(image.shape) / (focuses[0] - focuses[-1])
    images = focal_stack(image, disparity, focuses, aperture)
    return FocusStack("motorcycle_lens", images, reference=image, decision=sharpest_slice(disparity, focuses))


def focus_settings(disparity: np.ndarray, slices: int) -> np.ndarray:
    """Spread focus settings evenly over the depths of a scene, near to far.

    The outermost fiftieths of the scene are left out.

    Args:
        disparity: (H, W), larger is nearer.
        slices: Number of settings.
    """
    return np.linspace(*np.quantile(disparity, (0.98, 0.02)), slices)


# ------------------------------------------------------------------------------------------------- scenes


def outlined_scene(name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Read photograph and outline, cropped and shrunk alike.

    Args:
        name: Of `OUTLINES`.
        size: Longer side in pixels, at most.

    Returns:
        The photograph (H, W) or (H, W, 3) uint8, and what stands in front (H, W) bool.
    """
    outline = OUTLINES[name]
    image, scale = _shrink(_open(outline.file)[outline.crop], size)
    return image, draw_outline(outline, image.shape[:2], scale)


def _photograph(name: str, size: int) -> np.ndarray:
    return outlined_scene(name, size)[0]


def _labels(name: str, size: int) -> tuple[np.ndarray]:
    return (outlined_scene(name, size)[1].astype(np.uint8),)


def stereo_scene(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the motorcycle and its disparity map without holes, shrunk alike.

    Args:
        size: Longer side in pixels, at most.

    Returns:
        The photograph (H, W, 3) uint8, and disparities (H, W) float32 in its pixels; larger is nearer.
    """
    image, scale = _shrink(_open("motorcycle_left.png"), size)
    with np.load(_data_folder() / "motorcycle_disp.npz") as file:
        disparity = fill_holes(file["arr_0"])
    return image, _nearest(disparity, image.shape[:2]) * np.float32(scale)


def fill_holes(disparity: np.ndarray) -> np.ndarray:
    """Fill missing values along the rows by the farther of the two neighbours.

    Values that are not finite are missing.

    Holes of a measured disparity map are mostly what one camera sees and the other does not, and that is background.
    """
    known = np.isfinite(disparity)
    columns = np.arange(disparity.shape[1])
    left = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, len(columns))[:, ::-1], axis=1)[:, ::-1]
    values = np.pad(np.where(known, disparity, np.inf), ((0, 0), (1, 1)), constant_values=np.inf)
    rows = np.arange(len(disparity))[:, None]
    filled = np.minimum(values[rows, left + 1], values[rows, right + 1])
    return np.where(np.isfinite(filled), filled, disparity[known].min()).astype(np.float32)


def _shrink(image: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, size / max(height, width))
    if scale == 1.0:
        return np.ascontiguousarray(image), scale
    shape = round(width * scale), round(height * scale)
    return cv2.resize(np.ascontiguousarray(image), shape, interpolation=cv2.INTER_AREA), scale


def _nearest(array: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize by the nearest value: averaging disparities over an edge would make a depth at which there is nothing."""
    rows, columns = (((np.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(shape, array.shape, strict=True))
    return array[rows[:, None], columns]


def _open(file: str) -> np.ndarray:
    return read_image(_data_folder() / file)


def _data_folder() -> Path:
    """Find the photographs of the wheel; they are read directly, since ``skimage.data`` would download missing ones."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    if not (folder / "motorcycle_disp.npz").is_file():
        raise DataError(f"{folder} lacks the photographs of the scikit-image wheel; install scikit-image with pip or conda again")
    return folder
