"""The card of each method says whether the order of the frames matters; so does a measurement."""

import pytest
from quick import QUICK

import mffrepro as mff
from mffrepro import methods
from mffrepro.benchmarks import robustness


@pytest.fixture(scope="module")
def eight():
    return mff.load("embedded", kind="lens", size=192)["motorcycle_lens"]


@pytest.mark.parametrize("name", methods.within(4))
def test_the_card_says_whether_the_order_matters(eight, name):
    share = robustness.changed_by_order(eight, name, **QUICK.get(name, {}))
    assert (share > robustness.LEAST_SHARE) == methods.get(name).order_matters, f"{share:.5f} of the values change"


def test_a_method_that_takes_the_first_frame_depends_on_the_order(eight, monkeypatch):
    result = mff.fuse(eight, "average")

    def first(stack, method):
        from dataclasses import replace

        return replace(result, image=stack.images[0])

    monkeypatch.setattr(robustness, "fuse", first)
    assert robustness.changed_by_order(eight, "average") > 0.3
