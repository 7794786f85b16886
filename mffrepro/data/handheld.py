"""Focal stacks as a camera in the hand takes them, made from a known scene: with the usual faults, and with the truth.

Each frame is the scene through a thin lens, seen from where the hand held the camera. Then come, in the order of the light's way,
exposure, noise, and pixels of the sensor that are always bright.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mffrepro.data.embedded import DEFOCUS, focus_settings, stereo_scene
from mffrepro.data.lens import focal_stack
from mffrepro.errors import ImageError, OptionError
from mffrepro.images import FocusStack, from_unit, to_unit
from mffrepro.images.light import multiply_light

#: Pixels of the scene around the middle frame, so that no camera looks past it.
MARGIN = 32


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Say what goes wrong while a stack is taken; 0 or None switches a fault off.

    Attributes:
        shake: Standard deviation of the shift of each frame along either axis, pixels.
        turn: Standard deviation of its rotation, degrees.
        breathing: Growth of the picture from each frame to the next, as a share.
        light: Change of the light of every third frame, as a share.
        hot_pixels: Number of pixels of the sensor that are always bright.
        dark_frame: Number of a frame, from 0, for which the flash did not fire: a twentieth of the light.
        noise: Standard deviation of the noise of the sensor, in levels of 255.
    """

    shake: float = 3.0
    turn: float = 0.2
    breathing: float = 0.006
    light: float = 0.15
    hot_pixels: int = 60
    dark_frame: int | None = 5
    noise: float = 0.5


#: No fault at all: a camera on a tripod, a lens that does not breathe, steady light.
NONE = Faults(shake=0, turn=0, breathing=0, light=0, hot_pixels=0, dark_frame=None, noise=0)


@dataclass(frozen=True, eq=False)
class Shots:
    """Hold the frames of a hand-held stack and the truth about them.

    Attributes:
        images: (N, h, w, 3) uint8.
        scene: (H, W, 3) uint8, sharp everywhere.
        focus: (H, W) float32, the number of the frame in which each pixel of the scene is sharpest, with fractions.
        poses: (N, 3, 3), from pixels of each frame to pixels of the scene.
        gains: (N,) factor of the light of each frame.
        hot: (h, w) bool, pixels that are always bright.
    """

    images: np.ndarray
    scene: np.ndarray
    focus: np.ndarray
    poses: np.ndarray
    gains: np.ndarray
    hot: np.ndarray

    def with_truth(
        self, stack: FocusStack, transforms: np.ndarray | None = None, frames: Sequence[int] | None = None
    ) -> FocusStack:
        """Add the sharp scene, seen from where the frames were moved to, as reference.

        Args:
            stack: Made of these frames, whatever was done to them.
            transforms: (n, 3, 3), from each of its frames to its pixels; None for frames that were left in place.
            frames: Numbers of its frames; all by default.

        Returns:
            The stack with a reference (h, w, 3).

        Raises:
            ImageError: There is not one transform for each frame.
        """
        return replace(stack, reference=_see(self.scene, self.pose(transforms, frames), stack.images.shape[1:3]))

    def true_depth(
        self, shape: tuple[int, int], transforms: np.ndarray | None = None, frames: Sequence[int] | None = None
    ) -> np.ndarray:
        """Return the number (h, w) of the sharpest frame at each pixel of a stack.

        It counts the frames of that stack from 0, with fractions.

        Args:
            shape: Height and width of the stack.
            transforms: As for `with_truth`.
            frames: As for `with_truth`.

        Raises:
            ImageError: As for `with_truth`.
        """
        import cv2

        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP  # between two depths there is nothing
        seen = cv2.warpAffine(self.focus, self.pose(transforms, frames)[:2], shape[::-1], flags=flags)
        kept = np.arange(len(self.images)) if frames is None else np.asarray(frames)
        return np.interp(seen, kept, np.arange(len(kept))).astype(np.float32)

    def pose(self, transforms: np.ndarray | None = None, frames: Sequence[int] | None = None) -> np.ndarray:
        """Average the transforms of `to_scene` over the frames: (3, 3).

        Args:
            transforms: As for `with_truth`.
            frames: As for `with_truth`.

        Raises:
            ImageError: As for `with_truth`.
        """
        return self.to_scene(transforms, frames).mean(0)

    def to_scene(self, transforms: np.ndarray | None = None, frames: Sequence[int] | None = None) -> np.ndarray:
        """Follow each frame (n, 3, 3) from the pixels of a stack to the scene.

        Where the frames were aligned without error all are equal.

        Args:
            transforms: As for `with_truth`.
            frames: As for `with_truth`.

        Raises:
            ImageError: As for `with_truth`.
        """
        poses = self.poses if frames is None else self.poses[list(frames)]
        if transforms is None:
            return poses
        if len(transforms) != len(poses):
            raise ImageError(f"{len(transforms)} transforms for {len(poses)} frames; give one for each frame that was kept")
        return poses @ np.linalg.inv(transforms)


