"""Find the stacks under a folder: its sub-folders, or the series of photographs in it, told apart by when they were taken."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mffrepro.cli.terminal import one_line, say
from mffrepro.errors import DataError, MffError, OptionError

#: Where the name of a stack goes in the path of its result.
PLACE = "{name}"


def check_pattern(path: Path) -> None:
    """Raise OptionError unless a path has a place for the name of each stack."""
    if PLACE not in str(path):
        raise OptionError(f"{path} is one file for many stacks; give a pattern with {PLACE}, such as fused/{PLACE}.png")


def fill(path: Path, name: str) -> Path:
    """Put the name of a stack into a pattern, and make the folder of the result."""
    filled = Path(str(path).replace(PLACE, name))
    try:
        filled.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{filled.parent} cannot be made ({error.strerror}); choose another place") from None
    return filled


def find_stacks(
    root: Path, gap: float, *, targets: Sequence[Path] = (), like_sizes: bool = False
) -> Mapping[str, Callable[[], list[Path]]]:
    """List the stacks under a folder by name, with functions that list their files.

    Args:
        root: Each sub-folder with images is a stack. Without any, its own images are split where more time passed between two of
            them than `gap`; each stack then has the name of its first image.
        gap: Seconds.
        targets: Patterns of the results, whose folders are no stacks.
        like_sizes: Keep images of nearly the size of most, to be cropped.

    Raises:
        DataError: There is no such folder, no stack in it, or images that do not say when they were taken.
    """
    from mffrepro.data.folder import holds_sources, list_folders, list_images, list_sources
    from mffrepro.images.headers import read_header

    if not root.is_dir():
        raise DataError(f"{root} is not a folder; give --each the folder that holds the stacks")
    results = {target.parent.resolve() for target in targets}
    inside = [folder for folder in list_folders(root) if folder.resolve() not in results]
    folders = [folder for folder in inside if holds_sources(folder)]
    deeper = [one for folder in inside for one in list_folders(folder) if one.resolve() not in results and holds_sources(one)]
    if deeper and not folders and not list_images(root):
        raise DataError(f"{root} holds images two folders down; give --each {deeper[0].parent}")
    if deeper:
        more = f" (and {len(deeper) - 1} more)" if len(deeper) > 1 else ""
        warnings.warn(f"{deeper[0]}{more} lies two folders down and is left out; give its parent to --each", stacklevel=2)
    if folders:
        if beside := [image for image in list_images(root) if not read_header(image).is_result]:
            warnings.warn(f"{root} itself holds {len(beside)} images, which are in no stack; only its folders are", stacklevel=2)
        return {folder.name: lambda folder=folder: list_sources(folder, like_sizes=like_sizes) for folder in folders}
    return {
        series[0].stem: lambda series=series: _several(series)
        for series in _split(list_sources(root, like_sizes=like_sizes), gap)
    }


def _several(series: list[Path]) -> list[Path]:
    from mffrepro.images import read_image
    from mffrepro.images.headers import read_header

    if len(series) < 2:
        if read_header(series[0]).taken is not None:
            raise DataError(f"{series[0]} stands alone in time; raise --gap if it belongs to a stack")
        read_image(series[0])  # says what is wrong with a damaged file
        raise DataError(f"{series[0]} does not say when it was taken; put its stack in a sub-folder of its own")
    return series


def _split(images: Sequence[Path], gap: float) -> Iterator[list[Path]]:
    from mffrepro.images.headers import read_header

    taken = {image: read_header(image).taken for image in images}
    timeless = [image for image, when in taken.items() if when is None]
    if len(timeless) == len(images):
        raise DataError(f"{images[0]} does not say when it was taken; put each stack in a sub-folder of its own")
    for image in timeless:
        yield [image]
    series: list[Path] = []
    timed = [image for image in images if image not in timeless]
    for image in sorted(timed, key=lambda image: taken[image]):  # stable: equal times keep the order of the names
        if series and (taken[image] - taken[series[-1]]).total_seconds() > gap:
            yield series
            series = []
        series.append(image)
    yield series


def run_each(stacks: Mapping[str, Callable[[], list[Path]]], work: Callable[[str, list[Path]], str]) -> int:
    """Do the work for each stack, go on after an error, and return the exit code.

    Args:
        stacks: Names, and functions that list the files.
        work: From a name and its files to the line to print.
    """
    failed = []
    for name, list_files in stacks.items():
        try:
            with _named_notes(name):
                print(one_line(work(name, list_files())), flush=True)
        except (MffError, MemoryError) as error:
            say(f"{name}: {str(error) or 'not enough memory; use smaller or fewer images'}")
            failed.append(name)
    if failed:
        say(f"{len(failed)} of {len(stacks)} stacks failed: {', '.join(failed)}")
    return 1 if failed else 0


@contextmanager
def _named_notes(name: str) -> Iterator[None]:
    """Say every warning with the name of its stack, even one that another stack had before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: say(f"{name}: note: {message}")
        yield
