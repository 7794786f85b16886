"""Look through the frames of a stack once, and keep of each pixel how sharp it is at most, in which frame, and against what.

Sharpness is the energy of the second derivatives around a pixel [nayar1994]. Frames pass one after the other: memory does not
grow with their number.
"""

import cv2
import numpy as np

from mffrepro.fusion.laplacian import modified_laplacian
from mffrepro.fusion.noise import ENERGY_OF_NOISE

#: A peak that exceeds the other frames by this many times the noise's energy is trusted by half.
DOUBT = 4.0


def focus_energy(gray: np.ndarray, sigma: float) -> np.ndarray:
    """Compute the energy of second derivatives around each pixel.

    Args:
        gray: (H, W) float32 in [0, 1].
        sigma: Standard deviation of the surroundings, pixels.

    Returns:
        (H, W) float32, the sum of the absolute second differences along rows and columns, squared, averaged by a Gaussian.
    """
    modified = modified_laplacian(gray)
    return cv2.GaussianBlur(cv2.multiply(modified, modified), (0, 0), sigma)


class FocusScan:
    """Keep the largest focus energy of each pixel, and its frame.

    And the energies of the frames beside it, and the sum.

    Args:
        sigma: Surroundings whose sharpness counts for a pixel, the standard deviation of a Gaussian in pixels.
        noise: Variance of the frames' noise.

    Attributes:
        count: Frames so far.
        light: (H, W) float32, the sum of the frames in gray.
    """

    def __init__(self, sigma: float, noise: float) -> None:
        self.sigma, self.count = sigma, 0
        self._noise = ENERGY_OF_NOISE * noise

    def add(self, gray: np.ndarray) -> None:
        """Take in the next frame, (H, W) float32 in [0, 1]."""
        energy = focus_energy(gray, self.sigma)
        if self.count == 0:
            self._best, self._frame = energy.copy(), np.zeros(energy.shape, np.int32)
            self._before, self._after = np.full_like(energy, np.nan), np.full_like(energy, np.nan)
            self._total, self.light = energy.copy(), gray.copy()
        else:
            self._compare(energy)
            self._total += energy
            self.light += gray
        self._last, self.count = energy, self.count + 1

    def _compare(self, energy: np.ndarray) -> None:
        np.copyto(self._after, energy, where=self._frame == self.count - 1)
        larger = energy > self._best
        np.copyto(self._before, self._last, where=larger)
        np.copyto(self._best, energy, where=larger)
        np.copyto(self._after, np.nan, where=larger)
        np.copyto(self._frame, self.count, where=larger)

    def position(self) -> np.ndarray:
        """Find the sharpest position of each pixel, between frames too.

        (H, W), from 0 to N - 1.

        Near its peak, the energy over the frames is about a Gaussian, so a parabola through the logarithms of the largest value
        and its two neighbours finds it. At either end of the stack it lies on the frame.
        """
        tiny = np.finfo(np.float32).tiny
        before, best, after = (np.log(np.maximum(values, tiny)) for values in (self._before, self._best, self._after))
        curvature = before - 2 * best + after
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = 0.5 * (before - after) / curvature
        return self._frame + np.where(curvature < 0, np.clip(offset, -0.5, 0.5), 0.0)

    def confidence(self) -> np.ndarray:
        """Compare the largest energy with the mean of the others and with noise.

        (H, W) in [0, 1].
        """
        others = (self._total - self._best) / max(1, self.count - 1)
        return np.clip((self._best - others) / (self._best + others + DOUBT * self._noise), 0, 1)

    def excess(self) -> np.ndarray:
        """Compare the largest energy with that of noise.

        (H, W), about 1 where no frame shows anything else.
        """
        return self._best / self._noise
