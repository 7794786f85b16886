"""Photographs side by side under their names, as many in a row as the screen has room for, with magnified details."""

import html
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image as Pillow

from mffrepro.images import Image, from_unit, to_unit
from mffrepro.report.style import PALETTE, Numbered, frame, picture

#: (top, left, height, width) in pixels.
Box = tuple[int, int, int, int]

BOX_COLOURS = (PALETTE[3], PALETTE[5])


class Gallery(Numbered):
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
        grid = f"display:grid;grid-template-columns:repeat(auto-fit,minmax(min({least}px,45%),1fr));gap:0.6em;align-items:end"
        boxes = f' data-boxes="{json.dumps([list(map(int, box)) for box in self.zoom])}"' if self.zoom else ""
        alt = html.escape(self.alt, quote=True)
        return frame(
            f'<div class="mff-gallery" role="group" aria-label="{alt}"{boxes} style="{grid}">{cells}</div>',
            self.caption,
            self.number,
        )

    def _cell(self, label: str, image: Image) -> str:
        shown = picture(encode(image), "image/webp", f"{label}: {self.alt}")
        outlines = "".join(_outline(image, box, colour) for box, colour in zip(self.zoom, BOX_COLOURS, strict=False))
        details = "".join(self._detail(image, box, colour) for box, colour in zip(self.zoom, BOX_COLOURS, strict=False))
        row = f'<div style="display:flex;gap:0.3em;margin-top:0.3em">{details}</div>' if details else ""
        name = html.escape(label, quote=True)
        return (
            f'<div class="mff-cell" data-label="{name}"><div style="font-size:0.9em;text-align:center">{name}</div>'
            f'<div style="position:relative">{shown}{outlines}</div>{row}</div>'
        )

    def _detail(self, image: Image, box: Box, colour: str) -> str:
        crop = image[box[0] : box[0] + box[2], box[1] : box[1] + box[3]]
        enlarged = Pillow.fromarray(crop).resize((crop.shape[1] * 3, crop.shape[0] * 3), Pillow.Resampling.NEAREST)
        data = encode(np.asarray(enlarged))
        return f'<div style="flex:1;border:2px solid {colour}">{picture(data, "image/webp", "magnified detail")}</div>'

    def __repr__(self) -> str:
        return f"Gallery: {self.alt}"


def _outline(image: Image, box: Box, colour: str) -> str:
    """Outline a box over a picture, whose pixels stay as they are."""
    height, width = image.shape[:2]
    sides = zip(("top", "left", "height", "width"), box, (height, width, height, width), strict=True)
    place = ";".join(f"{name}:{100 * value / whole:.3f}%" for name, value, whole in sides)
    return f'<div style="position:absolute;box-sizing:border-box;{place};border:2px solid {colour}"></div>'


def encode(image: Image) -> bytes:
    """Encode as WebP: photographs with small losses, maps without.

    A photograph has a fifth of its size as PNG. What is hardly larger without loss, such as a map, is stored so.
    """
    made = []
    for options in ({"quality": 90}, {"lossless": True}):
        buffer = io.BytesIO()
        Pillow.fromarray(image).save(buffer, "webp", method=4, **options)
        made.append(buffer.getvalue())
    lossy, exact = made
    return exact if len(exact) <= 1.5 * len(lossy) else lossy
