"""Metrics on batches of tensors give what the same metrics give image by image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mffrepro.errors import ImageError, OptionError
from mffrepro.metrics import BATCHED, evaluate, evaluate_batch, get

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"))]


def scenes(seed: int, batch: int, count: int, channels: int, height: int = 40, width: int = 37) -> torch.Tensor:
    """(count + 1, batch, channels, height, width) uint8: sources and fused; one flat patch in each image."""
    images = np.random.default_rng(seed).integers(0, 256, (count + 1, batch, channels, height, width), np.uint8)
    images[..., :14, :15] = images[..., :1, :1]
    return torch.from_numpy(images)


def one(batch: torch.Tensor, index: int) -> np.ndarray:
    image = batch[index].numpy()
    return image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("gray", ["matlab", "skimage"])
@pytest.mark.parametrize("channels", [1, 3])
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 4))
@settings(max_examples=4, deadline=None)
def test_batches_equal_single_images(device, gray, channels, seed, count):
    *sources, fused = scenes(seed, 2, count, channels)
    names = [name for name in BATCHED if count == 2 or get(name).max_sources is None]
    scores = evaluate_batch([s.to(device) for s in sources], fused.to(device), names, gray=gray)
    for index in range(2):
        alone = evaluate([one(s, index) for s in sources], one(fused, index), names, gray=gray)
        for name in names:
            assert (scores[name].dtype, scores[name].device.type) == (torch.float64, device)
            assert scores[name][index].item() == pytest.approx(alone[name], rel=1e-9, abs=1e-12), name


def test_floats_count_as_the_bytes_they_stand_for():
    near, far, fused = scenes(0, 2, 2, 3)
    bytes_, floats = (evaluate_batch([near, far], fused), evaluate_batch([near / 255, far / 255], fused / 255))
    for name, score in bytes_.items():
        torch.testing.assert_close(floats[name], score, rtol=1e-12, atol=0)


def test_a_constant_image_is_not_a_number_where_the_metric_says_so_and_touches_no_neighbour():
    near, far, fused = scenes(1, 2, 2, 1)
    fused[0] = 7
    scores = evaluate_batch([near, far], fused, ["cc", "sd"])
    assert torch.isnan(scores["cc"]).tolist() == [True, False]
    assert scores["sd"][0] == 0


def test_all_leaves_out_what_cannot_be():
    near, far, third, fused = scenes(2, 1, 3, 1, 7, 7)
    assert set(evaluate_batch([near, far, third], fused)) == {
        "qabf", "qg", "labf", "nabf", "ag", "sf", "sd", "ei", "api", "cc",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda s, f: ([s[0]], f, "all"), ImageError, "two or more"),
        (lambda s, f: ([x[:, 0] for x in s], f[:, 0], "all"), ImageError, r"\(B, 1, H, W\)"),
        (lambda s, f: (s, f[..., 1:], "all"), ImageError, "differ"),
        (lambda s, f: ([x * 2.0 for x in s], f * 2.0, "all"), ImageError, r"\[0, 1\]"),
        (lambda s, f: ([x.int() for x in s], f.int(), "all"), ImageError, "uint8"),
        (lambda s, f: (s, f, ["qp"]), OptionError, "does not run on batches"),
        (lambda s, f: (s, f, "qag"), OptionError, "qag"),
        (lambda s, f: ([*s, s[0]], f, "qy"), OptionError, "2 sources"),
        (lambda s, f: ([x[..., :4] for x in s], f[..., :4], ["qs"]), ImageError, "8x8"),
    ],
)
def test_what_cannot_be_scored_is_said(change, error, words):
    near, far, fused = scenes(3, 1, 2, 1)
    with pytest.raises(error, match=words):
        evaluate_batch(*change([near, far], fused))


def test_unknown_gray():
    near, far, fused = scenes(3, 1, 2, 1)
    with pytest.raises(OptionError, match="gray conversion"):
        evaluate_batch([near, far], fused, gray="lab")
