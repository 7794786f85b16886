"""``mffrepro data``: what can be fetched, fetching it, checking what was fetched, and drawing stacks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mffrepro.cli.terminal import show_table, steps
from mffrepro.errors import OptionError, unknown

if TYPE_CHECKING:
    from mffrepro.data.conditions import DepthStack
    from mffrepro.data.manifests import Entry

app = typer.Typer(invoke_without_command=True)


@app.callback()
def start(context: typer.Context) -> None:
    """List, fetch and verify data sets and published weights.

    Example: mffrepro data fetch lytro
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_() -> None:
    """List everything that can be fetched, and how much of it is here.

    Example: mffrepro data list
    """
    from mffrepro.data.fetch import is_at_hand
    from mffrepro.data.manifests import manifest, manifest_names

    rows = []
    for one in map(manifest, manifest_names()):
        here = sum(map(is_at_hand, one.files))
        rows.append((one.name, f"{here} of {counted(len(one.files))}", size(one.bytes), one.licence, one.title))
    show_table(("name", "here", "size", "licence", "what"), rows)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names of: mffrepro data list; or single files, such as gacn.published.")],
) -> None:
    """Fetch files and verify size and sha256; files that are here are not fetched.

    Example: mffrepro data fetch lytro
    """
    from mffrepro.data.fetch import cache_folder
    from mffrepro.data.fetch import fetch as fetch_file

    wanted = {name: find(name) for name in names}  # a misspelt name is found before the first download
    for name, entries in wanted.items():
        paths = [fetch_file(entry) for entry in steps(entries, name, "file")]
        where = f"{counted(len(paths))}, {size(sum(path.stat().st_size for path in paths))} -> {cache_folder()}"
        print(f"{name}: {where if paths else 'made on the spot, nothing to fetch'}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Names of: mffrepro data list; all by default.")] = None,
) -> None:
    """Check the files in the cache against size and sha256; fetch nothing.

    The exit code is 1 if a named file is not intact.

    Example: mffrepro data verify lytro
    """
    from mffrepro.data import verify as check
    from mffrepro.data.manifests import manifest, manifest_names

    chosen = [manifest(name).name for name in names or manifest_names()]
    states = {name: check(name) for name in steps(chosen, "verifying", "set")}
    for name, files in states.items():
        counts = {state: list(files.values()).count(state) for state in ("ok", "in mirror", "missing", "damaged")}
        print(f"{name}: {', '.join(f'{count} {state}' for state, count in counts.items() if count)}")
        for file, state in files.items():
            if state == "damaged" or (state == "missing" and names):
                print(f"  {state}: {file}")
    bad = {"damaged", "missing"} if names else {"damaged"}  # without names, most files were never fetched
    if bad & {state for files in states.values() for state in files.values()}:
        raise typer.Exit(1)


@app.command("make-stacks")
def make_stacks(
    out: Annotated[Path, typer.Argument(help="New folder: stacks/NAME/*.png, sharp/NAME.png and depth/NAME.tif.")],
    count: Annotated[int, typer.Option(min=1, help="Stacks.")] = 10,
    regions: Annotated[str, typer.Option("--from", help="Labelled photographs: embedded, bsds500 or voc2012.")] = "embedded",
    frames: Annotated[tuple[int, int], typer.Option(help="Fewest and most frames of a stack.")] = (2, 12),
    size: Annotated[int, typer.Option(help="Longer side, pixels.")] = 320,
    faults: Annotated[bool, typer.Option(help="Noise, exposure, shift and JPEG, at random.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 1,
) -> None:
    """Draw focal stacks with a known sharp scene and a known depth.

    They serve to train on or to test with. The depth counts the frames from 0. A run that was stopped goes on where it was.

    Example: mffrepro data make-stacks drawn --count 20
    """
    from mffrepro.data.drawn_stacks import FAULTLESS, Camera, check_bounds, drawn_stack
    from mffrepro.data.regions import load_regions

    check_bounds(size, frames)
    photographs = load_regions(regions)
    options = {"from": regions, "frames": list(frames), "size": size, "faults": faults, "seed": seed}
    _open_folder(out, options)
    for number in steps(range(count), "drawing", "stack"):
        name = f"{number + 1:04d}_{photographs[number % len(photographs)].name}"
        if not (out / "depth" / f"{name}.tif").exists():
            camera = Camera() if faults else FAULTLESS
            _write_stack(out, drawn_stack(photographs, number, frames=frames, size=size, camera=camera, seed=seed))
    print(f"{counted(count, 'stack')} -> {out}")


def _open_folder(out: Path, options: dict) -> None:
    """Make a folder for drawn stacks, or find it made with the same options."""
    from mffrepro.images import write_atomically

    described, text = out / "options.json", json.dumps(options)
    if described.is_file() and described.read_text() == text:
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(f"{out} exists and holds something else; name a new folder")
    for folder in ("stacks", "sharp", "depth"):
        (out / folder).mkdir(parents=True)
    write_atomically(described, text.encode())


def _write_stack(out: Path, drawn: "DepthStack") -> None:
    """Write a stack; the depth comes last, so that where it is all is."""
    from mffrepro.images import write_image
    from mffrepro.images.maps import write_map

    folder = out / "stacks" / drawn.name
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(drawn.stack.images, 1):
        write_image(folder / f"{number:02d}.png", frame)
    write_image(out / "sharp" / f"{drawn.name}.png", drawn.stack.reference)
    write_map(out / "depth" / f"{drawn.name}.tif", drawn.depth, low=0, high=len(drawn.stack) - 1)


def find(name: str) -> "tuple[Entry, ...]":
    """Find the files of a manifest, or the file of that name; none for made data.

    Raises:
        OptionError: Nothing has that name.
    """
    from mffrepro.data import MADE
    from mffrepro.data.manifests import manifest, manifest_names

    if name in MADE:
        return ()
    if name in manifest_names():
        return manifest(name).files
    single = {entry.name: entry for one in map(manifest, manifest_names()) if one.kind == "files" for entry in one.files}
    if name not in single:
        raise unknown("data set or weights", name, [*manifest_names(), *single], "mffrepro data list")
    return (single[name],)


def size(count: int) -> str:
    """Write a number of bytes for people."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def counted(count: int, noun: str = "file") -> str:
    """Write a count with its noun in the right number."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
