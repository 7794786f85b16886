"""A data set: a lazily read sequence of focus stacks, and the card that describes it without reading it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from mffrepro.errors import unknown
from mffrepro.images import FocusStack


class Dataset(Sequence):
    """Hold stacks by position or by name; each is read or made when it is asked for.

    Attributes:
        name: Name of the data set.
        names: Names of its stacks, in order.
    """

    def __init__(self, name: str, readers: Mapping[str, Callable[[], FocusStack]]):
        self.name = name
        self.names = tuple(readers)
        self._readers = dict(readers)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} stacks)"

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[FocusStack]:
        return (self._readers[name]() for name in self.names)

    @overload
    def __getitem__(self, key: int | str) -> FocusStack: ...
    @overload
    def __getitem__(self, key: slice) -> "Dataset": ...
    def __getitem__(self, key):
        """Return a stack by position or name, or a smaller data set by slice.

        Raises:
            OptionError: No stack has that name.
            IndexError: No stack has that position.
        """
        if isinstance(key, slice):
            return Dataset(self.name, {name: self._readers[name] for name in self.names[key]})
        name = key if isinstance(key, str) else self.names[key]
        if name not in self._readers:
            raise unknown(f"stack in {self.name}", name, self.names)
        return self._readers[name]()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """Describe a data set before it is fetched.

    Attributes:
        kind: ``"stacks"`` for `load`, ``"regions"`` for `load_regions`.
        stacks: Number of stacks or labelled photographs; 0 where it depends on what is given.
        bytes: Size of its files.
        has_reference: Whether the all-in-focus image is known.
        available: Whether it can be read now, without a network.
        reason: Where it would come from, or what to do to have it.
    """

    name: str
    kind: str
    title: str
    stacks: int
    bytes: int
    licence: str
    citation: str
    has_reference: bool
    available: bool
    reason: str