def take_shots(faults: Faults | None = None, *, frames: int = 8, size: int = 640, seed: int = 1) -> Shots:
    """Photograph the motorcycle of the embedded set from the hand, near to far.

    Args:
        faults: What goes wrong; by default everything in `Faults`.
        frames: Number of photographs.
        size: Longer side of the scene, pixels; the frames are 64 pixels smaller.
        seed: Of shake, noise and the places of hot pixels.

    Raises:
        OptionError: Fewer than two frames, a size under 192, or a dark frame that does not exist.
    """
    faults = Faults() if faults is None else faults
    if frames < 2 or size < 192 or not 0 <= (faults.dark_frame or 0) < frames:
        raise OptionError(
            f"frames={frames}, size={size}, dark_frame={faults.dark_frame}; give 2 frames or more, a size of 192 or more, "
            "and a dark frame among them"
        )
    return photograph(*stereo_scene(size), faults, frames=frames, seed=seed)


def photograph(
    scene: np.ndarray, disparity: np.ndarray, faults: Faults, *, frames: int = 8, seed: int = 1, defocus: float = DEFOCUS
) -> Shots:
    """Photograph a scene of known depth from the hand, near to far.

    Args:
        scene: (H, W, 3) uint8, sharp everywhere, larger than the frames by `MARGIN` on each side.
        disparity: (H, W), larger is nearer.
        faults: What goes wrong.
        frames: Number of photographs.
        seed: Of shake, noise and the places of hot pixels.
        defocus: Radius of the largest circle of confusion, as a share of the longer side.
    """
    settings = focus_settings(disparity, frames)
    aperture = defocus * max(scene.shape) / (settings[0] - settings[-1])
    slices = focal_stack(scene, disparity, settings, aperture)
    shape = scene.shape[0] - 2 * MARGIN, scene.shape[1] - 2 * MARGIN
    random = np.random.default_rng(seed)
    poses, gains = _poses(faults, frames, shape, random), _gains(faults, frames)
    hot = _hot_pixels(faults, shape, random)
    images = np.stack([_see(one, pose, shape) for one, pose in zip(slices, poses, strict=True)])
    images = np.stack([_expose(one, gain, faults.noise, hot, random) for one, gain in zip(images, gains, strict=True)])
    focus = np.interp(disparity, settings[::-1], np.arange(frames)[::-1]).astype(np.float32)
    return Shots(images, scene, focus, poses, gains, hot)


def _poses(faults: Faults, frames: int, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Shift, turn and shrink about the middle of the frame: what fills a smaller part of the scene is larger in the frame."""
    shifts, turns = random.normal(0, 1, (frames, 2)), random.normal(0, 1, frames)
    middle = (np.array(shape[::-1]) - 1) / 2
    poses = np.repeat(np.eye(3)[None], frames, 0)
    for n, pose in enumerate(poses):
        growth = (1 + faults.breathing) ** (n - (frames - 1) / 2)
        turned = np.exp(1j * np.radians(faults.turn * turns[n])) / growth
        pose[:2, :2] = [[turned.real, -turned.imag], [turned.imag, turned.real]]
        pose[:2, 2] = MARGIN + middle - pose[:2, :2] @ middle + faults.shake * shifts[n]
    return poses


def _gains(faults: Faults, frames: int) -> np.ndarray:
    gains = np.where(np.arange(frames) % 3 == 1, 1 + faults.light, 1.0)
    if faults.dark_frame is not None:
        gains[faults.dark_frame] = 0.05
    return gains


def _hot_pixels(faults: Faults, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    hot = np.zeros(shape, bool)
    hot.flat[random.choice(hot.size, faults.hot_pixels, replace=False)] = True
    return hot


def _expose(image: np.ndarray, gain: float, noise: float, hot: np.ndarray, random: np.random.Generator) -> np.ndarray:
    lit = image if gain == 1 else multiply_light(image, np.full(3, gain))
    if noise:
        lit = from_unit(np.clip(to_unit(lit) + random.normal(0, noise / 255, lit.shape).astype(np.float32), 0, 1), lit.dtype)
    lit = lit.copy()
    lit[hot] = 255
    return lit


def _see(image: np.ndarray, pose: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Look at an image through a camera, by Lanczos interpolation."""
    import cv2

    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, pose[:2], shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
