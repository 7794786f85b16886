"""Write a network as ONNX, so that other programs fuse with it: browsers, phones, C++.

Two gray images go in, the share of the first comes out; blending the colours by it is one line in any language. Needs the extra
``mffrepro[export]``.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mffrepro.errors import ImageError, OptionError
from mffrepro.images import write_atomically
from mffrepro.version import __version__

#: Version of the operators: that of 2023, which every runtime has.
OPSET = 18
#: Sides between which the network takes images, pixels.
SIDES = (16, 2**14)


class _Decide(nn.Module):
    """Return the share of the first of two images, which is all that a fusion needs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.network(first, second).final.clamp(0, 1)


#: Method -> a module from two gray batches (1, 1, H, W) in [0, 1] to the share (1, 1, H, W) of the first.
EXPORTED: Mapping[str, Callable[[nn.Module], nn.Module]] = {"gacn": _Decide}


def export_onnx(spec: str, path: str | os.PathLike) -> Path:
    """Write the decision of a network as ONNX.

    The model has the inputs ``first`` and ``second``, (1, 1, height, width) float32 gray in [0, 1], and the output ``share`` of
    that shape: 1 where the first image is taken. Height and width are free, from 16 pixels on. Metadata name method and weights.
    Another runtime adds up in another order, which GACN's steep sigmoid magnifies a thousandfold: shares agree with
    `mffrepro.fuse` to 1e-4 but for a few pixels in a thousand, whose source was a close call.

    Args:
        spec: Method and weights, such as ``"gacn"`` or ``"gacn.published"``.
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
    network = EXPORTED[card.name](load_network(spec, device="cpu")).eval()
    data = _to_onnx(network, {"method": card.name, "weights": weights, "producer": f"mffrepro {__version__}"})
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ImageError(f"{path} cannot be written ({error.strerror}); choose another folder") from None
    return path


def _to_onnx(network: nn.Module, notes: Mapping[str, str]) -> bytes:
    sides = {2: torch.export.Dim("height", min=SIDES[0], max=SIDES[1]), 3: torch.export.Dim("width", min=SIDES[0], max=SIDES[1])}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        examples = torch.rand(1, 1, 96, 80), torch.rand(1, 1, 96, 80)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)  # both images have one height and one width
        program = torch.onnx.export(
            network, examples, dynamo=True, verbose=False, input_names=["first", "second"], output_names=["share"],
            dynamic_shapes=(sides, sides), opset_version=OPSET,
        )  # fmt: skip
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where in the source, on this machine, each operation stands
        part.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:], model.functions[:]
    for name, value in notes.items():
        model.metadata_props.add(key=name, value=value)
    return model.SerializeToString(deterministic=True)
