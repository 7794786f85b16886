"""Stacks from a folder of the reader's own photographs."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mffrepro.errors import DataError
from mffrepro.images import FocusStack, as_stack
from mffrepro.images.camera import HEIC_SUFFIXES, RAW_SUFFIXES
from mffrepro.images.headers import read_header
from mffrepro.images.tiff import holds_slices

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", *HEIC_SUFFIXES, *RAW_SUFFIXES}
#: Share of a side by which images that are to be cropped may differ: more is a preview or another picture.
LIKE_SIZE = 0.05
#: NAME_1, NAME-A, NAME 02: what is before the last separator names the stack.
NUMBERED = re.compile(r"(?P<stack>.+?)[-_ ](?P<number>\d+|[A-Za-z])")


def folder_stacks(*, root: str | Path) -> Mapping[str, Callable[[], FocusStack]]:
    """List stack names and the functions that read the stacks.

    Each sub-folder with two or more images is a stack. So are files beside each other whose names differ only in a
    trailing number or letter: ``NAME_1.png NAME_2.png``, ``NAME-A.jpg NAME-B.jpg``.

    Args:
        root: The folder.

    Raises:
        DataError: It is missing or holds no stack.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give root= the folder that holds the stacks")
    found = {path.name: without_results(list_images(path)) for path in list_folders(root) if holds_sources(path)}
    for name, paths in found.items():
        if len(paths) == 1:
            warnings.warn(f"{root / name} holds one image, which is no stack", stacklevel=2)
    for path in list_images(root):
        if match := NUMBERED.fullmatch(path.stem):
            found.setdefault(match["stack"], []).append(path)
    stacks = {name: paths for name, paths in sorted(found.items()) if len(paths) > 1}
    if not stacks:
        raise DataError(f"{root} holds no stack; put each stack in its own sub-folder, or name its images NAME_1.png, NAME_2.png")
    return {name: partial(as_stack, paths, name) for name, paths in stacks.items()}


def list_images(path: Path) -> list[Path]:
    """List the images in a folder in the order of their numbers: 2 before 10.

    Raises:
        DataError: The folder may not be read.
    """
    files = (file for file in _entries(path) if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted(files, key=lambda file: _natural(file.name.lower()))


def list_folders(path: Path) -> list[Path]:
    """List the sub-folders of a folder, in the order of their numbers.

    Raises:
        DataError: The folder may not be read.
    """
    folders = (folder for folder in _entries(path) if folder.is_dir() and not folder.name.startswith("."))
    return sorted(folders, key=lambda folder: _natural(folder.name.lower()))


def _entries(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); change its rights, or move it elsewhere") from None


def list_sources(folder: Path, *, leave_out: Sequence[Path] = (), like_sizes: bool = False) -> list[Path]:
    """List the photographs in a folder that make one stack.

    Results of this program, which a run may have written beside its sources, and images of another size than most, such as
    previews, are left out with a warning.

    Args:
        folder: The folder.
        leave_out: Files that are no sources if this program wrote them, such as the targets of this run. A photograph of that
            name stays a source: the caller has to refuse it as a target.
        like_sizes: Keep images whose sides differ from those of most by at most `LIKE_SIZE`, to be cropped.

    Raises:
        DataError: Fewer than two images are left, and no TIFF of several slices; or one photograph is there in two formats.
    """
    taken = {path.resolve() for path in leave_out}
    images = [one for one in list_images(folder) if one.resolve() not in taken or not read_header(one).is_result]
    images = without_results(images)
    _check_stems(folder, images)
    images = _of_one_size(images, LIKE_SIZE if like_sizes else 0.0)
    if len(images) < 2 and not (images and holds_slices(images[0])):
        held = "one image" if len(images) == 1 else "no images"
        raise DataError(f"{folder} holds {held}; put at least two photographs of one scene there")
    return images


def holds_sources(folder: Path) -> bool:
    """Tell whether a folder holds an image that this program did not write."""
    return any(not read_header(image).is_result for image in list_images(folder))


def without_results(images: Sequence[Path]) -> list[Path]:
    """Leave out what this program wrote, with a warning.

    Where there is nothing else to fuse, all of it is kept: slabs of a stack may be fused in turn.
    """
    results = [image for image in images if read_header(image).is_result]
    if not results or len(results) == len(images):
        return list(images)
    warnings.warn(f"{_listed(results)}: written by mffrepro, not taken for a source", stacklevel=3)
    return [image for image in images if image not in results]


def _check_stems(folder: Path, images: Sequence[Path]) -> None:
    stems = Counter(image.stem for image in images)
    for stem, count in stems.items():
        if count > 1:
            first, other, *_ = (image for image in images if image.stem == stem)
            suffix, most = Counter(image.suffix for image in images).most_common(1)[0]
            example = f", such as {folder}/*{suffix}" if most > 1 else ""
            raise DataError(
                f"{folder} holds {first.name} and {other.name}, two files of one name; name the files to fuse{example}"
            )


def _of_one_size(images: Sequence[Path], tolerance: float) -> list[Path]:
    """Leave out images of another size than over half of them have, as stored or as turned by EXIF, with a warning."""
    headers = {image: header for image in images if (header := read_header(image)).size is not None}
    ways = [
        {image: header.size for image, header in headers.items()},
        {image: header.upright for image, header in headers.items()},
    ]
    sizes = max(ways, key=lambda sizes: max(Counter(sizes.values()).values(), default=0))
    most, count = Counter(sizes.values()).most_common(1)[0] if sizes else (None, 0)
    others = [image for image, size in sizes.items() if any(abs(a - b) > tolerance * b for a, b in zip(size, most, strict=True))]
    if not others or count <= len(images) / 2:
        return list(images)
    wanted = "x".join(map(str, most))
    warnings.warn(f"{_listed(others)}: left out, as most images here have {wanted} pixels", stacklevel=3)
    return [image for image in images if image not in others]


def _listed(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _natural(name: str) -> list[str | int]:
    return [int(part) if n % 2 else part for n, part in enumerate(re.split(r"(\d+)", name))]
