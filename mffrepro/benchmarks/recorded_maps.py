"""Keep crops of decision maps on photographs that this project may not hold, for the figures of readers who lack them.

A decision map is what a method makes; the photograph does not come with it. The crops lie in ``data_manifests/recorded/maps`` as
``STACK-METHOD.png``, white where the first source was taken. To make them again:
``python -m mffrepro.benchmarks.recorded_maps``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mffrepro.data import load
from mffrepro.data.checkout import checkout
from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import DataError
from mffrepro.images import from_unit, read_image, write_image
from mffrepro.methods import fuse

#: Stack -> methods whose map is kept: the scenes and networks of Fig. 10 of tlcnn, and of Fig. 9 and 16 of tlcolor.
MAPS: Mapping[str, tuple[str, ...]] = {
    "lytro_14": ("tlcolor.seed1.printed", "tlcnn", "tlcolor.nontl.printed"),
    "lytro_04": ("tlcolor.seed1.printed", "tlcnn"),
    "lytro_10": ("tlcolor.seed1.printed", "tlcnn"),
    "lytro_01": ("tlcolor.seed1.printed",),
    "lytro_02": ("tlcolor.seed1.printed",),
    "lytro_03": ("tlcolor.seed1.printed",),
}
#: The part of the photograph that is kept: top, left, height and width in pixels.
CROP = (60, 130, 320, 360)


def crop(image: np.ndarray) -> np.ndarray:
    """Return the part (h, w[, 3]) of an image that `CROP` names."""
    top, left, height, width = CROP
    return image[top : top + height, left : left + width]


def make_map(stack: str, method: str, device: str = "auto") -> np.ndarray:
    """Fuse a pair of Lytro and return the crop of its decision map.

    Args:
        stack: Such as ``"lytro_14"``.
        method: With its weights and variant, such as ``"tlcolor.seed1.printed"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns:
        (h, w) uint8, 255 where the first source was taken.

    Raises:
        DataError: Lytro has not been fetched.
    """
    return from_unit(crop(fuse(load("lytro")[stack], method, device=device).decision[0]), np.dtype(np.uint8))


def read_maps(methods: Mapping[str, str] | Sequence[str], stacks: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the kept crops of several pairs.

    Args:
        methods: Methods, or label -> method.
        stacks: Pairs, such as ``"lytro_14"``.

    Returns:
        ``"label, stack"`` -> (h, w) uint8.

    Raises:
        DataError: The map of a pair and method is not kept.
    """
    named = methods if isinstance(methods, Mapping) else {method: method for method in methods}
    found = {}
    for stack in stacks:
        for label, method in named.items():
            path = _path(manifest_folder() / "recorded" / "maps", stack, method)
            if not path.is_file():
                raise DataError(
                    f"no decision map of {method} on {stack} is kept; use one of mffrepro.benchmarks.recorded_maps.MAPS"
                )
            found[f"{label}, {stack}"] = read_image(path)
    return found


def _path(folder: Path, stack: str, method: str) -> Path:
    return folder / f"{stack}-{method}.png"


def main() -> None:
    """Make all crops again."""
    folder = checkout() / "data_manifests" / "recorded" / "maps"
    folder.mkdir(parents=True, exist_ok=True)
    for stack, methods in MAPS.items():
        for method in methods:
            write_image(_path(folder, stack, method), make_map(stack, method))
            print(f"{stack}: {method}")


if __name__ == "__main__":
    main()
