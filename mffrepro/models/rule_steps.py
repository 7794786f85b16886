"""Apply the fusion rule of tlcnn and tlcolor to a pair and keep every intermediate map."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mffrepro.images import FocusStack, to_unit
from mffrepro.models.decision_rule import Agreement, Choice, Secondary, choose, secondary_maps
from mffrepro.models.transfer import DefocusComparer


@dataclass(frozen=True, eq=False)
class RuleSteps:
    """Hold the maps of one pair.

    Attributes:
        sources: Both images, float64 in [0, 1].
        initial: M1 and M2, (H, W) bool: where the first and the second source are out of focus.
        secondary: M3, M4 and M5.
    """

    sources: tuple[np.ndarray, np.ndarray]
    initial: tuple[np.ndarray, np.ndarray]
    secondary: Secondary

    @cached_property
    def choice(self) -> Choice:
        """Build both candidates and choose the one with the higher Q_ABF."""
        return choose(*self.sources, self.secondary)

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """Return M1, M2, M4 and M5 by name, as floats for a figure."""
        named = zip(("M1", "M2", "M4", "M5"), (*self.initial, self.secondary.first, self.secondary.second), strict=True)
        return {name: found.astype(float) for name, found in named}

    def accuracy(self, decision: np.ndarray) -> dict[str, float]:
        """Compute the shares of pixels where the maps agree with the true decision.

        The maps are M1, M2, M4 and M5.

        Args:
            decision: (2, H, W), the true share of each source.
        """
        blurred = decision[0] < 0.5  # the truth of M1 and M4; its inverse that of M2 and M5
        truths = {"M1": blurred, "M2": ~blurred, "M4": blurred, "M5": ~blurred}
        return {name: float((self.maps[name] == truth).mean()) for name, truth in truths.items()}


def rule_steps(comparer: DefocusComparer, stack: FocusStack, m3: Agreement = "xor") -> RuleSteps:
    """Apply the rule as printed to a pair.

    Args:
        comparer: Predicts where an image is out of focus.
        stack: Two images.
        m3: Reading of the step that compares both maps, see `mffrepro.models.decision_rule.secondary_maps`.
    """
    first, second = to_unit(stack.images, np.float64)
    initial = comparer.defocus(first) > 0.5, comparer.defocus(second) > 0.5
    return RuleSteps((first, second), initial, secondary_maps(*initial, m3))
