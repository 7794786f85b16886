"""Fuse one stack as a command asks for it: read, prepare, fuse, and write every target."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mffrepro.cli.preparing import Preparation, Prepared, prepare
from mffrepro.cli.terminal import waiting

if TYPE_CHECKING:
    import numpy as np

    from mffrepro.images import FocusStack, FusionResult, Shares

#: From this share of averaged pixels on, a line says so.
NOTICEABLE = 0.01


class Targets(NamedTuple):
    """Say where the results of a fusion go.

    Attributes:
        images: The fused image, in each of these files.
        decision, depth, confidence: Maps, where they are wanted.
        step: Micrometres between two frames; depths are then in micrometres.
    """

    images: Sequence[Path]
    decision: Path | None = None
    depth: Path | None = None
    confidence: Path | None = None
    step: float | None = None

    def maps(self) -> list[Path]:
        """List the files of maps."""
        return [path for path in (self.decision, self.depth, self.confidence) if path is not None]

    def each(self, name: Callable[[Path], Path]) -> "Targets":
        """Return the targets with every path replaced."""
        maps = (path and name(path) for path in (self.decision, self.depth, self.confidence))
        return Targets([name(path) for path in self.images], *maps, self.step)


@dataclass(frozen=True)
class Job:
    """Say how each stack of a command is read, fused and written.

    Attributes:
        method: Name of the method.
        options: Its options, weights, device, strategy, clamp and slabs.
        white: Value of white in the sources.
        crop: Crop images of different sizes.
        preparation: What is done before the fusion.
        average_flat: Take the mean of the frames where none is sharp; None does so with three frames or more.
        bits: Depth of the results.
        quality: Of JPEG and WebP files.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    white: float | None = None
    crop: bool = False
    preparation: Preparation = field(default_factory=Preparation)
    average_flat: bool | None = None
    bits: int | None = None
    quality: int | None = None


def fuse_files(job: Job, sources: Sequence[Path], targets: Targets) -> str:
    """Fuse one stack of files, write it, and return a line that says what was done.

    Args:
        job: How.
        sources: Photographs of one scene, or one TIFF file with several slices.
        targets: Where the results go.
    """
    from mffrepro import methods
    from mffrepro.images import as_stack, check_target, write_image

    card, *_ = methods.parse(job.method)
    stack = as_stack(list(sources), min_side=card.min_side, white=job.white, crop=job.crop)
    methods.check_room(job.method, stack, **job.options)
    depths = {target: _bits(job, target, targets.images, stack) for target in targets.images}
    for target in targets.images:
        check_target(target, stack.images.dtype, stack.images.shape[1:], bits=depths[target])
    for path in targets.maps():
        check_target(path, "uint8", stack.images.shape[1:])
    names = [str(source) for source in sources] if len(sources) == len(stack) else [f"slice {i + 1}" for i in range(len(stack))]
    with waiting(f"{job.method}: fusing {len(stack)} images"):
        prepared = prepare(stack, names, job.preparation)
        wanted = {"depth": targets.depth is not None or targets.confidence is not None}
        wanted["average_flat"] = len(prepared.stack) > 2 if job.average_flat is None else job.average_flat
        result = methods.fuse(prepared.stack, job.method, **job.options, **wanted)
    if result.averaged > NOTICEABLE:
        share = f"{result.averaged:.0%} of the picture is sharp in no image; the mean of all is taken there"
        warnings.warn(f"{share} (--no-average-flat leaves it to the method)", stacklevel=2)
    _write_maps(targets, result, prepared)
    for target in targets.images:
        lossy = target.suffix.lower() in (".jpg", ".jpeg", ".webp")
        write_image(target, result, bits=depths[target], quality=job.quality if lossy else None)
    height, width = result.image.shape[:2]
    places = " and ".join(map(str, targets.images))
    return f"{job.method}: {len(prepared.stack)} images of {width}x{height} in {result.seconds:.2f} s -> {places}"


def _write_maps(targets: Targets, result: "FusionResult", prepared: Prepared) -> None:
    """Write the maps that are wanted; their tag keeps them from being sources."""
    import numpy as np

    from mffrepro.images import Metadata, write_image
    from mffrepro.images.maps import write_map

    if targets.decision is not None:
        write_image(targets.decision, picture(prepared.credit(result.shares)), metadata=Metadata())
    if targets.depth is not None:
        frames = np.interp(result.depth, np.arange(len(prepared.kept)), prepared.kept)  # numbers count frames left out, too
        step = targets.step or 1.0
        write_map(targets.depth, frames * step, low=prepared.kept[0] * step, high=prepared.kept[-1] * step)
    if targets.confidence is not None:
        write_map(targets.confidence, result.confidence)


def _bits(job: Job, target: Path, targets: Sequence[Path], stack: "FocusStack") -> int | None:
    """Return the depth to write: where another target keeps all 16 bits, one that cannot has eight."""
    import numpy as np

    deep = {".png", ".tif", ".tiff"}
    others_keep = any(other.suffix.lower() in deep for other in targets)
    if job.bits is None and stack.images.dtype == np.uint16 and target.suffix.lower() not in deep and others_keep:
        return 8
    return job.bits


def picture(shares: "Shares | np.ndarray") -> "np.ndarray":
    """Draw the shares of N sources as one gray image.

    White is the first source, black is the last one.

    Of two sources, gray is a mixture; of more, the source with the largest share, since a mixture of the first and the last would
    look like one between them.
    """
    import numpy as np

    from mffrepro.images import Shares, from_unit

    if len(shares) == 2:
        return from_unit(shares[0], np.dtype(np.uint8))
    main = shares.main if isinstance(shares, Shares) else shares.argmax(0)
    return from_unit(np.linspace(1, 0, len(shares))[main], np.dtype(np.uint8))
