"""What the deviations from GACN's paper change: every row of the table has an effect, and each is what it says."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from scenes import halves

from mffrepro.images import FocusStack, to_gray, to_unit
from mffrepro.methods import load_network
from mffrepro.report import gacn_deviations
from mffrepro.report.gacn_deviations import blurred_rim, on_pair, on_record


@pytest.fixture(scope="module")
def pair() -> FocusStack:
    images = np.round(255 * halves(48, 64, 3)).astype(np.uint8)
    return FocusStack("halves", images, reference=images[0])


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return load_network("gacn", device="cpu")


def test_every_deviation_has_an_effect(pair, network) -> None:
    smoothing = pd.DataFrame({"qg": [0.5, 0.75], "psnr": [30.0, 29.0]}, index=["paper", "published"])
    shown = gacn_deviations.table(pair, network, smoothing).data
    assert shown["effect"].notna().all()
    assert (shown["effect"] == "+0.2500 Q_g, -1.00 dB").sum() == 1


def test_sides_are_those_of_the_swapped_pair(pair, network) -> None:
    effects = on_pair(pair, network)
    near, far = (torch.from_numpy(to_gray(to_unit(image)))[None, None] for image in pair.images)
    with torch.inference_mode():
        one, other = network(near, far).initial > 0.5, network(far, near).initial > 0.5
    assert effects["order"] == f"{float((one == other).float().mean()):.2%} of the pixels change sides"
    assert effects["gray"].endswith("of the pixels change sides")


def test_effects_on_the_loss_are_signed_numbers(pair, network) -> None:
    effects = on_pair(pair, network)
    for name in ("angle", "reduction", "steepness"):
        assert float(re.fullmatch(r"([+-][\d.e+-]+) of the loss", effects[name])[1]) != 0


def test_zeros_outside_darken_the_rim() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    assert blurred_rim(white, "mirror") == pytest.approx(1, abs=1e-5)
    assert 0.4 < blurred_rim(white, "constant") < 0.65


def test_what_takes_trainings_or_many_stacks_is_read_from_the_records() -> None:
    found = on_record()
    assert set(found) == {"activity", "slope", "strategy"}
    gain = r"[+-][\d.]+ dB, [+-][\d.]+ Q_g against"
    assert re.fullmatch(rf"{gain} calibration; {gain} serial", found["strategy"])
    assert found["slope"].startswith("-")
