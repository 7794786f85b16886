"""``mffrepro align``: the frames of a focal stack, moved over each other; and the same for ``mffrepro fuse --align``."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mffrepro.cli.terminal import steps, waiting
from mffrepro.cli.values import check_choice, check_targets
from mffrepro.errors import DataError, ImageError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from mffrepro.images import FocusStack, Metadata

Model = Annotated[str, typer.Option("--model", help="What differs between frames: similarity, or homography.")]
Crop = Annotated[bool, typer.Option("--crop/--no-crop", help="Whether to crop to what all frames cover.")]
Save = Annotated[Path | None, typer.Option("--save-transforms", help="Write the transforms to this JSON file.")]
Use = Annotated[Path | None, typer.Option("--use-transforms", help="Read the transforms from this file, do not estimate.")]


@dataclass(frozen=True)
class Alignment:
    """Hold what the command line says about alignment.

    Attributes:
        model: What may differ between frames.
        crop: Whether to crop to what all frames cover.
        save: Where to write the transforms.
        use: Where to read them from.
    """

    model: str = "similarity"
    crop: bool = True
    save: Path | None = None
    use: Path | None = None


def align(
    images: Annotated[
        list[Path], typer.Argument(help="Two or more photographs of one scene, one folder of them, or a TIFF of slices.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make for the aligned frames; it must not exist.")],
    model: Model = "similarity",
    crop: Crop = True,
    save_transforms: Save = None,
    use_transforms: Use = None,
) -> None:
    """Align the frames of a focal stack, and write each under its own name.

    A format that cannot be written becomes TIFF. Slices of one TIFF become files with numbers.

    Example: mffrepro align IMG_01.tif IMG_02.tif IMG_03.tif -o aligned
    """
    from mffrepro.data.folder import list_sources
    from mffrepro.images import as_stack, write_image

    paths = list_sources(images[0], like_sizes=crop) if len(images) == 1 and images[0].is_dir() else images
    _check_folder(output)
    if save_transforms is not None:
        check_targets(paths, [save_transforms, output])
    stack = as_stack(paths, crop=crop)
    if len(paths) < len(stack):  # one TIFF of slices
        paths = [Path(f"{paths[0].stem}_{n}.tif") for n in range(1, len(stack) + 1)]
    names = _targets(paths, output.parent, stack.images.dtype)
    stack, _ = aligned(stack, _names(paths), Alignment(model, crop, save_transforms, use_transforms))
    tag = _tag(stack)
    with _new_folder(output) as folder:
        for image, name in zip(stack.images, steps(names, "writing", "image"), strict=True):
            write_image(folder / name, image, metadata=tag)
    height, width = stack.images.shape[1:3]
    print(f"{len(stack)} frames of {width}x{height} -> {output}")


def aligned(
    stack: "FocusStack", names: Sequence[str], how: Alignment, *, kept: Sequence[int] = (), given: int = 0
) -> tuple["FocusStack", "np.ndarray"]:
    """Align a stack whose frames have names.

    Args:
        stack: The frames.
        names: What sentences call them.
        how: How to align them.
        kept: Numbers of the frames among all that were given, where some were left out: a file may hold the transforms of all.
        given: How many these were.

    Returns:
        The aligned stack, and the transforms (N, 3, 3).
    """
    from mffrepro import alignment

    check_choice("model of alignment", how.model, ("similarity", "homography"))
    shape = stack.images.shape[1:3]
    if how.save is not None and not how.save.parent.is_dir():
        raise ImageError(f"{how.save} cannot be written (its folder does not exist); choose another place")
    if how.use is not None:
        transforms = alignment.load_transforms(how.use, len(stack), shape, kept=kept, given=given)
    else:
        with waiting(f"aligning {len(stack)} frames"):
            transforms = alignment.estimate(stack, model=how.model, names=names)
    if how.save is not None:
        alignment.save_transforms(how.save, transforms, shape)
    return alignment.apply(stack, transforms, crop=how.crop, overwrite=True), transforms


def _tag(stack: "FocusStack") -> "Metadata":
    """Keep colour profile and resolution; the frames are sources of a next fusion, so they are not marked as its results."""
    from mffrepro.images import Metadata
    from mffrepro.images.metadata import SOFTWARE

    kept = stack.metadata or Metadata()
    return Metadata(kept.icc, dpi=kept.dpi, software=f"aligned by {SOFTWARE}")


def _names(paths: Sequence[Path]) -> list[str]:
    return [f"frame {n} ({path.name})" for n, path in enumerate(paths, 1)]


def _check_folder(output: Path) -> None:
    """Check before the work that a new folder can be made."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OptionError(f"{output} exists; choose a new folder")
    if not output.parent.is_dir():
        raise ImageError(f"{output} cannot be made (its folder does not exist); choose another place")


def _targets(paths: Sequence[Path], folder: Path, dtype: "np.dtype") -> list[str]:
    """Name the files to write: as the sources, with another suffix where that format cannot hold an aligned frame."""
    from mffrepro.images import check_target

    names = []
    for path in paths:
        try:
            names.append(check_target(folder / path.name, dtype).name)
        except ImageError:
            names.append(f"{path.stem}.tif")
    folded = [name.casefold() for name in names]
    if double := next((name for name in folded if folded.count(name) > 1), None):
        raise DataError(f"two of the aligned images would be called {double}; rename one, since all go into one folder")
    return names


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """Make a folder that appears when it is complete, or not at all."""
    from mffrepro.images.temporary import temporary_beside

    output = output.resolve()
    temporary = temporary_beside(output)
    try:
        temporary.mkdir()
        yield temporary
        if output.exists():
            output.rmdir()  # it was empty
        temporary.rename(output)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
