"""Alignment of focal stacks whose true transforms are known."""

import numpy as np
import pytest
from aligned import moved_stack, photograph, residual, zoom

import mffrepro as mff
from mffrepro import alignment


@pytest.mark.parametrize("magnification", [0.001, 0.01, 0.05])
def test_breathing_is_recovered_to_a_tenth_of_a_pixel(magnification):
    truth = [zoom(1 + magnification * step, 4 * step, -3 * step) for step in (-0.5, 0, 0.5)]
    assert residual(alignment.estimate(moved_stack(photograph(), truth)), truth) < 0.1


@pytest.mark.parametrize("name", ["astronaut", "camera"])
def test_shifts_of_fifty_pixels_and_a_turn_are_recovered_to_a_tenth_of_a_pixel(name):
    truth = [zoom(), zoom(1.003, 50, -37.3, degrees=1), zoom(0.99, -12.6, 41.8, degrees=-1)]
    assert residual(alignment.estimate(moved_stack(photograph(name), truth, noise=0.01)), truth) < 0.1


def test_a_registered_stack_stays_as_it_is():
    frames = moved_stack(photograph(), [zoom()] * 3)
    assert residual(alignment.estimate(frames), [zoom()] * 3) < 0.02
    same = np.stack([frames[0]] * 3)
    np.testing.assert_array_equal(mff.align(same).images, same)
