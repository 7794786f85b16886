"""GACN strip by strip gives what one pass over the whole image gives."""

import numpy as np
import pytest
import torch
from torch import nn

import mffrepro as mff
from mffrepro.methods import load_network
from mffrepro.models import gacn
from mffrepro.models.gacn import inference
from mffrepro.models.layers import ConvToOne
from mffrepro.tiling import strips


@pytest.fixture
def narrow(monkeypatch):
    """Strips of about 16 rows, so that a small image has several."""
    monkeypatch.setattr(inference, "FEATURE_PIXELS", 16 * 45)
    monkeypatch.setattr(inference, "DECISION_PIXELS", 16 * 45)


def image(seed: int, height: int = 97, width: int = 45) -> torch.Tensor:
    """Smooth enough that thresholds with slopes of 1000 do not turn rounding into decisions."""
    rough = torch.from_numpy(np.random.default_rng(seed).random((1, 1, height // 8 + 2, width // 8 + 2), np.float32))
    return nn.functional.interpolate(rough, (height, width), mode="bicubic").clamp(0, 1)


def random_network(activity: str, boundary: str, attention: bool = True) -> gacn.GACN:
    torch.manual_seed(0)
    network = gacn.GACN(activity=activity, boundary=boundary, attention=attention, slope=20.0).eval()
    for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.running_mean, std=0.1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
        nn.init.normal_(norm.bias, std=0.1)
    return network


@torch.inference_mode()
@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("boundary", ["paper", "published"])
@pytest.mark.parametrize("activity", ["paper", "published"])
def test_strips_equal_the_whole(narrow, activity, boundary, attention):
    network, a, b = random_network(activity, boundary, attention), image(0), image(1)
    assert len(list(strips(97, 45, inference.DECISION_PIXELS, inference.DECISION_HALO))) > 4
    features = [inference.Features(x, inference.activity_in_strips(network, x)) for x in (a, b)]
    for found, x in zip(features, (a, b), strict=True):
        torch.testing.assert_close(found.activity, network.extract(x), rtol=1e-4, atol=1e-5)
    final, logit = inference.decide_in_strips(network, *features)
    maps = network(a, b)
    torch.testing.assert_close(logit, maps.logit[0, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(final, maps.final[0, 0], rtol=0, atol=2e-3)


@torch.inference_mode()
@pytest.mark.parametrize("attention", [True, False])
def test_the_weights_of_attention_are_gathered_without_the_maps(narrow, attention):
    network, x = random_network("paper", "paper", attention), image(2)
    weights = inference.attention_weights(network.features, x)
    maps = [network.features.conv[0](x)]
    for layer, (se, weight) in enumerate(zip(network.features.se, weights, strict=True)):
        if attention:
            torch.testing.assert_close(weight, se.weight(maps[-1].mean((2, 3))), rtol=1e-5, atol=1e-6)
        maps[-1] = se(maps[-1])
        if layer < 3:
            maps.append(network.features.conv[layer + 1](torch.cat(maps, 1)))
    part = slice(40, 70)
    known = inference.features_in_strips(network.features, x[..., part, :], weights)
    torch.testing.assert_close(known[..., 4:-4, :], torch.cat(maps, 1)[..., part, :][..., 4:-4, :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weights", ["default", "random"])
@pytest.mark.parametrize("strategy", mff.methods.get("gacn").strategies)
@pytest.mark.parametrize("count", [2, 4])
def test_large_images_are_fused_in_bands_to_the_same(monkeypatch, count, strategy, weights):
    images = mff.load("embedded", size=256)["motorcycle_lens"].images[:count]
    options = {"weights": weights, "device": "cpu", "strategy": strategy}
    whole = mff.fuse(images, "gacn", **options)
    monkeypatch.setattr(inference, "LARGE", 1000)
    monkeypatch.setattr(inference, "BAND_PIXELS", 256 * 20)
    rows = []
    inner = inference.features_in_strips
    monkeypatch.setattr(
        inference, "features_in_strips", lambda path, gray, *known: rows.append(gray.shape[2]) or inner(path, gray, *known)
    )
    banded = mff.fuse(images, "gacn", **options)
    if strategy != "carry":  # which alone keeps the maps of whole images
        assert max(rows) < whole.image.shape[0], "no features may hold the maps of a whole image"
    apart = np.abs(banded.image.astype(int) - whole.image)
    assert (apart > 1).mean() < 1e-4, "slopes of 1000 turn rounding into decisions, but seldom"
    # An untrained network has logits near 0, so that more of its decisions turn.
    allowed = {"default": 5e-3, "random": 1e-2}[weights]
    assert (np.abs(banded.decision - whole.decision) > 0.01).any(0).mean() < allowed


@torch.inference_mode()
@pytest.mark.parametrize("channels", [1, 32, 64])
@pytest.mark.parametrize(("height", "width"), [(19, 11), (19, 2), (2, 19), (1, 1), (4, 4)])  # some smaller than the kernel
def test_convolution_to_one_map(channels, height, width):
    conv, x = ConvToOne(channels, 7), torch.rand(2, channels, height, width)
    torch.testing.assert_close(conv(x), nn.functional.conv2d(x, conv.weight, padding=3), rtol=1e-5, atol=1e-5)


def test_convolution_to_one_map_has_the_gradient_of_the_convolution():
    conv = ConvToOne(5, 7).double()
    x, weight = (torch.rand(shape, dtype=torch.float64) for shape in ((2, 5, 9, 8), (2, 1, 9, 8)))
    gradients = []
    for function in (lambda: conv(x), lambda: nn.functional.conv2d(x, conv.weight, padding=3)):
        conv.zero_grad()
        (function() * weight).sum().backward()
        gradients.append(conv.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_blended_features_are_those_of_the_pixels_taken():
    comparer = gacn.GacnComparer(load_network("gacn.random", device="cpu"))
    first, second = (comparer.extract(image(seed)[0, 0].numpy()) for seed in (2, 3))
    expected = [torch.where(torch.arange(45) < 20, a, b) for a, b in zip(first[:2], second[:2], strict=True)]
    final = np.zeros((97, 45), np.float32)
    final[:, :20] = 1
    for merged, wanted in zip(comparer.blend(first, second, final)[:2], expected, strict=True):
        torch.testing.assert_close(merged, wanted)
