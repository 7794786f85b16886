"""A figure with sliders: the reader chooses which of its states is shown, and the chapter has computed each of them."""

import html
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mffrepro.errors import OptionError
from mffrepro.images import Image, from_unit, to_unit
from mffrepro.report.gallery import encode
from mffrepro.report.style import Numbered, frame, picture, to_svg


@dataclass(frozen=True)
class State:
    """Hold what one setting of the sliders shows.

    Args:
        pictures: Label -> photograph or map, (H, W) or (H, W, 3), any depth; or a chart of matplotlib.
        numbers: What was measured -> its value, as printed.
    """

    pictures: Mapping[str, Image | Figure]
    numbers: Mapping[str, str] = field(default_factory=dict)


class Explorable(Numbered):
    """Show one of several states of a figure, chosen by sliders.

    The script of the book makes the sliders. Without it, as in Jupyter, in Colab and on paper, the first setting is shown.

    Args:
        sliders: Name -> its positions in order; numbers or words.
        show: Returns the state of a setting, from one position of each slider, in the order of `sliders`.
        start: The position of each slider at first.
        alt: What a reader who cannot see the pictures should know.
        caption: One or two sentences under them.

    Raises:
        OptionError: `start` is not a setting.
    """

    def __init__(
        self,
        sliders: Mapping[str, Sequence[Any]],
        show: Callable[..., State],
        *,
        start: Sequence[Any],
        alt: str,
        caption: str = "",
    ) -> None:
        self.sliders, self.alt, self.caption = dict(sliders), alt, caption
        self.start, settings = tuple(start), list(itertools.product(*sliders.values()))
        if self.start not in settings:
            raise OptionError(f"the sliders start at {self.start}; each value must be a position of its slider")
        self.states = {setting: show(*setting) for setting in settings}

    def _repr_html_(self) -> str:
        sliders = json.dumps([[name, list(map(_words, positions))] for name, positions in self.sliders.items()])
        states = "".join(self._state(setting, state) for setting, state in self.states.items())
        return frame(
            f'<div class="mff-explore" role="group" aria-label="{html.escape(self.alt, quote=True)}" '
            f'data-sliders="{html.escape(sliders, quote=True)}">{states}</div>',
            self.caption,
            self.number,
        )

    def _state(self, setting: tuple, state: State) -> str:
        places = [list(positions).index(one) for positions, one in zip(self.sliders.values(), setting, strict=True)]
        named = ", ".join(f"{name} {_words(value)}" for name, value in zip(self.sliders, setting, strict=True))
        least = max(150, 640 // len(state.pictures))
        cells = "".join(self._cell(label, one) for label, one in state.pictures.items())
        numbers = " · ".join(f"{html.escape(name)}: <b>{html.escape(value)}</b>" for name, value in state.numbers.items())
        return (
            f'<div class="mff-state" data-at="{",".join(map(str, places))}"{"" if setting == self.start else " hidden"}>'
            f'<div style="font-size:0.9em"><span class="mff-setting">{html.escape(named)}</span> {numbers}</div>'
            f'<div style="display:grid;grid-template-columns:repeat(auto-fit,minmax(min({least}px,45%),1fr));gap:0.6em;'
            f'align-items:end">{cells}</div></div>'
        )

    def _cell(self, label: str, shown: Image | Figure) -> str:
        if isinstance(shown, Figure):
            data, kind = to_svg(shown), "image/svg+xml"
        else:
            data, kind = encode(from_unit(to_unit(shown), np.dtype(np.uint8))), "image/webp"
        name = f'<div style="font-size:0.9em;text-align:center">{html.escape(label)}</div>' if label else ""
        return f"<div>{name}{picture(data, kind, f'{label}: {self.alt}' if label else self.alt)}</div>"

    def __repr__(self) -> str:
        return f"Explorable: {self.alt}"


def _words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
