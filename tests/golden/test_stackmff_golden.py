"""StackMFF-V2 with the published weights against the index map that the authors' program made of a stack of 36 photographs."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.images import as_stack
from mffrepro.methods import load_network
from mffrepro.models.stackmff import inference, method


@pytest.fixture(scope="module")
def golden(goldens):
    return goldens / "networks" / "StackMFF-V2"


@pytest.fixture(scope="module")
def photographs(goldens):
    files = sorted((goldens.parent / "stacks" / "fly37").glob("*.jpg"))
    if not files:
        pytest.skip("the photographs of fly37 are not here; they stay out of the project")
    return as_stack(files)


def test_expected_frames(mirror, golden, photographs) -> None:
    """Where another library decodes a JPEG, some gray values differ by a level, which moves the expectation by a thousandth."""
    grays = [method.read_as_gray(image) for image in photographs.images]
    network = load_network("stackmff.published", device="cpu")
    expected = inference.expected_frame(network, inference.half_features(network, grays))
    with np.load(golden / "fly37_depth_float32.npz") as stored:
        np.testing.assert_allclose(expected[0].numpy() + 1, stored["expectation"], atol=2e-3)


def test_every_pixel_comes_from_the_authors_frame(mirror, golden, photographs) -> None:
    """At most a thousandth of the pixels may lie so near the rounding border that sums in another order move them by a frame."""
    result = mff.fuse(photographs, "stackmff.published", as_published=True, device="cpu")
    differs = result.shares.main.astype(int) - np.load(golden / "fly37.npy")
    assert np.abs(differs).max() <= 1
    assert (differs != 0).mean() <= 1e-3
    assert (result.image != mff.read_image(golden / "fly37.png")).any(-1)[differs == 0].mean() == 0
