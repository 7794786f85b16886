"""Give every figure one style, and show it on a page with a caption and an alternative text."""

import base64
import html
import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

#: Okabe and Ito's palette, distinguishable with every common colour blindness.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
ACCENT, SECOND = PALETTE[3], PALETTE[0]

_STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.prop_cycle": mpl.cycler(color=PALETTE),
    "lines.linewidth": 2,
    "legend.frameon": False,
    "image.cmap": "gray",
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "mffrepro",  # the same figure gives the same file
}

#: Width of a chart in inches; small enough for its text to be read on a telephone.
PAGE = 7.0
#: CSS pixels: the text column of a telephone, the least height of letters there, and that of charts which scroll instead.
PHONE, READABLE, COMFORTABLE = 358, 7.5, 10


@contextmanager
def styled() -> Iterator[None]:
    """Apply the package's matplotlib settings inside the block only."""
    with mpl.rc_context(_STYLE):
        yield


class Numbered:
    """Give a figure its number when it is first shown."""

    @cached_property
    def number(self) -> int:
        """Return the number of the figure."""
        return next_number()


class Shown(Numbered):
    """Show a chart with alternative text and caption in Jupyter, Colab and the book.

    Args:
        figure: A matplotlib figure; stored as SVG, sharp at any size.
        alt: What a reader who cannot see the picture should know.
        caption: One or two sentences under it.
    """

    def __init__(self, figure: Figure, *, alt: str, caption: str = "") -> None:
        self.figure, self.alt, self.caption = figure, alt, caption

    def _repr_html_(self) -> str:
        least = least_width(self.figure)
        shown = picture(to_svg(self.figure), "image/svg+xml", self.alt, least=least)
        return frame(
            f'<div class="mff-wide" style="overflow-x:auto">{shown}</div>' if least else shown, self.caption, self.number
        )

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def to_svg(figure: Figure) -> bytes:
    """Draw a chart; the same chart gives the same bytes."""
    buffer = io.BytesIO()
    with styled():  # the salt of the SVG's identifiers is read when it is written
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def next_number(kind: str = "figure") -> int:
    """Count the figures, or the tables, of a chapter.

    A chapter is one process, and they are counted in the order in which they are first shown.
    """
    return next(_NUMBERS[kind])


_NUMBERS = {"figure": itertools.count(1), "table": itertools.count(1)}


def least_width(figure: Figure) -> int:
    """Return the width in CSS pixels below which a chart scrolls.

    It is 0 where the chart may shrink to the width of a telephone.
    """
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    pixels_per_point = PHONE / (72 * figure.get_figwidth())
    if not sizes or min(sizes) * pixels_per_point >= READABLE:
        return 0
    return round(COMFORTABLE / min(sizes) * 72 * figure.get_figwidth())


def picture(data: bytes, kind: str, alt: str, *, least: int = 0) -> str:
    """Embed a picture in an <img>, so that a page needs no other file.

    It is at least `least` CSS pixels wide.
    """
    source = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return (
        f'<img class="mff-picture" src="{source}" alt="{html.escape(alt, quote=True)}" '
        f'style="width:100%;{f"min-width:{least}px;" if least else ""}height:auto;background:#fff;display:block;'
        'outline:1px solid #8886">'
    )


def frame(content: str, caption: str, number: int) -> str:
    """Put content above its number and caption."""
    words = f"<b>Figure {number}.</b> {html.escape(caption)}".strip()
    text = f'<figcaption style="font-size:0.9em;opacity:0.8;margin-top:0.4em">{words}</figcaption>'
    return f'<figure id="figure-{number}" style="margin:0.5em 0;text-align:left">{content}{text}</figure>'
