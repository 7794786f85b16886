"""ZMFF: its size, four steps of the authors' program, its maps of sharpness, and what a seed and a number of sources change."""

import math

import numpy as np
import pytest
import torch

import mffrepro as mff
from mffrepro.images import as_stack
from mffrepro.models import zmff

#: Loss, mean of the image and three of its pixels before each of four steps, by the authors' program (commit 337013c) in
#: double precision, without noise in the steps, two of them with L_1 and two with L_2.
PUBLISHED = [
    (10.22980269135077, 0.5713602260749275, (0.5164316, 0.54979996, 0.50507516)),
    (10.399554053221175, 0.5097004575507338, (0.68114293, 0.56879361, 0.78448643)),
    (0.8052587730513205, 0.3791245716706627, (0.10443108, 0.1827842, 0.84512166)),
    (0.6987627421489991, 0.3391697422478013, (0.33303314, 0.33504913, 0.34909394)),
]


def made_pair() -> torch.Tensor:
    """Make two images (2, 1, 45, 52) of waves, one sharp on the left and one on the right."""
    y, x = np.mgrid[:45, :52].astype(float)
    strong, weak = (0.5 + a * np.sin(1.7 * x + 0.3 * y) + b * np.sin(0.9 * y - 0.4 * x) for a, b in ((0.25, 0.2), (0.05, 0.1)))
    return torch.from_numpy(np.stack([np.where(x < 26, strong, weak), np.where(x < 26, weak, strong)]))[:, None]


def wave(shape: tuple[int, ...], number: int) -> torch.Tensor:
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * 0.7 + number).reshape(shape)


def set_by_formula(network: torch.nn.Module) -> None:
    """Set each parameter to a wave of its own; the waves are numbered in the alphabetical order of the names."""
    for number, (name, parameter) in enumerate(sorted(network.named_parameters())):
        if parameter.ndim == 4:
            value = wave(parameter.shape, number) * (2 / math.prod(parameter.shape[1:])) ** 0.5
        else:
            value = float(name.endswith("weight")) + 0.1 * wave(parameter.shape, number)
        parameter.data.copy_(value)


@pytest.mark.parametrize(("scales", "published"), [(zmff.IMAGE_SCALES, 2_173_760), (zmff.MASK_SCALES, 1_246_208)])
def test_size(scales: int, published: int) -> None:
    unread = 128 * (scales - 1)  # outputs of the coarser scales
    assert sum(p.numel() for p in zmff.Hourglass(2, scales).parameters()) == published - unread


def test_four_steps_are_those_of_the_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmff, "JITTER", 0.0)
    fit = zmff.Fit(made_pair())
    for network in (fit.image, *fit.masks):
        set_by_formula(network)
    fit.noise = 0.05 + 0.05 * wave((1, 2, 45, 52), 0)
    for (loss, image), (published, mean, pixels) in zip(fit.run((2, 2)), PUBLISHED, strict=True):
        assert loss == pytest.approx(published, rel=1e-6)
        assert image.mean().item() == pytest.approx(mean, rel=1e-6)
        assert image[0, 0, [0, 20, 44], [0, 31, 51]].tolist() == pytest.approx(pixels, abs=1e-6)


def test_the_rate_is_halved_after_200_400_and_800_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = []

    class Watched(torch.optim.SGD):
        def step(self) -> None:
            rates.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    monkeypatch.setattr(zmff, "HALVED", (2, 4, 8))
    list(zmff.Fit(made_pair().float(), rate=0.08).run((5, 5)))
    assert rates == pytest.approx([0.08, 0.08, 0.08, 0.04, 0.04, 0.02, 0.02, 0.02, 0.02, 0.01])


def test_sharpness_maps() -> None:
    maps = zmff.sharpness_maps(made_pair())
    inside = np.s_[..., 2:-2, 2:-2]
    assert maps[0][inside][..., :21].mean() > 0.9
    assert maps[1][inside][..., -21:].mean() > 0.9
    assert torch.equal(maps.sum(0), torch.ones_like(maps[0]))
    same = torch.cat([made_pair()[:1]] * 3)
    assert torch.equal(zmff.sharpness_maps(same), torch.ones_like(same))


def test_masks_differ_by_their_targets_only() -> None:
    fit = zmff.Fit(made_pair().float())
    first, second = (list(mask.parameters()) for mask in fit.masks)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    list(fit.run((1, 0)))
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_image_becomes_the_sharp_one() -> None:
    pair = made_pair().float()
    sharp = torch.cat([pair[0, ..., :26], pair[1, ..., 26:]], -1)
    losses, paintings = zip(*zmff.Fit(pair).run((35, 35)), strict=True)
    errors = [(image - sharp).square().mean().item() for image in (*pair, *paintings)]
    assert errors[-1] < min(errors[:2]) / 2 < errors[2]
    assert losses[34] < losses[0] / 2
    assert losses[-1] < losses[35] / 2


@pytest.fixture
def three() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 33, 40, 3), np.uint8)


def test_a_seed_gives_the_same_image_again_and_another_another(three: np.ndarray) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (mff.fuse(three, "zmff", steps=(2, 1), device="cpu", seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert torch.equal(torch.random.get_rng_state(), before), "the user's random numbers are left alone"
    turned = mff.fuse(three[::-1], "zmff", steps=(2, 1), device="cpu", seed=1).image
    assert (turned != first).mean() > 0.1
    assert mff.methods.get("zmff").order_matters


def test_the_published_program_takes_the_chroma_of_the_first_source(three: np.ndarray) -> None:
    stack = as_stack(three / 255)
    images = [zmff.fuse(stack, steps=(1, 0), device="cpu", as_published=published)[0] for published in (True, False)]
    blue_and_red = [image[..., [2, 0]] - (image @ [0.299, 0.587, 0.114])[..., None] for image in (*images, three[0] / 255)]
    np.testing.assert_allclose(blue_and_red[0], blue_and_red[2], atol=1e-5)
    assert np.abs(blue_and_red[1] - blue_and_red[2]).max() > 0.1
    levels = images[0] @ [0.299, 0.587, 0.114] * 255
    np.testing.assert_allclose(levels, levels.round(), atol=1e-3)


@pytest.mark.parametrize("options", [{"steps": (0, 0)}, {"steps": (3,)}, {"steps": (-1, 4)}, {"rate": 0}])
def test_no_steps_and_steps_of_no_length_are_refused(three: np.ndarray, options: dict) -> None:
    with pytest.raises(mff.OptionError, match=r"use two numbers of steps|steps is .* use 0 or more|rate is 0"):
        mff.fuse(three, "zmff", **options)
