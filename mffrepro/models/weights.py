"""Load the weights of a network: shipped, published, random, or from a file of the trainer.

Shipped weights and those of the trainer are safetensors files with the options of their network in the header, so that one file
is enough to rebuild the network. Published files are read without executing what is pickled in them.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from mffrepro.data import weight_file
from mffrepro.errors import DataError, OptionError, first_line
from mffrepro.images.limits import real_path

#: Most that all numbers in the options of a network may add up to. Its layers and maps are counted by them, and 1,000 classes
#: are the most of any here.
MOST = 4096


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and the options of their network.

    Tensors that were stored shorter become float32.

    Raises:
        DataError: The file is missing, damaged, or not one of this package.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - not a dict
            options = json.loads((file.metadata() or {}).get("options", "{}"))
    except Exception as error:  # types that torch lacks, or cannot convert, are refused with errors of many kinds
        reason = first_line(error)
        raise DataError(f"{path} is not a readable safetensors file ({reason}); give one written by mffrepro train") from None
    if not isinstance(options, dict):
        raise DataError(f"{path} lists no options of a network; give a file written by mffrepro train")
    return tensors, options


def _widened(tensor: Tensor) -> Tensor:
    """Return float32 for floats; raise ValueError for numbers that no network computes with."""
    if tensor.is_complex():
        raise ValueError("it holds complex numbers")
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.float()
    if not tensor.isfinite().all():
        raise ValueError("it holds numbers that are not finite")
    return tensor


def to_bytes(model: torch.nn.Module, options: dict[str, Any], *, half: bool = False) -> bytes:
    """Serialise the weights of a model as safetensors.

    `half` stores float16, enough for weights that are used in float32.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    return save(state, {"options": json.dumps(options)})


@dataclass(frozen=True)
class NetworkSource:
    """Describe how a network is built, and where its published weights are.

    Attributes:
        build: Builds the network; its keyword arguments are the options that are saved with weights.
        published: From a name such as ``"ifcnn.published"`` to the authors' tensors under our names, and the options.
        random: Options of a network with random weights.
    """

    build: Callable[..., nn.Module]
    published: Callable[[str], tuple[dict[str, Tensor], dict[str, Any]]] | None = None
    random: Mapping[str, Any] = field(default_factory=dict)


def load(source: NetworkSource, method: str, weights: str, device: str) -> nn.Module:
    """Build a network with the weights of that name, ready for inference.

    Args:
        source: How to build it.
        method: Name of the method.
        weights: ``"default"`` or other shipped weights, ``"published"`` and its variants, ``"random"``, or the path of a
            ``.safetensors`` file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        OptionError: There is no such device.
        DataError: The weights cannot be read or fetched.
    """
    where = pick_device(device)
    if weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = source.build(**source.random)
    else:
        tensors, options = _tensors(source, method, weights)
        try:
            network = _built(source, options, generator_only(tensors))
        except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
            reason = first_line(error)
            raise DataError(f"{weights} holds no weights of {method} ({reason}); give a file that was trained for it") from None
    return network.eval().to(where, memory_format=torch.channels_last)


def _built(source: NetworkSource, options: dict[str, Any], tensors: dict[str, Tensor]) -> nn.Module:
    """Build a network and load its tensors.

    It is first built without memory, as a few digits in a file can ask for any amount of it.
    """
    _check_options(source.build, options)
    with torch.device("meta"):
        outline = source.build(**options)
    outline.load_state_dict(tensors, assign=True)  # raises RuntimeError where a name or a shape differs
    network = source.build(**options)
    network.load_state_dict(tensors)
    return network


