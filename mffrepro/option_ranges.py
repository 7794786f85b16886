"""The range of every number that a method takes as an option, in one table.

Within it a method ends in reasonable time and memory. A method may still ask for more, such as a power of two.
"""

from numbers import Integral, Real
from typing import Any

from mffrepro.errors import OptionError, brief

#: Widest window or filter, pixels: far beyond the windows of any paper.
WIDEST = 1000
#: Most steps of what is repeated.
MOST_STEPS = 100_000
#: Most numbers in an option that has one for each level.
MOST_LEVELS = 30

#: Least and largest value by option, or by method and option where a name means different things. Whole bounds are those of whole
#: numbers. Each number of a tuple is checked.
RANGES: dict[str, tuple[float, float]] = {
    "angles": (8, 256),
    "aperture": (1, 31),
    "base_eps": (1e-12, 1e9),
    "base_radius": (0, WIDEST),
    "block": (1, WIDEST),
    "blur": (1, 1001),
    "cancel": (0.0, 1.0),
    "certain": (0.0, 1.0),
    "decay": (0.0, 1.0),
    "dense": (1, 64),
    "detail_eps": (1e-12, 1e9),
    "detail_radius": (0, WIDEST),
    "dilate": (0, 100),
    "directions": (1, 128),
    "eps": (1e-12, 1e9),
    "exchange": (0.0, 1e6),
    "iterations": (0, MOST_STEPS),
    "large": (1e-3, 1e3),
    "levels": (1, MOST_LEVELS),
    "dchwt.levels": (1, 8),  # sides become multiples of 2^levels
    "swt.levels": (1, 7),  # the inverse takes 4^levels steps
    "limit": (0.0, 1.0),
    "link_decay": (0.0, 1e3),
    "linking": (0.0, 1e6),
    "noise": (0.0, 1e6),
    "radius": (0, WIDEST),
    "range_sigma": (1e-3, 1e9),
    "rate": (1e-9, 1e3),
    "scale": (16, 1024),
    "scales": (2, 12),
    "seed": (0, 2**63 - 1),
    "sharpness": (1e-6, 1e6),
    "size": (3, 1024),
    "sizes": (1, 512),
    "small": (1e-3, 1e3),
    "smallest": (0.0, 1.0),
    "dsift.smallest": (0, 10**9),  # pixels, not a share
    "smoothing": (0.0, 1e3),
    "smoothness": (0.0, 1e6),
    "sparsity": (1e-9, 1e6),
    "spatial_sigma": (1e-3, 1e9),
    "steps": (0, MOST_STEPS),
    "stride": (1, 8),
    "threshold": (0.0, 1e6),
    "threshold_decay": (0.0, 1e3),
    "scm.threshold_decay": (0.0, 1.0),  # a share, not a rate
    "threshold_rise": (0.0, 1e6),
    "tolerance": (1e-6, 1e3),
}


def range_of(method: str, name: str) -> tuple[float, float] | None:
    """Find the range of an option, or None where it has none.

    Args:
        method: Name of the method.
        name: The option.
    """
    return RANGES.get(f"{method}.{name}", RANGES.get(name))


def check_range(method: str, name: str, value: Any, default: Any) -> None:
    """Check the numbers of an option of a method by `RANGES`.

    Args:
        method: Its name.
        name: The option.
        value: What was given.
        default: The option's default, which is always right; a tuple where the option has several numbers.

    Raises:
        OptionError: It is out of range or no number, or these are too many numbers.
    """
    bounds = range_of(method, name)
    if bounds is None or value is default:
        return
    if not isinstance(default, tuple):
        numbers = (value,)
    elif isinstance(value, (tuple, list)) and len(value) <= MOST_LEVELS:
        numbers = value
    else:
        raise OptionError(f"{name} is {brief(value)}; give at most {MOST_LEVELS} numbers in a tuple")
    for number in numbers:
        if not _fits(number, *bounds):
            raise OptionError(f"{name} is {brief(value)}; use {_words(*bounds)}")


def _fits(number: Any, least: float, most: float) -> bool:
    """Say whether a value is such a number between the bounds; no comparison holds for what is not a number, NaN."""
    return isinstance(number, Integral if isinstance(most, int) else Real) and least <= number <= most


def _words(least: float, most: float) -> str:
    if isinstance(most, int):
        return f"{least} or more and at most {most}, in whole numbers"
    return f"{least:g} or more and at most {most:g}"
