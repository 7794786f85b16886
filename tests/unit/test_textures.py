"""The procedural textures and the source task that is learned from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mffrepro.data.textures import KINDS, texture
from mffrepro.errors import OptionError
from mffrepro.models.vgg import VGG19
from mffrepro.models.weights import read_safetensors, shipped
from mffrepro.training.recipes import recipe
from mffrepro.training.vgg import VggRecipe


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_every_kind_is_a_picture_that_its_generator_repeats(kind: int) -> None:
    one, same, other = (texture(kind, 40, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one.shape == (40, 40, 3)
    assert one.dtype == np.float32
    assert one.min() >= 0
    assert one.max() <= 1
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 0.01
    assert one.std() > 0.01


def test_noises_differ_in_their_spectra() -> None:
    def slope(kind: str) -> float:
        pattern = list(KINDS.values())[list(KINDS).index(kind)]
        rows, columns = np.indices((64, 64))
        values = pattern(columns / 8, rows / 8, np.random.default_rng(0))
        power = np.abs(np.fft.rfft2(values - values.mean())) ** 2
        frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64))
        used = (frequency > 0.02) & (frequency < 0.4)
        return np.polyfit(np.log(frequency[used]), np.log(power[used]), 1)[0]

    assert slope("white noise") == pytest.approx(0, abs=0.3)
    assert slope("pink noise") == pytest.approx(-2, abs=0.4)  # power falls with the square of what the amplitude falls with
    assert slope("clouds") == pytest.approx(-4, abs=0.6)


def test_a_sample_depends_on_nothing_but_seed_epoch_and_index() -> None:
    data = recipe("vgg19").data([], split="train", seed=1)
    first = data[3]["image"]
    data[7]
    assert torch.equal(data[3]["image"], first)
    data.begin_epoch(1)
    assert not torch.equal(data[3]["image"], first)
    assert [int(data[i]["kind"]) for i in range(14)] == [*range(12), 0, 1]


def test_the_shipped_source_network_knows_textures_it_has_not_seen() -> None:
    state, options = read_safetensors(shipped("vgg19.surrogate"))
    network = VGG19(**options).eval()
    network.load_state_dict(state)
    fresh = replace(recipe("vgg19"), validation=120).data([], split="val", seed=987)
    with torch.inference_mode():
        found = network(torch.stack([fresh[i]["image"] for i in range(120)])).argmax(1)
    right = (found == torch.tensor([int(fresh[i]["kind"]) for i in range(120)])).float().mean()
    assert right > 0.5  # chance is one in twelve


def test_bad_recipes_are_refused() -> None:
    for wrong in ({"side": 16}, {"batch": 0}, {"rate": -1.0}):
        with pytest.raises(OptionError):
            VggRecipe(**wrong)
