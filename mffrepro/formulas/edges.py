"""Quality of a kept edge [xydeas2000].

It is the product of two sigmoids, of a ratio of strengths and of an agreement of directions.
"""

import math
from typing import Any, NamedTuple

from mffrepro.formulas.arrays import namespace


class Sigmoid(NamedTuple):
    """Compute top / (1 + exp(-slope (x - middle)))."""

    top: float
    slope: float
    middle: float

    def __call__(self, x: Any) -> Any:
        """Return the value of the sigmoid at x."""
        return self.top / (1 + namespace(x).exp(-self.slope * (x - self.middle)))


class Constants(NamedTuple):
    """Hold the two sigmoids of one reading of the metric."""

    strength: Sigmoid
    angle: Sigmoid

    def kept(self, ratio: Any, agreement: Any) -> Any:
        """Compute the quality Q of each pixel.

        Args:
            ratio: The weaker gradient strength over the stronger one, 0 to 1.
            agreement: Agreement of the directions, 0 to 1.
        """
        return self.strength(ratio) * self.angle(agreement)


CLASSIC = Constants(Sigmoid(0.9994, 15, 0.5), Sigmoid(0.9879, 22, 0.8))
TOOLBOX = Constants(Sigmoid(1, 10, 0.5), Sigmoid(1, 20, 0.75))
KUMAR = Constants(Sigmoid(0.9999, 19, 0.5), Sigmoid(0.9995, 22, 0.5))


def orientation(across: Any, down: Any, *, none: float, instead: float) -> Any:
    """Compute the direction of a gradient in radians, -pi/2 to pi/2.

    Args:
        across: Horizontal derivative.
        down: Vertical derivative.
        none: Largest magnitude of a horizontal derivative that counts as none.
        instead: Value in place of such a derivative.
    """
    xp = namespace(across)
    return xp.atan(down / xp.where(abs(across) <= none, instead, across))


def agreement(difference: Any, *, folded: bool) -> Any:
    """Compute the agreement of two directions from their difference.

    Equal directions give 1 and perpendicular ones 0.

    Args:
        difference: Difference of two directions in radians.
        folded: Whether opposite directions count as equal (1); otherwise their agreement is -1.
    """
    straight = 1 - abs(difference) * (2 / math.pi)
    return abs(straight) if folded else straight
