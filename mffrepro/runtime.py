"""What a notebook runs on, and what its profile means."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mffrepro.errors import OptionError, unknown

#: The one place that says where this project lives; every badge, button and bootstrap agrees with it (a test checks).
OWNER = "mffrepro"
REPOSITORY = f"{OWNER}/mffrepro"
REF = "main"

OLDEST_TORCH = (2, 6)


def environment() -> dict[str, str]:
    """Print and return versions and device; warn in one sentence where torch is older than tested."""
    import torch

    from mffrepro import __version__

    facts = {"mffrepro": __version__, "ref": REF, "python": platform.python_version(), "device": device_name()}
    for package in ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    print(" · ".join(f"{name} {value}" for name, value in facts.items()))
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        print(f"torch {torch.__version__} is older than {oldest}, the oldest tested; expect small differences.")
    return facts


def device_name() -> str:
    """Name of the GPU, or of the processor where there is none."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """What the system calls its processor; Linux keeps the name in a file of its own."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Profile:
    """The checked parameters of a chapter.

    Attributes:
        name: ``"quick"`` for a look in minutes on a CPU, ``"full"`` for everything.
        dataset: Name for `mffrepro.load`.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        retrain: Whether the chapter trains its networks instead of loading the shipped weights.
        seed: Of everything random in the chapter.
    """

    name: str
    dataset: str
    device: str
    retrain: bool
    seed: int

    @property
    def quick(self) -> bool:
        return self.name == "quick"

    def some(self, items, count: int):
        """The first `count` in the quick profile, all in the full one."""
        return items[:count] if self.quick else items


def profile(
    name: str = "full", *, dataset: str = "embedded", device: str = "auto", retrain: str = "no", seed: int = 1
) -> Profile:
    """Check the parameters of a chapter, and seed NumPy and torch.

    Papermill passes ``-p retrain false`` as the text "false", which is true; so every parameter is text or an integer, and
    a value nobody knows is an error.

    Raises:
        OptionError: An unknown value.
    """
    from mffrepro.data import cards

    for what, value, known in (
        ("profile", name, ("quick", "full")),
        ("device", device, ("auto", "cpu", "cuda")),
        ("value of retrain", retrain, ("yes", "no")),
        ("data set", dataset, [card.name for card in cards() if card.kind == "stacks"]),
    ):
        if value not in known:
            raise unknown(what, value, known)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise OptionError(f"seed is {seed!r}; use an integer from 0")
    _seed(seed)
    return Profile(name, dataset, device, retrain == "yes", seed)


def _seed(seed: int) -> None:
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - for libraries that still draw from the global generator
    torch.manual_seed(seed)
