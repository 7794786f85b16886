"""Describe what a notebook runs on, and check its parameters."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mffrepro.before_torch import pages, waiting
from mffrepro.errors import OptionError, brief, unknown
from mffrepro.version import __version__

#: The one place that says where this project lives. Badges, buttons, bootstraps and workflows repeat it, which a test compares;
#: ``make rename TO=OWNER/NAME`` changes all of them.
REPOSITORY = "mffrepro/mffrepro"
REF = "main"

OLDEST_TORCH = (2, 7)

#: See `Profile`.
PROFILES = ("quick", "full", "tiny")


def environment(*, show: bool = True) -> dict[str, str]:
    """Return versions and device, and print them.

    A warning is printed where torch is older than tested.

    Args:
        show: Whether to print.
    """
    import torch

    facts = {
        "mffrepro": __version__,
        "ref": REF,
        "python": platform.python_version(),
        "device": device_name(),
        "threads wait": waiting(),
        "large pages": pages(),
    }
    for package in ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    if show:
        print(" · ".join(f"{name} {value}" for name, value in facts.items()))
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        print(f"torch {torch.__version__} is older than {oldest}, the oldest tested; expect small differences.")
    return facts


def device_name(device: str = "auto") -> str:
    """Return the name of the GPU, or of the processor where there is none.

    Args:
        device: ``"cpu"`` names the processor in any case.
    """
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' * (threads > 1)}"


def _processor() -> str:
    """Return the name of the processor; Linux keeps it in a file."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Profile:
    """Hold the checked parameters of a chapter.

    Attributes:
        name: ``"quick"`` takes minutes on a CPU, ``"full"`` uses all of the data, ``"tiny"`` does all that the full profile
            does on little data: it proves that the full profile runs, and its numbers mean nothing.
        dataset: Name for `mffrepro.load`.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        retrain: Whether the chapter trains its networks anew.
        seed: Seed of everything random in the chapter.
    """

    name: str
    dataset: str
    device: str
    retrain: bool
    seed: int

    @property
    def quick(self) -> bool:
        """Whether the chapter takes minutes only."""
        return self.name == "quick"

    def pick(self, *, quick, full, tiny=None):
        """Return the size or the count that the profile calls for.

        Args:
            quick: In the quick profile.
            full: In the full one.
            tiny: In the tiny one; by default as in the quick one.
        """
        return {"quick": quick, "full": full, "tiny": quick if tiny is None else tiny}[self.name]

    def some(self, items, count: int):
        """Return the first `count` items; in the full profile all."""
        return items if self.name == "full" else items[:count]


def profile(
    name: str = "quick", *, dataset: str = "embedded", device: str = "auto", retrain: str = "no", seed: int = 1
) -> Profile:
    """Check the parameters of a chapter, and seed NumPy and torch.

    Papermill passes ``-p retrain false`` as the string "false", which counts as true. So every parameter is a string or an
    integer, and an unknown value is an error.

    Raises:
        OptionError: A value is unknown.
    """
    from mffrepro.data import cards

    for what, value, known in (
        ("profile", name, PROFILES),
        ("device", device, ("auto", "cpu", "cuda")),
        ("value of retrain", retrain, ("yes", "no")),
        ("data set", dataset, [card.name for card in cards() if card.kind == "stacks"]),
    ):
        if value not in known:
            raise unknown(what, value, known)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise OptionError(f"seed is {brief(seed)}; use an integer from 0 to {2**32 - 1}, as NumPy does")
    _seed(seed)
    return Profile(name, dataset, device, retrain == "yes", seed)


def _seed(seed: int) -> None:
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - for libraries that still draw from the global generator
    torch.manual_seed(seed)
