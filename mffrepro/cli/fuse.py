"""``mffrepro fuse``: several photographs in, one sharp one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mffrepro.cli import align
from mffrepro.cli.values import check_targets, parse_settings
from mffrepro.errors import OptionError

if TYPE_CHECKING:
    from mffrepro.cli.fusing import Job, Targets
    from mffrepro.methods import MethodCard


def fuse(
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help="Where to write: .png, .tif, .jpg, .webp or .bmp; repeat for more.")
    ],
    images: Annotated[
        list[Path] | None, typer.Argument(help="Two or more photographs of one scene, a folder of them, or a TIFF of slices.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help="A name of: mffrepro list methods; for long stacks, focal.")
    ] = "gacn",
    weights: Annotated[str, typer.Option(help="Of a network: default, published, or a .safetensors file.")] = "default",
    device: Annotated[str, typer.Option(help="For networks: auto, cpu or cuda.")] = "auto",
    strategy: Annotated[str, typer.Option(help="For more than two images; see mffrepro list methods NAME.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(help="An option of the method, name=value; repeat for more.")] = None,
    decision: Annotated[Path | None, typer.Option(help="Write the decision map: white is the first image.")] = None,
    depth: Annotated[
        Path | None,
        typer.Option(help="Write which image is sharpest, 0 for the first: numbers to .tif, colours to other formats."),
    ] = None,
    step_um: Annotated[float | None, typer.Option(help="With --depth: micrometres from image to image; write these.")] = None,
    confidence: Annotated[Path | None, typer.Option(help="Write how sure the depth is, 0 to 1.")] = None,
    each: Annotated[
        Path | None, typer.Option(help="Fuse every stack under this folder: its sub-folders, or its images split by time.")
    ] = None,
    gap: Annotated[float, typer.Option(min=0, help="With --each: seconds between two photographs that part two stacks.")] = 10,
    align_frames: Annotated[bool, typer.Option("--align", help="Align the images first, as mffrepro align does.")] = False,
    model: align.Model = "similarity",
    crop: Annotated[
        bool | None,
        typer.Option(
            "--crop/--no-crop", help="Crop images of different sizes; with --align, all are cropped unless --no-crop is given."
        ),
    ] = None,
    save_transforms: align.Save = None,
    use_transforms: align.Use = None,
    white: Annotated[float | None, typer.Option(help="Value of white in the images, such as 4095 for 12-bit data.")] = None,
    slabs: Annotated[int | None, typer.Option(help="Fuse slabs of so many consecutive images first, then their results.")] = None,
    clamp: Annotated[bool, typer.Option("--clamp", help="Keep values within those of the sources.")] = False,
    average_flat: Annotated[
        bool | None,
        typer.Option(
            "--average-flat/--no-average-flat",
            help="Take the mean of the images where none is sharp; done for three or more unless --no-average-flat is given.",
        ),
    ] = None,
    balance: Annotated[bool, typer.Option("--balance", help="Bring all images to the same light.")] = False,
    hot_pixels: Annotated[bool, typer.Option("--hot-pixels", help="Fill pixels that stand out in every image.")] = False,
    checks: Annotated[bool, typer.Option("--checks/--no-checks", help="Leave out images that do not belong.")] = True,
    bits: Annotated[int | None, typer.Option(help="Write 8 or 16 bits a sample; by default as many as the images have.")] = None,
    quality: Annotated[int | None, typer.Option(help="Of JPEG and WebP, 1 to 100.")] = None,
) -> int:
    """Fuse photographs with different focus into one that is sharp everywhere.

    Example: mffrepro fuse near.jpg far.jpg -o fused.png
    """
    from mffrepro.cli.fusing import Job, Targets, fuse_files
    from mffrepro.cli.preparing import Preparation

    if bool(images) == (each is not None):
        raise OptionError("give either the images to fuse or --each with a folder of stacks")
    if each is not None and (save_transforms or use_transforms):
        raise OptionError("--each aligns every stack by itself; leave --save-transforms and --use-transforms out")
    card, chosen = _method(method, option or [], {"weights": weights, "device": device, "strategy": strategy})
    if decision is not None and not card.has_decision:
        raise OptionError(f"{card.name} has no decision map; leave --decision out or choose another method")
    whole, like_sizes = crop is False, crop is True or (align_frames and crop is None)
    alignment = _alignment(align_frames, align.Alignment(model, not whole, save_transforms, use_transforms))
    preparation = Preparation(checks, balance, hot_pixels, alignment)
    limits = _checked_bits(bits), _checked_quality(quality, output)
    job = Job(
        method, chosen | {"clamp": clamp, "slabs": _checked_slabs(slabs)}, white, like_sizes, preparation, average_flat, *limits
    )
    targets = Targets(output, decision, depth, confidence, _checked_step(step_um, depth))
    if each is not None:
        return _fuse_each(job, each, targets, gap)
    files = [*targets.images, *targets.maps(), *([save_transforms] if save_transforms else [])]
    sources = _sources(images, files, job.crop)
    check_targets(sources, files)
    print(fuse_files(job, sources, targets))
    return 0


def _fuse_each(job: "Job", root: Path, patterns: "Targets", gap: float) -> int:
    from mffrepro.cli.batch import check_pattern, fill, find_stacks, run_each
    from mffrepro.cli.fusing import fuse_files
    from mffrepro.images.writing import check_suffix

    files = [*patterns.images, *patterns.maps()]
    for pattern in files:
        check_pattern(pattern)
        check_suffix(pattern)

    def work(name: str, sources: list[Path]) -> str:
        targets = patterns.each(lambda pattern: fill(pattern, name))
        check_targets(sources, [*targets.images, *targets.maps()])
        return f"{name}: " + fuse_files(job, sources, targets)

    return run_each(find_stacks(root, gap, targets=files, like_sizes=job.crop), work)


def _sources(images: list[Path], targets: list[Path], crop: bool) -> list[Path]:
    from mffrepro.data.folder import list_sources

    if len(images) == 1 and images[0].is_dir():
        return list_sources(images[0], leave_out=targets, like_sizes=crop)
    return images


def _alignment(wanted: bool, how: align.Alignment) -> align.Alignment | None:
    """Return how to align if it is wanted; refuse settings of what is not."""
    if not wanted and how != align.Alignment():
        raise OptionError("options of the alignment are given without it; add --align")
    return how if wanted else None


def _method(method: str, texts: list[str], chosen: dict[str, object]) -> tuple["MethodCard", dict[str, object]]:
    """Check the method and its options before anything is read."""
    from mffrepro import methods

    card, *_ = methods.parse(method)
    kinds = {name: parameter.annotation for name, parameter in card.options().items() if name not in methods.COMMON}
    chosen = chosen | parse_settings(texts, kinds, f"option of {card.name}")
    methods.check_options(method, chosen)
    return card, chosen


def _checked_step(step: float | None, depth: Path | None) -> float | None:
    if step is not None and (depth is None or step <= 0):
        raise OptionError(f"--step-um is {step:g}; give micrometres above 0, together with --depth")
    return step


def _checked_slabs(slabs: int | None) -> int | None:
    if slabs is not None and slabs < 2:
        raise OptionError(f"--slabs is {slabs}; give the number of images of a slab, at least 2")
    return slabs


def _checked_bits(bits: int | None) -> int | None:
    if bits not in (None, 8, 16):
        raise OptionError(f"--bits is {bits}; give 8 or 16")
    return bits


def _checked_quality(quality: int | None, output: list[Path]) -> int | None:
    if quality is None:
        return None
    if not 1 <= quality <= 100:
        raise OptionError(f"--quality is {quality}; give a number from 1 to 100")
    if not any(path.suffix.lower() in (".jpg", ".jpeg", ".webp") for path in output):
        raise OptionError("--quality is for .jpg and .webp; leave it out, as other formats lose nothing")
    return quality
