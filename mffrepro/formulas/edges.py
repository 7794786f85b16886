"""How well an edge is kept: two sigmoids, of a ratio of strengths and of an agreement of directions [xydeas2000]."""

import math
from typing import Any, NamedTuple

from mffrepro.formulas.arrays import namespace


class Sigmoid(NamedTuple):
    """top / (1 + exp(-slope (x - middle)))."""

    top: float
    slope: float
    middle: float

    def __call__(self, x: Any) -> Any:
        return self.top / (1 + namespace(x).exp(-self.slope * (x - self.middle)))


class Constants(NamedTuple):
    """The two sigmoids of one reading."""

    strength: Sigmoid
    angle: Sigmoid

    def kept(self, ratio: Any, agreement: Any) -> Any:
        """Q of each pixel, from the weaker strength over the stronger and the agreement of the directions, both 0 to 1."""
        return self.strength(ratio) * self.angle(agreement)


CLASSIC = Constants(Sigmoid(0.9994, 15, 0.5), Sigmoid(0.9879, 22, 0.8))
TOOLBOX = Constants(Sigmoid(1, 10, 0.5), Sigmoid(1, 20, 0.75))
KUMAR = Constants(Sigmoid(0.9999, 19, 0.5), Sigmoid(0.9995, 22, 0.5))


def orientation(across: Any, down: Any, *, none: float, instead: float) -> Any:
    """Direction of a gradient in radians, -pi/2 to pi/2; a horizontal derivative of at most `none` is replaced."""
    xp = namespace(across)
    return xp.atan(down / xp.where(abs(across) <= none, instead, across))


def agreement(difference: Any, *, folded: bool) -> Any:
    """1 for equal directions, 0 for perpendicular ones; for opposite ones 1 too when `folded`, else -1."""
    straight = 1 - abs(difference) * (2 / math.pi)
    return abs(straight) if folded else straight
