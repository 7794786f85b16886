"""The embedded stacks: no network, the same arrays every time, outlines that are where the objects are."""

import socket

import numpy as np
import pytest
from scipy import ndimage

from mffrepro.data import load, load_regions
from mffrepro.data.embedded import fill_holes
from mffrepro.data.outlines import OUTLINES, Outline, draw_outline
from mffrepro.errors import OptionError

SCENES = ("astronaut", "coffee", "chelsea", "rocket", "camera")

#: (x, y) in the photograph as it ships: on the object, and beside it.
ON_AND_BESIDE = {
    "astronaut": ([(220, 100), (180, 400), (400, 450), (175, 60), (150, 170)], [(420, 120), (30, 100), (440, 300), (100, 120)]),
    "coffee": ([(290, 30), (412, 75), (110, 270), (300, 380), (220, 270)], [(60, 60), (440, 60), (560, 300), (100, 370)]),
    "chelsea": ([(170, 110), (260, 240), (390, 10), (30, 250), (330, 200)], [(15, 50), (420, 100), (400, 250), (340, 250)]),
    "rocket": ([(323, 140), (322, 300), (320, 420), (300, 380)], [(250, 200), (360, 200), (200, 300), (400, 415)]),
    "camera": ([(200, 90), (290, 160), (100, 250), (293, 400), (400, 500)], [(400, 100), (256, 190), (220, 400), (330, 400)]),
}


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("something wanted the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_everything_is_made_without_a_network(offline):
    data = load("embedded")
    assert len(data) == 5 * 5 + 5 + 1
    for stack in data:
        assert stack.images.dtype == stack.reference.dtype == np.uint8
        assert stack.images.shape[1:] == stack.reference.shape
        assert stack.decision.shape == stack.images.shape[:3]
        assert (stack.decision.sum(axis=0) == 1).all()
        assert 300 <= max(stack.images.shape[1:3]) <= 512


def test_the_same_call_gives_the_same_arrays():
    for name in ("chelsea_blur2", "chelsea_spread", "motorcycle_lens"):
        one, other = (load("embedded", size=200)[name] for _ in range(2))
        assert (one.images == other.images).all()
        assert (one.decision == other.decision).all()


@pytest.mark.parametrize("scene", SCENES)
def test_outlines_are_on_the_object(scene):
    outline = OUTLINES[scene]
    stack = load("embedded", kind="composite", levels=[1], size=4096)[f"{scene}_blur1"]
    top, left = (part.start or 0 for part in outline.crop)
    on, beside = ON_AND_BESIDE[scene]
    assert [stack.decision[0, y - top, x - left] for x, y in on] == [1] * len(on)
    assert [stack.decision[0, y - top, x - left] for x, y in beside] == [0] * len(beside)


@pytest.mark.parametrize("scene", SCENES)
def test_an_outline_shrinks_with_its_photograph(scene):
    large, small = (load("embedded", kind="spread", size=size)[f"{scene}_spread"].decision[0] for size in (512, 128))
    zoom = ndimage.zoom(
        large, [s / n for s, n in zip(small.shape, large.shape, strict=True)], order=1, grid_mode=True, mode="nearest"
    )
    assert ((zoom > 0.5) != (small > 0)).mean() < 0.02


def test_half_pixels_and_crops_of_outlines():
    square = (((1.5, 0.5), (3.5, 0.5), (3.5, 2.5), (1.5, 2.5)),)
    outline = Outline(file="", polygons=square)
    assert draw_outline(outline, (4, 5)).sum() == 4
    assert draw_outline(outline, (4, 5))[1:3, 2:4].all()
    cropped = Outline(file="", polygons=square, crop=(slice(1, None), slice(2, None)))
    assert draw_outline(cropped, (3, 3)).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert draw_outline(outline, (8, 10), scale=2).sum() == 16
    holed = Outline(file="", polygons=square, holes=(((1.6, 0.6), (2.4, 0.6), (2.4, 1.4), (1.6, 1.4)),))
    assert draw_outline(holed, (4, 5)).sum() == 3


def sharpness(image):
    return ndimage.laplace(image.astype(float).mean(axis=-1)) ** 2


def test_each_slice_of_the_focal_stack_is_sharpest_where_the_truth_says():
    stack = load("embedded", kind="lens")["motorcycle_lens"]
    assert len(stack) == 8
    energies = np.stack([sharpness(image) for image in stack.images])
    for n, mine in enumerate(stack.decision > 0):
        inner = ndimage.binary_erosion(mine, iterations=5)  # away from what stands before it, whose edges are sharp elsewhere
        assert energies[:, inner].mean(axis=1).argmax() == n


def test_fusing_the_focal_stack_by_its_truth_nearly_restores_the_reference():
    stack = load("embedded", kind="lens")["motorcycle_lens"]
    errors = ((stack.images.astype(float) - stack.reference) ** 2).mean(axis=(1, 2, 3))
    fused = (stack.images * stack.decision[..., None]).sum(axis=0)
    assert ((fused - stack.reference) ** 2).mean() < errors.min() / 2


def test_holes_are_filled_from_the_farther_side():
    hole = np.inf
    disparity = np.array([[5, hole, hole, 2], [hole, 3, 4, hole], [hole, hole, hole, hole], [1, np.nan, 7, 8]])
    assert fill_holes(disparity).tolist() == [[5, 2, 2, 2], [3, 3, 4, 4], [1, 1, 1, 1], [1, 1, 7, 8]]


def test_options_choose():
    assert load("embedded", kind="composite", levels=[2, 4]).names[:2] == ("astronaut_blur2", "astronaut_blur4")
    assert load("embedded", kind="lens", slices=3, size=128)[0].images.shape[0] == 3
    for options in ({"levels": [0]}, {"levels": []}, {"size": 10}, {"slices": 1}):
        with pytest.raises(OptionError, match="give levels"):
            load("embedded", **options)
    with pytest.raises(OptionError, match="did you mean 'composite'"):
        load("embedded", kind="composit")


def test_regions_are_the_photographs_with_their_outlines():
    items = load_regions("embedded")
    assert [item.name for item in items] == list(SCENES)
    for item in items:
        (labels,) = item.labels
        assert item.image.shape == (*labels.shape, 3)
        assert set(np.unique(labels)) == {0, 1}
