"""Fuse one stack as a command asks for it: read, prepare, fuse, and write every target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mffrepro.cli.preparing import Preparation, prepare
from mffrepro.cli.terminal import waiting
from mffrepro.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from mffrepro.images import FocusStack, Shares


@dataclass(frozen=True)
class Job:
    """Say how each stack of a command is read, fused and written.

    Attributes:
        method: Name of the method.
        options: Its options, weights, device, strategy, clamp and slabs.
        white: Value of white in the sources.
        crop: Crop images of different sizes.
        preparation: What is done before the fusion.
        bits: Depth of the results.
        quality: Of JPEG and WebP files.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    white: float | None = None
    crop: bool = False
    preparation: Preparation = field(default_factory=Preparation)
    bits: int | None = None
    quality: int | None = None


def fuse_files(job: Job, sources: Sequence[Path], targets: Sequence[Path], decision: Path | None = None) -> str:
    """Fuse one stack of files, write it, and return a line that says what was done.

    Args:
        job: How.
        sources: Photographs of one scene, or one TIFF file with several slices.
        targets: Where the fused image goes.
        decision: Where the decision map goes.
    """
    from mffrepro import methods
    from mffrepro.images import Metadata, as_stack, check_target, write_image

    card, *_ = methods.parse(job.method)
    stack = as_stack(list(sources), min_side=card.min_side, white=job.white, crop=job.crop)
    methods.check_room(job.method, stack, **job.options)
    depths = {target: _bits(job, target, targets, stack) for target in targets}
    for target in targets:
        check_target(target, stack.images.dtype, stack.images.shape[1:], bits=depths[target])
    if decision is not None:
        check_target(decision, "uint8", stack.images.shape[1:])
    names = [str(source) for source in sources] if len(sources) == len(stack) else [f"slice {i + 1}" for i in range(len(stack))]
    with waiting(f"{job.method}: fusing {len(stack)} images"):
        stack, credit = prepare(stack, names, job.preparation)
        result = methods.fuse(stack, job.method, **job.options)
    if decision is not None:
        write_image(decision, picture(credit(result.shares)), metadata=Metadata())  # tagged, so that it is not taken for a source
    for target in targets:
        lossy = target.suffix.lower() in (".jpg", ".jpeg", ".webp")
        write_image(target, result, bits=depths[target], quality=job.quality if lossy else None)
    height, width = result.image.shape[:2]
    places = " and ".join(map(str, targets))
    return f"{job.method}: {len(stack)} images of {width}x{height} in {result.seconds:.2f} s -> {places}"


def _bits(job: Job, target: Path, targets: Sequence[Path], stack: "FocusStack") -> int | None:
    """Return the depth to write: where another target keeps all 16 bits, one that cannot has eight."""
    import numpy as np

    deep = {".png", ".tif", ".tiff"}
    others_keep = any(other.suffix.lower() in deep for other in targets)
    if job.bits is None and stack.images.dtype == np.uint16 and target.suffix.lower() not in deep and others_keep:
        return 8
    return job.bits


def check_targets(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Raise OptionError where a target is a source, or two targets are one file."""
    taken = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in taken:
            raise OptionError(f"{target} is one of the images to fuse and would be lost; choose another name")
    for i, target in enumerate(targets):
        if target.resolve() in {other.resolve() for other in targets[:i]}:
            raise OptionError(f"{target} cannot hold two results; choose two names")


def picture(shares: "Shares | np.ndarray") -> "np.ndarray":
    """Draw the shares of N sources as one gray image: white is the first source.

    Black is the last one.
    """
    import numpy as np

    from mffrepro.images import Shares, from_unit

    shares = shares if isinstance(shares, Shares) else Shares.of_planes(shares)
    return from_unit(shares.weighted(np.linspace(1, 0, len(shares))), np.dtype(np.uint8))
