"""Measure how fast networks fuse a pair, and the ceilings of the machine.

A network needs a number of operations and moves a number of bytes. A machine has a highest rate for either: that of a large
matrix product and that of a copy. The larger of the two quotients is the least time that the network can take there.

Chapter: 13_speed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from mffrepro.data.synthetic import composite
from mffrepro.images import FocusStack
from mffrepro.methods import fuse, load_network
from mffrepro.models.weights import pick_device

#: Bytes of one value in float32, which all networks compute in.
VALUE = 4
#: Side of the matrices and number of values that are multiplied and copied: too large for any cache, enough for every core.
PROBES = {"cpu": (1536, 2**25), "cuda": (8192, 2**28)}


@dataclass(frozen=True)
class Work:
    """Count what the convolutions and matrix products of a call do.

    Attributes:
        operations: Multiplications and additions.
        bytes: Bytes that they read and write, in float32, if every value is moved once per layer.
    """

    operations: int
    bytes: int


@dataclass(frozen=True)
class Machine:
    """Hold the two ceilings of a processor.

    Attributes:
        operations: Operations per second of a large matrix product.
        bytes: Bytes per second of a copy, read and written bytes together.
    """

    operations: float
    bytes: float

    def least_seconds(self, work: Work) -> float:
        """Compute the least time for some work, by arithmetic and by traffic."""
        return max(work.operations / self.operations, work.bytes / self.bytes)

    def attainable(self, intensity: float) -> float:
        """Compute the highest operations per second at some operations per byte."""
        return min(self.operations, intensity * self.bytes)


def count_work(job: Callable[[], Any]) -> Work:
    """Count the operations and bytes of the convolutions and products in a call.

    The call runs without gradients.
    """
    operations = FlopCounterMode(display=False)
    traffic = FlopCounterMode(display=False, custom_mapping=dict.fromkeys(flop_registry, _moved_bytes))
    with torch.inference_mode(), operations, traffic:
        job()
    return Work(operations.get_total_flops(), traffic.get_total_flops())


def _moved_bytes(*arguments: Any, out_shape: torch.Size, **_: Any) -> int:
    """Add the sizes of all tensors of one operation; a counter gives their shapes."""
    return VALUE * sum(shape.numel() for shape in (*arguments, out_shape) if isinstance(shape, torch.Size))


def measure_machine(device: str = "auto") -> Machine:
    """Measure the rates of a large matrix product and of a large copy.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        OptionError: There is no such device.
    """
    where = pick_device(device)
    side, count = PROBES[where.type]
    matrix, values = torch.rand(side, side, device=where), torch.rand(count, device=where)
    target = torch.empty_like(values).zero_()  # memory that is there: a new array would also cost its pages
    usual = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # a GPU may round in convolutions
    try:
        operations = 2 * side**3 / fastest(lambda: matrix @ matrix, where.type)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = usual
    return Machine(operations, 2 * VALUE * count / fastest(lambda: target.copy_(values), where.type))


def fastest(job: Callable[[], Any], device: str = "cpu", *, repeats: int = 5) -> float:
    """Measure the shortest of several times of a call, in seconds.

    On a GPU, the time includes the wait until its work is done.
    """
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        job()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


# ------------------------------------------------------------------------------------------------- all networks


def measure_speed(
    networks: Sequence[str], stack: FocusStack, machine: Machine, *, device: str = "auto", repeats: int = 3
) -> pd.DataFrame:
    """Measure size, work and time of networks on one stack.

    Args:
        networks: Names such as ``"gacn"`` or ``"gacn.published"``.
        stack: Images to fuse.
        machine: What `measure_machine` returns for the device.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        repeats: How often to fuse after the first call; the fastest counts.

    Returns:
        A row per network: ``parameters``; ``operations`` and ``bytes`` per pixel of the stack's images; ``seconds`` from arrays
        to the fused array; ``least``: the least seconds by the ceilings; ``reached``: the share of ``least`` in ``seconds``.

    Raises:
        OptionError: There is no such network or device.
        DataError: Weights cannot be read or fetched.
    """
    pixels = stack.images[0, ..., 0].size if stack.is_colour else stack.images[0].size
    rows = {}
    for name in networks:
        parameters = sum(p.numel() for p in load_network(name, device=device).parameters())
        work = count_work(lambda name=name: fuse(stack, name, device=device))
        seconds = min(fuse(stack, name, device=device).seconds for _ in range(repeats))
        least = machine.least_seconds(work)
        per_pixel = {"operations": work.operations / pixels, "bytes": work.bytes / pixels}
        rows[name] = {"parameters": parameters, **per_pixel, "seconds": seconds, "least": least, "reached": least / seconds}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"parameters": int})


def textured_pair(side: int = 520) -> FocusStack:
    """Make a colour pair of random texture, sharp in one half of each source."""
    mask = np.zeros((side, side), bool)
    mask[:, : side // 2] = True
    return FocusStack("textured", np.stack(composite(texture(side, side), mask)))


def texture(height: int, width: int) -> np.ndarray:
    """Draw a texture (H, W, 3), uint8, with details of 4 to 52 pixels."""
    rng = np.random.default_rng(0)
    steps = [np.ones((k, k, 1)) for k in (4, 13, 26, 52)]
    layers = [np.kron(rng.random((-(-height // len(k)), -(-width // len(k)), 3)), k)[:height, :width] for k in steps]
    return (sum(layers) / len(layers) * 255).astype(np.uint8)
