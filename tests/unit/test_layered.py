"""Scenes with depth drawn from label maps, and their focal stacks."""

import numpy as np
import pytest

from mffrepro.data import layered
from mffrepro.data.labelled import LabelledImage
from mffrepro.data.layered import draw_disparity, take_stack


def labelled(labels: np.ndarray) -> LabelledImage:
    return LabelledImage("made", lambda: np.zeros((*labels.shape, 3), np.uint8), lambda: [labels])


def halves(height: int = 40, width: int = 60) -> np.ndarray:
    labels = np.ones((height, width), int)
    labels[:, width // 2 :] = 5
    return labels


def test_upright_regions_have_one_disparity_each(monkeypatch) -> None:
    monkeypatch.setattr(layered, "TILTED", 0.0)
    disparity = draw_disparity(labelled(halves()), np.random.default_rng(1))
    assert sorted({*np.unique(disparity[:, :30]), *np.unique(disparity[:, 30:])}) == [0, 1]


def test_tilted_regions_are_planes(monkeypatch) -> None:
    monkeypatch.setattr(layered, "TILTED", 1.0)
    disparity = draw_disparity(labelled(halves()), np.random.default_rng(2)).astype(float)
    assert (disparity.min(), disparity.max()) == (0, 1)
    for part in (disparity[:, :30], disparity[:, 30:]):
        assert np.abs(np.diff(part, 2, axis=0)).max() < 1e-6
        assert np.abs(np.diff(part, 2, axis=1)).max() < 1e-6
        assert np.ptp(part) > 0.01


def test_a_picture_of_one_region_has_a_disparity() -> None:
    for seed in range(4):  # upright or tilted
        assert np.isfinite(draw_disparity(labelled(np.ones((8, 9), int)), np.random.default_rng(seed))).all()


@pytest.mark.parametrize("from_near", [False, True])
def test_things_are_sharp_in_the_frame_that_their_depth_names(from_near: bool) -> None:
    image = np.random.default_rng(3).random((40, 60), np.float32)
    disparity = np.where(halves() == 5, 1.0, 0.0)
    shots = take_stack(image, disparity, 3, 2.0, from_near=from_near)
    inside = {0.0: np.s_[:, :24], 1.0: np.s_[:, 36:]}  # away from the outline
    for value, part in inside.items():
        sharp = round(float(shots.depth[part].mean()) * 2)
        assert sharp == (0 if (value == 1.0) == from_near else 2)
        errors = [np.abs(frame[part] - image[part]).mean() for frame in shots.frames]
        assert errors[sharp] < 1e-6
        assert np.argsort(errors).tolist() == ([0, 1, 2] if sharp == 0 else [2, 1, 0])
