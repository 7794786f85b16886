"""Stacks whose frames were moved by known transforms, for the tests of alignment."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

import mffrepro as mff
from mffrepro.alignment.geometry import grid, move

SIZE, MARGIN = 320, 96


@cache
def photograph(name: str = "astronaut", *, colour: bool = False) -> np.ndarray:
    """A photograph of 512 x 512 pixels, float in [0, 1]."""
    image = mff.load("embedded", kind="composite", levels=[1])[f"{name}_blur1"].reference / np.float32(255)
    return image if colour or image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def zoom(scale: float = 1, x: float = 0, y: float = 0, degrees: float = 0) -> np.ndarray:
    """The transform from a frame to the scene: magnified and turned about the middle of the frame, then shifted."""
    turn = scale * np.exp(1j * np.radians(degrees))
    matrix = np.array([[turn.real, -turn.imag, x], [turn.imag, turn.real, y], [0, 0, 1]])
    matrix[:2, 2] += (np.eye(2) - matrix[:2, :2]) @ [(SIZE - 1) / 2, (SIZE - 1) / 2]
    return matrix


def moved_stack(scene: np.ndarray, truth: Sequence[np.ndarray], *, blur: float = 2.5, noise: float = 0) -> np.ndarray:
    """Photograph a scene through transforms from frame to scene; the focus sweeps from top to bottom. uint8."""
    soft = cv2.GaussianBlur(scene, (0, 0), blur)
    rows = np.linspace(0, 1, len(scene)).reshape(-1, *[1] * (scene.ndim - 1))
    random, frames = np.random.default_rng(0), []
    for transform, focus in zip(truth, np.linspace(0.2, 0.8, len(truth)), strict=True):
        share = np.clip(2 * np.abs(rows - focus), 0, 1).astype(np.float32)
        photograph = view(scene * (1 - share) + soft * share, transform)
        frames.append(photograph + random.normal(0, noise, photograph.shape))
    return np.uint8(np.clip(np.rint(255 * np.stack(frames)), 0, 255))


def view(scene: np.ndarray, transform: np.ndarray, corner: tuple[int, int] = (MARGIN, MARGIN)) -> np.ndarray:
    """Photograph a scene through a transform from a frame to the part of the scene with this corner, x and y."""
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    points = move(transform, np.stack([x, y], -1)) + corner
    channels = np.moveaxis(np.atleast_3d(scene), -1, 0)
    seen = [map_coordinates(channel, [points[..., 1], points[..., 0]]) for channel in channels]
    return np.stack(seen, -1).squeeze()


def residual(found: np.ndarray, truth: Sequence[np.ndarray]) -> float:
    """How far the worst frame lies off the middle one after alignment: the root mean square over the frame, in pixels."""
    middle = (len(truth) - 1) // 2
    points = grid((SIZE, SIZE))
    errors = []
    for ours, theirs in zip(found, truth, strict=True):
        wanted = move(np.linalg.inv(truth[middle]) @ theirs, points)
        errors.append(np.sqrt(((move(np.linalg.inv(found[middle]) @ ours, points) - wanted) ** 2).sum(-1).mean()))
    return max(errors)
