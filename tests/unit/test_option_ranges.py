"""Options of methods: whatever number is given, an image or one sentence comes back, and soon."""

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.methods import CARDS, COMMON
from mffrepro.option_ranges import RANGES, check_range
from tests.quick import QUICK

EXTREME = (-1, 0, 10**6, 2**31, 10**400, 10**5000, 1e-300, 1e300, -1e300, float("nan"), float("inf"), "x\n", (1, 2))
TUPLES = ((), (-3,), (0,), (10**6, 8), (2**31,), (float("nan"),), ("x",), (8,) * 10**4, 8, None)
#: Options whose least value is slow, as it asks for the most exact result.
SLOW = ("tolerance",)


def numeric(card):
    """Give the options of a method whose type is a number or several, with their defaults."""
    options = {name: p for name, p in card.options().items() if name not in COMMON}
    kinds = {name: str(getattr(p.annotation, "__name__", p.annotation)) for name, p in options.items()}
    return {name: options[name].default for name, kind in kinds.items() if kind.startswith(("int", "float", "tuple"))}


def bounds(card, name):
    return RANGES.get(f"{card.name}.{name}") or RANGES[name]


def pair():
    first = np.random.default_rng(0).random((32, 32))
    first[8:12] = 0.5  # flat parts are where formulas divide by nothing
    return [first, first[::-1].copy()]


def image_or_sentence(method, options):
    try:
        return mff.fuse(pair(), method, **options).image
    except mff.MffError as error:
        return str(error)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_every_number_has_a_range_that_holds_its_default(card):
    for name, default in numeric(card).items():
        least, most = bounds(card, name)
        for number in default if isinstance(default, tuple) else () if default is None else (default,):
            assert least <= number <= most
            assert isinstance(number, int) == isinstance(most, int)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@pytest.mark.filterwarnings("ignore")  # of overflows
def test_extreme_options_give_an_image_or_a_sentence(card):
    extra = QUICK.get(card.name, {}) | ({"weights": "random"} if card.kind == "network" else {})
    for name, default in numeric(card).items():
        least = () if name in SLOW else bounds(card, name)[:1]
        for value in TUPLES if isinstance(default, tuple) else (*EXTREME, *least):
            answer = image_or_sentence(card.name, extra | {name: value})
            if isinstance(answer, str):
                assert "\n" not in answer
                assert len(answer) < 200
            else:
                assert answer.shape == (32, 32)
                assert np.isfinite(answer).all()


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lp", {"levels": 10**6}, "levels is 1000000; use 1 or more and at most 30, in whole numbers"),
        ("lp", {"levels": 2.5}, "levels is 2.5; use 1 or more"),
        ("gd", {"limit": -1}, "limit is -1; use 0 or more and at most 1"),
        ("gff", {"base_radius": -1}, "base_radius is -1; use 0 or more and at most 1000, in whole numbers"),
        ("nsct", {"directions": (8, 10**6)}, r"directions is \(8, 1000000\); use 1 or more and at most 128"),
        ("nsct", {"directions": 8}, "directions is 8; give at most 30 numbers in a tuple"),
        ("scm", {"threshold_decay": 1.5}, "threshold_decay is 1.5; use 0 or more and at most 1"),
        ("sf", {"threshold": float("nan")}, "threshold is nan; use 0 or more"),
    ],
)
def test_the_sentence_names_option_and_range(method, options, message):
    with pytest.raises(mff.OptionError, match=f"^{message}"):
        mff.fuse(pair(), method, **options)


def test_numbers_of_numpy_and_lists_are_numbers_too():
    check_range("lp", "levels", np.int64(3), 4)
    check_range("gd", "limit", np.float32(0.5), 0.003)
    check_range("nsct", "directions", [8, 4], (8, 8))


def test_a_block_wider_than_the_image_is_the_whole_image():
    whole, wider = (mff.fuse(pair(), "sf", block=block).image for block in (32, 1000))
    assert (whole == wider).all()
