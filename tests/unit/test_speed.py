"""Work counted by hand, ceilings that bound it, and the chart of both."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mffrepro.benchmarks import speed
from mffrepro.benchmarks.speed import Machine, Work
from mffrepro.methods import load_network
from mffrepro.models.gacn import GACN
from mffrepro.report.speed import roofline


def test_a_convolution_is_counted_as_by_hand() -> None:
    """3 maps of 10x8 to 5 maps, kernel 3x3: every output value takes 27 products, each with its addition."""
    layer, image = nn.Conv2d(3, 5, 3, padding=1), torch.zeros(2, 3, 10, 8)
    values = image.numel() + layer.weight.numel() + layer.bias.numel() + 2 * 5 * 10 * 8
    assert speed.count_work(lambda: layer(image)) == Work(2 * 27 * 2 * 5 * 10 * 8, 4 * values)


def test_a_matrix_product_is_counted_and_arithmetic_without_one_is_not() -> None:
    left, right = torch.zeros(4, 6), torch.zeros(6, 5)
    assert speed.count_work(lambda: F.relu(left @ right) + 1) == Work(2 * 4 * 6 * 5, 4 * (24 + 30 + 20))


def test_work_of_gacn_is_that_of_its_layers() -> None:
    """Against the outputs of its layers, and what it convolves without a layer: a Gaussian and, on a CPU, window sums."""
    from mffrepro.report.diagram import multiply_adds

    network, image = GACN().eval(), torch.zeros(1, 1, 32, 24)
    counted = speed.count_work(lambda: network(image, image)).operations
    gaussian = network.gaussian.numel() * 32 * 24
    windows = 2 * 2 * 11 * 64 * (32 + 10) * (24 + 10)  # two images, rows and columns, 64 maps with their border
    assert counted == 2 * (multiply_adds(network, (image, image)) + gaussian + windows)


def test_the_larger_quotient_is_the_least_time() -> None:
    machine = Machine(operations=100.0, bytes=10.0)
    assert machine.least_seconds(Work(200, 10)) == 2
    assert machine.least_seconds(Work(200, 50)) == 5
    assert machine.attainable(4) == 40
    assert machine.attainable(40) == 100
    work = Work(200, 50)
    assert work.operations / machine.attainable(work.operations / work.bytes) == machine.least_seconds(work)


def test_a_machine_is_measured(monkeypatch) -> None:
    monkeypatch.setitem(speed.PROBES, "cpu", (64, 2**12))
    machine = speed.measure_machine("cpu")
    assert machine.operations > 1e6
    assert machine.bytes > 1e6


def test_of_several_times_the_shortest_counts(monkeypatch) -> None:
    clock = iter([0, 3, 10, 11, 20, 25])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    assert speed.fastest(lambda: None, repeats=3) == 1


def test_speed_is_measured_per_pixel_of_one_image() -> None:
    stack, machine = speed.textured_pair(64), Machine(operations=1e9, bytes=1e9)
    table = speed.measure_speed(["sesf"], stack, machine, device="cpu", repeats=1)
    row = table.loc["sesf"]
    assert row["parameters"] == sum(p.numel() for p in load_network("sesf", device="cpu").parameters())
    layers = sum(9 * inputs * 16 for inputs in (1, 16, 32, 48))  # products per pixel of an image
    windows = 2 * 11 * 64  # sums over rows and columns of all maps
    assert row["operations"] == pytest.approx(2 * 2 * (layers + windows), rel=1e-4), "the rest are linear layers of attention"
    assert row["reached"] == pytest.approx(row["least"] / row["seconds"])
    assert row["least"] == pytest.approx(max(row["operations"], row["bytes"]) * 64**2 / 1e9)


def test_the_textured_pair_is_sharp_in_halves() -> None:
    near, far = speed.textured_pair(64).images.astype(float)
    detail = [np.abs(np.diff(image, axis=0)).sum((0, 2)) for image in (near, far)]
    assert (detail[0][:28] > detail[1][:28]).all()
    assert (detail[0][36:] < detail[1][36:]).all()


def test_a_roofline_has_a_point_and_a_name_for_every_network() -> None:
    table = pd.DataFrame({"operations": [100.0, 10.0], "bytes": [10.0, 10.0], "reached": [0.5, 1.0]}, index=["one", "two"])
    (axes,) = roofline(table, Machine(operations=4e9, bytes=1e9), alt="two points").figure.axes
    assert [text.get_text() for text in axes.texts] == ["one", "two"]
    (points,) = axes.collections
    assert np.allclose(points.get_offsets(), [[10, 2], [1, 1]]), "half of the arithmetic, and all of the memory"
