"""Photographs side by side under their names, as many in a row as the screen has room for, with magnified details."""

import html
import io
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from mffrepro.images import Image, from_unit, to_unit
from mffrepro.report.style import PALETTE, frame, next_number, picture

#: (top, left, height, width) in pixels.
Box = tuple[int, int, int, int]

BOX_COLOURS = (PALETTE[3], PALETTE[5])


class Gallery:
    """Show labelled photographs in a grid that flows, also on a telephone.

    Args:
        images: Label to image, (H, W) or (H, W, 3), any depth; all of one size.
        alt: What a reader who cannot see the pictures should know.
        caption: One or two sentences under them.
        zoom: Boxes to outline in every picture and to magnify below it, at most two.
        columns: Pictures in a row on a wide screen.
    """

    def __init__(
        self, images: Mapping[str, Image], *, alt: str, caption: str = "", zoom: Sequence[Box] = (), columns: int = 4
    ) -> None:
        self.images, self.alt, self.caption, self.zoom = dict(images), alt, caption, list(zoom)
        self.columns = min(columns, len(self.images))

    def _repr_html_(self) -> str:
        least = max(150, 640 // self.columns)
        cells = "".join(self._cell(label, from_unit(to_unit(image), np.dtype(np.uint8))) for label, image in self.images.items())
        grid = f"display:grid;grid-template-columns:repeat(auto-fit,minmax(min({least}px,45%),1fr));gap:0.6em"
        return frame(
            f'<div role="group" aria-label="{html.escape(self.alt, quote=True)}" style="{grid}">{cells}</div>',
            self.caption,
            self.number,
        )

    @cached_property
    def number(self) -> int:
        """Return the number of the figure, which it gets when it is first shown."""
        return next_number()

    def _cell(self, label: str, image: Image) -> str:
        shown = picture(encode(outlined(image, self.zoom)), "image/webp", f"{label}: {self.alt}")
        details = "".join(self._detail(image, box, colour) for box, colour in zip(self.zoom, BOX_COLOURS, strict=False))
        row = f'<div style="display:flex;gap:0.3em;margin-top:0.3em">{details}</div>' if details else ""
        return f'<div><div style="font-size:0.9em;text-align:center">{html.escape(label)}</div>{shown}{row}</div>'

    def _detail(self, image: Image, box: Box, colour: str) -> str:
        crop = image[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
        enlarged = Pillow.fromarray(crop).resize((crop.shape[1] * 3, crop.shape[0] * 3), Pillow.Resampling.NEAREST)
        data = encode(np.asarray(enlarged))
        return f'<div style="flex:1;border:2px solid {colour}">{picture(data, "image/webp", "magnified detail")}</div>'

    def __repr__(self) -> str:
        return f"Gallery: {self.alt}"


def outlined(image: Image, boxes: Sequence[Box]) -> Image:
    """Outline the boxes in colour, and return the image as RGB."""
    canvas = Pillow.fromarray(image).convert("RGB")
    width = max(2, round(max(canvas.size) / 170))
    for (top, left, height, across), colour in zip(boxes, BOX_COLOURS, strict=False):
        ImageDraw.Draw(canvas).rectangle((left, top, left + across - 1, top + height - 1), outline=colour, width=width)
    return np.asarray(canvas)


def encode(image: Image) -> bytes:
    """Encode as WebP of high quality: a fifth of the size of PNG for photographs."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "webp", quality=90, method=4)
    return buffer.getvalue()
