"""Public functions of the metrics, such as `mffrepro.metrics.qabf`.

Each is made from the row of its metric in the register.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np

from mffrepro.images import ImageOrPath
from mffrepro.metrics.docstrings import docstring
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import MetricCard, cards, get
from mffrepro.metrics.scoring import score


@cache
def public_function(name: str) -> Callable[..., float]:
    """Make the public function of a metric, with signature and docstring.

    Args:
        name: Name of a metric; its variants are an argument of the function. For a variant, such as ``qabf.kumar``, it is that
            function with the variant chosen.

    Raises:
        OptionError: No metric has this name.
    """
    if variant := get(name).variant:
        return partial(public_function(get(name).variant_of), variant=variant)
    card, variants = get(name), [card for card in cards() if card.variant_of == name]
    make = {"reference": _from_reference, "decision": _from_decisions}.get(card.needs, _with_variants if variants else _plain)
    function = make(card)
    function.__name__ = function.__qualname__ = name
    function.__module__ = __package__
    function.__doc__ = docstring(card, variants)
    return function


def _plain(card: MetricCard) -> Callable[..., float]:
    def function(sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab") -> float:
        return _score(card, sources, fused, gray)

    return function


def _with_variants(card: MetricCard) -> Callable[..., float]:
    def function(
        sources: Sequence[ImageOrPath], fused: ImageOrPath, *, gray: str = "matlab", variant: str | None = None
    ) -> float:
        return _score(card if variant is None else get(f"{card.name}.{variant}"), sources, fused, gray)

    return function


def _score(card: MetricCard, sources: Sequence[ImageOrPath], fused: ImageOrPath, gray: str) -> float:
    inputs = FusionInputs.read(sources, gray=gray)
    return score(card, inputs, inputs.read_fused(fused))


def _from_reference(card: MetricCard) -> Callable[..., float]:
    def function(reference: ImageOrPath, fused: ImageOrPath) -> float:
        inputs = FusionInputs.from_reference(reference)
        return score(card, inputs, inputs.read_fused(fused))

    return function


def _from_decisions(card: MetricCard) -> Callable[..., float]:
    def function(true_decision: np.ndarray, decision: np.ndarray) -> float:
        inputs = FusionInputs.from_decision(true_decision)
        return score(card, inputs, GrayImage(None, decision=inputs.check_decision(decision, "the decision map")))

    return function
