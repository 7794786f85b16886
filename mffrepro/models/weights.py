"""Where the weights of a network come from: shipped, published, random, or a file of one's own.

Shipped weights and those of the trainer are safetensors files that carry the options of their network in the header, so
that a file is all it takes to rebuild the network. Published files are read without executing what is pickled in them.
"""

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mffrepro.data import weight_file
from mffrepro.errors import DataError, OptionError


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, as float32 where they were stored shorter, and the options of the network they belong to.

    Raises:
        DataError: The file is missing, damaged, or not one of this package.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            options = json.loads((file.metadata() or {}).get("options", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"{path} is not a readable safetensors file ({reason}); give one written by mffrepro train") from None
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, options


def to_bytes(model: torch.nn.Module, options: dict[str, Any], *, half: bool = False) -> bytes:
    """A safetensors file of the model's state; `half` stores float16, enough for weights that are used in float32."""
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    return save(state, {"options": json.dumps(options)})


def prepare(
    make: Callable[..., nn.Module],
    name: str,
    weights: str,
    device: str,
    published: Callable[[], tuple[dict, dict]] | None = None,
) -> nn.Module:
    """A network in the state that `weights` names, on its device, for inference.

    Args:
        make: Makes the network; its arguments are the options that are saved with weights.
        name: Of the method.
        weights: ``"default"`` or another shipped state, ``"published"``, ``"random"``, or the path of a ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        published: Yields the authors' tensors under our names, and the options; None where nothing is published.
    Raises:
        OptionError: Published weights of a network that has none.
        DataError: Weights that cannot be had.
    """
    if weights == "published" and published is None:
        raise OptionError(f"the authors of {name} publish no weights; use weights='default'")
    if weights == "random":
        torch.manual_seed(0)
        network = make()
    else:
        if weights == "published":
            state, options = published()
        else:
            state, options = read_state(name, weights)
        network = make(**options)
        network.load_state_dict(_generator(state))
    return network.eval().to(pick_device(device), memory_format=torch.channels_last)


def _generator(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of an adversarial training only the generator fuses; other states as they are."""
    part = {key.removeprefix("generator."): tensor for key, tensor in state.items() if key.startswith("generator.")}
    return part or state


def read_state(name: str, weights: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and options of a method's shipped state, such as ``"default"``, or of a ``.safetensors`` file of the trainer."""
    return read_safetensors(weights if weights.endswith(".safetensors") else shipped(f"{name}.{weights}"))


def shipped(name: str) -> Path:
    """Path of weights in the package, e.g. ``gacn.default``; a card ``.json`` lies beside it."""
    path = Path(str(resources.files("mffrepro"))) / "weights" / f"{name}.safetensors"
    if not path.exists():
        raise DataError(f"this installation has no weights {name!r}; reinstall mffrepro or pass weights='published'")
    return path


def card(name: str) -> dict[str, Any]:
    """How shipped weights were made: recipe, data, seed, device, losses, sha256."""
    return json.loads(shipped(name).with_suffix(".json").read_text())


def read_published(name: str) -> dict[str, Tensor]:
    """The authors' tensors under the authors' names, from the file that the manifest names, fetched and verified."""
    path = weight_file(name)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(
            f"{path} holds more than tensors ({type(error).__name__}); fetch it again with mffrepro data fetch networks"
        ) from None


def pick_device(device: str) -> torch.device:
    """``"auto"`` is the GPU where there is one, else the CPU.

    Raises:
        OptionError: Not a device, or one that this machine lacks.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise OptionError(f"no device {device!r}; use auto, cpu or cuda") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise OptionError("no CUDA device is available; use device='cpu'")
    return chosen
