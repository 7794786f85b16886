"""Write a network as ONNX, so that other programs fuse with it: browsers, phones, C++.

Gray images go in, shares of the sources come out; blending the colours by them is one line in any language. Needs the extra
``mffrepro[export]``.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import write_atomically
from mffrepro.models.focal import STEP
from mffrepro.version import __version__

#: Versions of the operators and of the file format: those of 2023, which every runtime has.
OPSET, FORMAT = 18, 8
#: Sides between which the networks take images, pixels; and most images of a stack.
SIDES, MOST = (16, 2**14), 2**10


class _Decide(nn.Module):
    """Return the share of the first of two images, which is all that a fusion needs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.network(first, second).final.clamp(0, 1)


class _Share(nn.Module):
    """Return the shares of all images of a stack."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)[:, :, 0].softmax(1)


def _side(name: str, step: int = 1) -> Dim:
    return step * Dim(name, min=SIDES[0] // step, max=SIDES[1] // step)


@dataclass(frozen=True)
class Form:
    """Describe the model that a method is exported as.

    Attributes:
        module: Makes it of the network.
        inputs: Names of its inputs; each holds gray values in [0, 1].
        output: Name of its output, of the shape of an input.
        example: Shape of an input.
        free: Which sides of it are free, and how: axis -> dimension.
    """

    module: Callable[[nn.Module], nn.Module]
    inputs: tuple[str, ...]
    output: str
    example: tuple[int, ...]
    free: Mapping[int, Dim]


#: Methods that can be exported.
EXPORTED: Mapping[str, Form] = {
    "gacn": Form(_Decide, ("first", "second"), "share", (1, 1, 96, 80), {2: _side("height"), 3: _side("width")}),
    "focal": Form(
        _Share, ("images",), "shares", (1, 3, 96, 80),
        {1: Dim("count", min=2, max=MOST), 2: _side("eighths_high", STEP), 3: _side("eighths_wide", STEP)},
    ),
}  # fmt: skip


def export_onnx(spec: str, path: str | os.PathLike) -> Path:
    """Write a network as ONNX: gray images in, the shares of the sources out.

    The model of ``gacn`` has the inputs ``first`` and ``second``, (1, 1, height, width) float32 gray in [0, 1], and the output
    ``share`` of that shape: 1 where the first image is taken. Another runtime adds up in another order, which GACN's steep
    sigmoid magnifies a thousandfold: shares agree with `mffrepro.fuse` to 1e-4 but for a few pixels in a thousand, whose source
    was a close call. The model of ``focal`` has the input ``images``, (1, count, height, width), and the output ``shares`` of
    that shape, which add up to 1; sides are multiples of 8, so repeat the last row and column and cut the shares afterwards.

    Count, height and width are free, sides from 16 pixels on. Metadata name method and weights.

    Args:
        spec: Method and weights, such as ``"gacn"``, ``"gacn.published"`` or ``"focal"``.
        path: Ends in .onnx.

    Returns:
        The path. The file appears whole or not at all.

    Raises:
        OptionError: A method that cannot be exported, or another suffix.
        DataError: The weights cannot be read or fetched.
        ImageError: The file cannot be written.
        ModuleNotFoundError: The extra ``mffrepro[export]`` is not installed.
    Chapter: 07_gacn
    """
    import onnx  # noqa: F401 - fails here, before the work, where the extra is missing

    from mffrepro.methods import load_network, parse

    path = Path(path)
    card, weights, variant = parse(spec)
    if card.name not in EXPORTED or variant:
        raise OptionError(f"{spec} cannot be exported; {' and '.join(EXPORTED)} can")
    if path.suffix.lower() != ".onnx":
        raise OptionError(f"{path} has the suffix {path.suffix or 'none'}; write to .onnx")
    form, network = EXPORTED[card.name], load_network(spec, device="cpu")
    notes = {"method": card.name, "weights": weights, "producer": f"mffrepro {__version__}"}
    data = _to_onnx(form.module(network).eval(), form, notes)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ImageError(f"{path} cannot be written ({error.strerror}); choose another folder") from None
    return path


def _to_onnx(network: nn.Module, form: Form, notes: Mapping[str, str]) -> bytes:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        examples = tuple(torch.rand(form.example) for _ in form.inputs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)  # both images have one height and one width
        program = torch.onnx.export(
            network, examples, dynamo=True, verbose=False, input_names=list(form.inputs), output_names=[form.output],
            dynamic_shapes=(form.free,) * len(form.inputs), opset_version=OPSET,
        )  # fmt: skip
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in the source, on this machine, each operation stands
        part.doc_string = ""
    model.ir_version = FORMAT
    del model.graph.value_info[:], model.graph.metadata_props[:], model.functions[:]
    for name, value in notes.items():
        model.metadata_props.add(key=name, value=value)
    return model.SerializeToString(deterministic=True)
