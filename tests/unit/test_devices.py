"""What GPUs ask for, exercised without one: too little memory, no float64, autocast, channels-last, tensors without values."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import mffrepro as mff
from mffrepro import methods, tiling
from mffrepro.metrics import BATCHED, evaluate_batch
from mffrepro.models.weights import pick_device

NETWORKS = [card.name for card in methods.CARDS.values() if card.kind == "network"]
#: Options with which a method is quick; the fallback does not depend on them.
QUICK = {"mff_ssim": {"iterations": 2}}


@pytest.fixture(scope="module")
def pair():
    return mff.load("embedded", size=160)["coffee_blur3"].images


class Allocator(TorchDispatchMode):
    """Refuse arrays above a size, as a GPU does, and keep the largest that was made."""

    def __init__(self):
        super().__init__()
        self.limit, self.largest = float("inf"), 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                size = tensor.numel() * tensor.element_size()
                if size > self.limit:
                    raise torch.OutOfMemoryError(f"tried to allocate {size} bytes")
                self.largest = max(self.largest, size)
        return out


@contextmanager
def memory_of(monkeypatch, limit: float):
    """Let networks have so much memory until they are loaded for the CPU."""
    allocator, load = Allocator(), methods._loaded

    def loaded(name, weights, device):
        network = load(name, weights, "cpu")
        if device == "cpu":
            allocator.limit = float("inf")
        return network

    monkeypatch.setattr(methods, "_loaded", loaded)
    with allocator:
        allocator.limit = limit
        yield allocator


def needed(monkeypatch, pair, name: str) -> int:
    """The largest array of a fusion."""
    with monkeypatch.context() as patch, memory_of(patch, float("inf")) as allocator:
        mff.fuse(pair, name, **QUICK.get(name, {}))
    return allocator.largest


# ------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("name", ["sesf", "ifcnn", "gacn", "tlcnn"])
def test_without_any_memory_the_cpu_fuses_to_the_same_and_says_so(monkeypatch, pair, name):
    plain = mff.fuse(pair, name, device="cpu")
    with memory_of(monkeypatch, 1000), pytest.warns(UserWarning, match="fused on the CPU"):
        found = mff.fuse(pair, name)
    np.testing.assert_array_equal(found.image, plain.image)


def test_with_little_memory_smaller_strips_fuse_to_the_same(monkeypatch, pair):
    plain = mff.fuse(pair, "pmgi", device="cpu")
    monkeypatch.setitem(tiling.NETWORK_PIXELS, "cpu", pair[0, ..., 0].size)  # one strip
    monkeypatch.setattr(tiling, "HALO_RATIO", 1)
    limit = needed(monkeypatch, pair, "pmgi") - 1
    with memory_of(monkeypatch, limit), pytest.warns(UserWarning, match="in smaller strips"):
        found = mff.fuse(pair, "pmgi")
    assert np.abs(found.image.astype(int) - plain.image).max() <= 1


def test_with_enough_memory_nothing_is_said(monkeypatch, pair):
    with memory_of(monkeypatch, float("inf")), warnings.catch_warnings():
        warnings.simplefilter("error")
        mff.fuse(pair, "sesf")


def test_strips_are_as_large_as_before_once_the_fusion_is_done():
    with pytest.raises(KeyError), tiling.smaller_strips():
        raise KeyError
    assert tiling._divisor.get() == 1


# ------------------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize("device", ["mps", "xpu", "meta"])
def test_devices_without_float64_are_refused(pair, device):
    with pytest.raises(mff.OptionError, match="use auto, cpu or cuda"):
        mff.fuse(pair, "gacn", device=device)
    with pytest.raises(mff.OptionError):
        pick_device(device)


@pytest.mark.parametrize("name", BATCHED)
def test_batched_metrics_never_look_at_values(name):
    """Tensors without values pass: nothing is moved to the CPU or asked in between, which would halt a GPU."""
    batches = [torch.empty(2, 3, 96, 96, dtype=torch.uint8, device="meta") for _ in range(3)]
    found = evaluate_batch(batches[:2], batches[2], [name])[name]
    assert found.shape == (2,)
    assert found.dtype == torch.float64


# ------------------------------------------------------------------------------------- precision and layout


@pytest.mark.parametrize("name", NETWORKS)
def test_autocast_changes_little(pair, name):
    options = QUICK.get(name, {}) | {"device": "cpu"}
    plain = mff.fuse(pair, name, **options).image.astype(float)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mff.fuse(pair, name, **options).image.astype(float)
    assert np.sqrt(np.square(found - plain).mean()) < 255 * 0.03


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "mff_ssim"])
def test_the_layout_in_memory_changes_nothing(pair, name):
    """Networks are loaded in channels-last order, which is faster; the other order gives the same."""
    network = methods.load_network(name, device="cpu")
    plain = mff.fuse(pair, name, device="cpu").image.astype(int)
    try:
        network.to(memory_format=torch.contiguous_format)
        found = mff.fuse(pair, name, device="cpu").image.astype(int)
    finally:
        network.to(memory_format=torch.channels_last)
    assert (np.abs(found - plain) > 1).mean() < 1e-3
