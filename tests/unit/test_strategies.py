"""What strategies ask of a comparer: calls recorded, counted and drawn, and the savings that follow from them."""

import numpy as np
import pytest

from mffrepro.benchmarks import strategies
from mffrepro.errors import OptionError
from mffrepro.fusion.multi_image import ImageComparer, carry, combine, serial
from mffrepro.images import FocusStack
from mffrepro.models.gacn import GACN, GacnComparer
from mffrepro.models.gacn.ranking import rank
from mffrepro.report import diagram


class Brighter:
    """Prefer the brighter pixel, and blend features by the brighter of both."""

    def extract(self, image):
        return image.copy()

    def decide(self, first, second):
        final = (first > second).astype(np.float32)
        return final, 2 * final - 1

    def blend(self, first, second, final):
        return np.where(final > 0.5, first, second)


class Fewest(Brighter):
    """Decide once, by features that are merged from all images, as a ranking does."""

    def fuse(self, images):
        features = [self.extract(image) for image in images]
        return np.where(self.decide(features[0], np.max(features[1:], 0))[0] > 0.5, images[0], np.max(images[1:], 0)), None


def traced(fusion, count: int = 4):
    images = list(np.random.default_rng(0).random((count, 6, 5), np.float32))
    trace = strategies.Traced(Brighter(), images)
    fused, _ = fusion(images, trace)
    assert np.array_equal(fused, np.max(images, 0)), "a traced comparer answers as it would have"
    return trace


def merged(images, comparer):
    return Fewest.fuse(comparer, images)


def test_a_traced_comparer_knows_what_it_was_asked() -> None:
    one_by_one, carried, rank = traced(serial), traced(carry), traced(merged)
    assert [call.inputs for call in rank.calls] == [(), (), (), (), (0, 1, 2, 3)], "the features stem from all images"
    assert (one_by_one.count("extract"), one_by_one.count("decide")) == (6, 3)
    assert (carried.count("extract"), carried.count("decide")) == (4, 3)
    assert [call.text for call in one_by_one.calls if call.kind == "extract"] == ["1", "2", "fused", "3", "fused", "4"]
    assert [call.inputs for call in one_by_one.calls] == [(), (), (0, 1), (2,), (), (3, 4), (5,), (), (6, 7)]
    assert [call.inputs for call in carried.calls] == [(), (), (0, 1), (), (2, 3), (), (4, 5)], "features come from a decision"
    assert one_by_one.seconds("extract") >= 0


def test_strategies_draw_every_call() -> None:
    ways = {"serial": serial, "carry": carry, "rank": merged}
    shown = diagram.strategies({name: traced(way) for name, way in ways.items()}, alt="three strategies")
    titles = [axes.get_title(loc="left") for axes in shown.figure.axes]
    assert titles == [
        "serial: 6 extractions, 3 decisions",
        "carry: 4 extractions, 3 decisions",
        "rank: 4 extractions, 1 decision",
    ]
    texts = [[text.get_text() for text in axes.texts if text.get_text()] for axes in shown.figure.axes]
    assert [len(boxes) for boxes in texts] == [9, 7, 5]
    assert texts[0].count("features\nof fused") == 2


def gacn_comparer() -> GacnComparer:
    import torch

    torch.manual_seed(0)
    return GacnComparer(GACN().eval())


def stack_of(count: int) -> FocusStack:
    images = np.random.default_rng(1).integers(0, 256, (count, 24, 30, 3), np.uint8)
    return FocusStack("random", images, reference=images.mean(0).astype(np.uint8))


@pytest.mark.parametrize(
    ("strategy", "calls"), [("serial", (6, 3)), ("calibration", (4, 3)), ("carry", (4, 3)), ("rank", (4, 1))]
)
def test_a_traced_gacn_fuses_as_gacn_does(strategy, calls) -> None:
    images = [image / np.float32(255) for image in stack_of(4).images]
    expected, _ = rank(images, gacn_comparer()) if strategy == "rank" else combine(images, gacn_comparer(), strategy)
    trace = strategies.Traced(gacn_comparer(), images)
    fused, _ = rank(images, trace) if strategy == "rank" else combine(images, trace, strategy)
    assert np.array_equal(fused, expected)
    assert (trace.count("extract"), trace.count("decide")) == calls
    if strategy == "rank":
        assert trace.calls[-1].inputs == (0, 1, 2, 3), "the decision is about the ranks, which stem from all images"


def test_a_comparer_follows_the_strategies_that_it_has_the_parts_for() -> None:
    class WithoutBlend:
        pass

    assert strategies.strategies_of(WithoutBlend()) == ["serial", "calibration"]
    assert strategies.strategies_of(ImageComparer(max)) == ["serial", "calibration", "carry"]
    assert strategies.strategies_of(gacn_comparer()) == ["serial", "calibration", "carry", "rank"]
    with pytest.raises(OptionError, match="no strategy 'ranks'"):
        strategies.attempt(stack_of(3), gacn_comparer(), "ranks")


def test_the_saving_is_that_of_the_calls() -> None:
    """Serial fusion of five images: 8 extractions and 4 decisions; merging all into one decision: 5 and 1."""
    one_by_one, merged_once = traced(serial, 5), traced(merged, 5)
    assert strategies.share_saved(one_by_one, one_by_one, {"extract": 3, "decide": 7}) == 0
    assert strategies.share_saved(merged_once, one_by_one, {"extract": 3, "decide": 7}) == pytest.approx(1 - 22 / 52)
    assert strategies.share_saved(merged_once, one_by_one, {"extract": 1, "decide": 0}) == pytest.approx(3 / 8)


def test_strategies_are_tabulated_with_calls_times_and_scores() -> None:
    colour = stack_of(4)
    stack = FocusStack("gray", colour.images[..., 0], reference=colour.reference[..., 0])
    attempts = strategies.compare_strategies(stack, {"brighter": Brighter()}, repeats=1)
    table = strategies.tabulate_strategies(stack, attempts, ["psnr"])
    assert list(table.index) == [("brighter", "serial"), ("brighter", "calibration"), ("brighter", "carry")]
    assert table["extractions"].tolist() == [6, 4, 4]
    assert table["decisions"].tolist() == [3, 3, 3]
    assert table.loc[("brighter", "serial"), ["saved", "predicted"]].tolist() == [0, 0]
    for key, made in attempts.items():
        error = np.mean((stack.reference.astype(float) - made.result.image.astype(float)) ** 2)
        assert made.result.image.dtype == np.uint8
        assert table.loc[key, "psnr"] == pytest.approx(10 * np.log10(255**2 / error))
        assert table.loc[key, "seconds"] == pytest.approx(made.result.seconds / 4)


def test_a_strategy_that_does_not_depend_on_the_order_gives_equal_images() -> None:
    stack, comparer = stack_of(4), ImageComparer(lambda first, second: (first > second).all(-1))
    forward = {name: strategies.attempt(stack, comparer, name) for name in ("serial", "calibration")}
    orders = strategies.compare_orders(stack, forward, comparer)
    assert np.isfinite(orders.loc["calibration"]).all(), "this one compares with another first image"
    gray = FocusStack("gray", stack.images[..., 0], reference=stack.reference[..., 0])
    forward = {"serial": strategies.attempt(gray, ImageComparer(np.greater), "serial")}
    orders = strategies.compare_orders(gray, forward, ImageComparer(np.greater))
    assert orders.loc["serial", "one against the other"] == np.inf, "the largest value is the same in any order"
    assert orders.loc["serial", "from the first"] == orders.loc["serial", "from the last"]
