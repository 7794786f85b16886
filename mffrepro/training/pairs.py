"""Training pairs made on the fly: a photograph and a mask become two photographs with opposite focus.

Every sample draws all its randomness from (seed, epoch, index), so that the stream of samples is the same for any
number of workers and processes, and a resumed run goes on exactly where the interrupted one stopped.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch

from mffrepro.data.regions import LabelledImage, draw_mask

Sample = dict[str, torch.Tensor]
Maker = Callable[[np.ndarray, np.ndarray, np.random.Generator], dict[str, np.ndarray]]


class FocusPairs(torch.utils.data.Dataset):
    """Make `length` samples an epoch from a set of labelled photographs.

    Args:
        regions: Labelled photographs; each is visited equally often.
        make: Turns a float image in [0, 1], a bool mask and a generator into arrays (H, W) or (H, W, C).
        length: Samples in an epoch.
        size: Photographs and label maps are resized to size x size first.
        seed: Seed of the whole run.
        colour: Whether images are (H, W, 3) instead of gray.
    """

    def __init__(
        self, regions: Sequence[LabelledImage], make: Maker, *, length: int, size: int, seed: int, colour: bool = False
    ) -> None:
        self.regions, self.make, self.length, self.size, self.seed, self.colour = regions, make, length, size, seed, colour
        self.epoch = 0
        self._resized: dict[int, tuple[np.ndarray, LabelledImage]] = {}

    def begin_epoch(self, epoch: int) -> None:
        """Set the number of the epoch, which seeds its samples.

        It is not called ``set_epoch``: Accelerate calls that itself and counts from the start of the process.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        arrays = self.arrays(*self.draw(index))
        return {name: torch.from_numpy(np.ascontiguousarray(np.atleast_3d(a).transpose(2, 0, 1))) for name, a in arrays.items()}

    def draw(self, index: int) -> tuple[np.ndarray, LabelledImage, np.random.Generator, int]:
        """Draw what `arrays` makes a sample of."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(max(self.length, len(self.regions)))
        visit, i = divmod(int(order[index]), len(self.regions))
        return *self._photograph(i), np.random.default_rng((self.seed, self.epoch, index)), visit

    def arrays(self, image: np.ndarray, labelled: LabelledImage, rng: np.random.Generator, visit: int) -> dict[str, np.ndarray]:
        """Make one sample; `visit` counts earlier samples of this photograph in the epoch."""
        return self.make(image, draw_mask(labelled, rng), rng)

    def _photograph(self, i: int) -> tuple[np.ndarray, LabelledImage]:
        if i not in self._resized:  # decoding costs more than all the rest of a sample
            square, source = (self.size, self.size), self.regions[i]
            image = cv2.resize(source.image, square, interpolation=cv2.INTER_AREA)
            image = image if self.colour else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            labels = [cv2.resize(m.astype(np.uint16), square, interpolation=cv2.INTER_NEAREST) for m in source.labels]
            self._resized[i] = image, LabelledImage(source.name, lambda: image, lambda: labels)
        image, labelled = self._resized[i]
        return image.astype(np.float32) / 255, labelled


def turn(image: np.ndarray, degrees: float, interpolation: int) -> np.ndarray:
    """Rotate about the centre, mirroring what comes in over the border."""
    centre = (image.shape[1] / 2 - 0.5, image.shape[0] / 2 - 0.5)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=interpolation, borderMode=cv2.BORDER_REFLECT_101)
