"""``mffrepro fuse``: several photographs in, one sharp one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mffrepro.cli import align
from mffrepro.cli.terminal import waiting
from mffrepro.cli.values import parse_settings
from mffrepro.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np

    from mffrepro.methods import MethodCard


def fuse(
    images: Annotated[list[Path], typer.Argument(help="Two or more photographs of one scene, or one folder of them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write: .png, .tif, .jpg, .webp or .bmp.")],
    method: Annotated[str, typer.Option("--method", "-m", help="A name of: mffrepro list methods.")] = "gacn",
    weights: Annotated[str, typer.Option(help="Of a network: default, published, or a .safetensors file.")] = "default",
    device: Annotated[str, typer.Option(help="For networks: auto, cpu or cuda.")] = "auto",
    strategy: Annotated[str, typer.Option(help="For more than two images; see mffrepro list methods NAME.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(help="An option of the method, name=value; repeat for more.")] = None,
    decision: Annotated[Path | None, typer.Option(help="Write the decision map: white is the first image.")] = None,
    align_frames: Annotated[bool, typer.Option("--align", help="Align the images first, as mffrepro align does.")] = False,
    model: align.Model = "similarity",
    crop: align.Crop = True,
    save_transforms: align.Save = None,
    use_transforms: align.Use = None,
) -> None:
    """Fuse photographs with different focus into one that is sharp everywhere.

    Example: mffrepro fuse near.jpg far.jpg -o fused.png
    """
    from mffrepro import methods
    from mffrepro.alignment import credit_source
    from mffrepro.images import as_stack, check_target, write_image

    how = _alignment(align_frames, align.Alignment(model, crop, save_transforms, use_transforms))
    paths = _sources(images, [output] if decision is None else [output, decision])
    card, *_ = methods.parse(method)
    if decision is not None and not card.has_decision:
        raise OptionError(f"{card.name} has no decision map; leave --decision out or choose another method")
    chosen = {"weights": weights, "device": device, "strategy": strategy} | _options(card, option or [])
    methods.check_options(method, chosen)
    stack = as_stack(paths, min_side=card.min_side)
    check_target(output, stack.images.dtype)
    if decision is not None:
        check_target(decision, "uint8")
    if how is None:
        align.note_misalignment(stack, paths)
    else:
        stack, transforms = align.aligned(stack, paths, how)
    with waiting(f"{method}: fusing {len(stack)} images"):
        result = methods.fuse(stack, method, **chosen)
    if decision is not None:
        shares = result.decision if how is None or how.crop else credit_source(result.decision, transforms)
        write_image(decision, _picture(shares))
    write_image(output, result.image)
    height, width = result.image.shape[:2]
    print(f"{method}: {len(stack)} images of {width}x{height} in {result.seconds:.2f} s -> {output}")


def _sources(images: list[Path], targets: list[Path]) -> list[Path]:
    from mffrepro.data.folder import list_images

    if len(images) == 1 and images[0].is_dir():
        folder, images = images[0], list_images(images[0])
        taken = {target.resolve() for target in targets}
        images = [image for image in images if image.resolve() not in taken]  # the result of an earlier run
        if len(images) < 2:
            raise DataError(f"{folder} holds {len(images)} images; put at least two photographs of one scene there")
    for target in targets:
        if target.resolve() in [image.resolve() for image in images]:
            raise OptionError(f"{target} is one of the images to fuse and would be lost; choose another name")
    if len({target.resolve() for target in targets}) < len(targets):
        raise OptionError(f"{targets[0]} cannot hold both the fused image and the decision map; choose two names")
    return images


def _alignment(wanted: bool, how: align.Alignment) -> align.Alignment | None:
    """Return how to align if it is wanted; refuse settings of what is not."""
    if not wanted and how != align.Alignment():
        raise OptionError("options of the alignment are given without it; add --align")
    return how if wanted else None


def _options(card: "MethodCard", texts: list[str]) -> dict[str, object]:
    from mffrepro.methods import COMMON

    kinds = {name: parameter.annotation for name, parameter in card.options().items() if name not in COMMON}
    return parse_settings(texts, kinds, f"option of {card.name}")


def _picture(decision: "np.ndarray") -> "np.ndarray":
    """Draw shares (N, H, W) as one gray image, from white for the first source to black for the last."""
    import numpy as np

    from mffrepro.images import from_unit

    return from_unit(np.tensordot(np.linspace(1, 0, len(decision)), decision, 1), np.dtype(np.uint8))
