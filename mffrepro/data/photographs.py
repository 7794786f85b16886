"""Choose photographs for a comparison without reference: real pairs where they have been fetched, else made ones."""

from mffrepro.data import cards, load
from mffrepro.data.dataset import Dataset


def is_fetched(name: str) -> bool:
    """Tell whether a data set can be read now, without a network."""
    return any(card.name == name and card.available for card in cards())


def lytro_or_spread(count: int) -> Dataset:
    """Load pairs of Lytro, or embedded pairs with defocus spread.

    The embedded pairs are used where Lytro has not been fetched.

    Args:
        count: Number of Lytro pairs; the embedded pairs are few and come all.
    """
    return load("lytro")[:count] if is_fetched("lytro") else load("embedded", kind="spread")
