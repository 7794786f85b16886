"""The kept crops of decision maps: all there, small, equal to what the methods make."""

import numpy as np
import pytest

from mffrepro.benchmarks.recorded_maps import CROP, MAPS, make_map, read_maps
from mffrepro.data.manifests import manifest_folder
from mffrepro.data.photographs import is_fetched
from mffrepro.errors import DataError

ALL = [(stack, method) for stack, methods in MAPS.items() for method in methods]


def test_every_map_is_kept_and_no_other():
    kept = {path.stem for path in (manifest_folder() / "recorded" / "maps").iterdir()}
    assert kept == {f"{stack}-{method}" for stack, method in ALL}


@pytest.mark.parametrize(("stack", "method"), ALL)
def test_a_map_is_a_map_and_not_a_photograph(stack, method):
    ((label, image),) = read_maps([method], [stack]).items()
    assert label == f"{method}, {stack}"
    assert image.shape == CROP[2:]
    undecided = (image > 12) & (image < 243)
    assert undecided.mean() < 0.1  # nearly every pixel comes from one source


@pytest.mark.parametrize(("stack", "method"), ALL[::3])
def test_a_map_is_what_the_method_makes(stack, method):
    if not is_fetched("lytro"):
        pytest.skip("the photographs of Lytro are not here")
    ((_, kept),) = read_maps({"kept": method}, [stack]).items()
    assert np.mean(np.abs(make_map(stack, method).astype(int) - kept) > 2) < 0.001


def test_a_map_that_is_not_kept():
    with pytest.raises(DataError, match=r"no decision map of lp on lytro_14 is kept"):
        read_maps(["lp"], ["lytro_14"])