def _check_options(build: Callable[..., nn.Module], options: dict[str, Any]) -> None:
    """Raise ValueError for an option of another type than the constructor names.

    An absurd number is refused too.
    """
    hints = get_type_hints(build.__init__)
    for name, value in options.items():
        if name in hints and not _fits(value, hints[name]):
            raise ValueError(f"its option {name} cannot be {value!r:.40}")
    if sum(number for value in options.values() for number in _numbers(value)) > MOST:
        raise ValueError("its options ask for a network of absurd size")


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return any(value == one and type(value) is type(one) for one in get_args(hint))
    if hint is bool:
        return type(value) is bool
    if hint in (int, float):
        return type(value) in (int, hint) and 0 <= value <= MOST
    # what is left are sequences of whole numbers
    return isinstance(value, (list, tuple)) and all(_fits(one, int) for one in value)


def _numbers(value: Any) -> list[float]:
    """List the numbers in an option, of which sequences hold several."""
    return [one for one in (value if isinstance(value, (list, tuple)) else [value]) if type(one) in (int, float)]


def _tensors(source: NetworkSource, method: str, weights: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if weights.partition(".")[0] == "published" and source.published is not None:
        return source.published(f"{method}.{weights}")
    return read_tensors(method, weights)


def generator_only(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep only the generator's tensors of a GAN checkpoint.

    Other checkpoints stay as they are.
    """
    part = {key.removeprefix("generator."): tensor for key, tensor in tensors.items() if key.startswith("generator.")}
    return part or tensors


def read_tensors(method: str, weights: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and options of shipped weights or of a ``.safetensors`` file."""
    return read_safetensors(weights if weights.endswith(".safetensors") else shipped(f"{method}.{weights}"))


def shipped(name: str) -> Path:
    """Return the path of shipped weights such as ``gacn.default``.

    Their ``.json`` card lies beside them.
    """
    path = Path(str(resources.files("mffrepro"))) / "weights" / f"{name}.safetensors"
    if not path.exists():
        raise DataError(f"this installation has no weights {name!r}; reinstall mffrepro or pass weights='published'")
    return path


def card(name: str) -> dict[str, Any]:
    """Read how shipped weights were made: recipe, data, seed, device, losses, sha256."""
    return json.loads(shipped(name).with_suffix(".json").read_text())


def read_published(name: str) -> dict[str, Tensor]:
    """Read the authors' tensors under the authors' names.

    The file of the manifest is fetched and verified.
    """
    return read_pickled(weight_file(name))


def read_pickled(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file that torch has pickled; nothing in it is executed.

    Raises:
        DataError: It holds more than tensors, or is damaged.
    """
    try:
        return load_pickled(path)
    except Exception as error:
        raise DataError(
            f"{path} holds more than tensors ({type(error).__name__}); fetch it again with mffrepro data fetch networks"
        ) from None


def load_pickled(path: Path) -> Any:
    """Load what torch has pickled; nothing in it is executed or unpacked.

    It raises errors of many kinds where the file is damaged.
    """
    with real_path(path).open("rb") as file:
        is_zip = file.read(4) == b"PK\3\4"
    return torch.load(_as_stored(path) if is_zip else path, map_location="cpu", weights_only=True)


def _as_stored(path: Path) -> io.BytesIO:
    """Copy the records of a file of torch, which stores them as they are.

    torch would unpack a packed record whole, whatever its size. It gets a copy, since it may find other records in a hostile file
    than Python does.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(path) as file, zipfile.ZipFile(copy, "w") as plain:
        records = file.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ValueError("it holds packed records")
        if sum(record.file_size for record in records) > path.stat().st_size:
            raise ValueError("its records are larger than the file")
        for record in records:
            plain.writestr(record.filename, file.read(record))
    copy.seek(0)
    return copy


def pick_device(device: str) -> torch.device:
    """Choose a device; ``"auto"`` is the GPU where there is one, else the CPU.

    Raises:
        OptionError: Not a device, one that the package does not support, or one that this machine lacks.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise OptionError(f"no device {device!r}; use auto, cpu or cuda") from None
    if chosen.type not in ("cpu", "cuda"):
        raise OptionError(f"the device {device!r} is not supported, since it lacks float64; use auto, cpu or cuda")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise OptionError("no CUDA device is available; use device='cpu'")
    return chosen
