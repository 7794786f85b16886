"""Move pictures out of built pages into files: each is stored once, and loaded when it comes into sight.

A notebook holds its pictures as base64, so that it is whole wherever it is opened. A page of the book names a file instead.
Beside each photograph lies a script with the same bytes, since a page that is opened from disk may show a file and not read it.
"""

import base64
import hashlib
import io
import re
from functools import partial
from pathlib import Path

from mffrepro.images import write_atomically

FOLDER = "_images"
EMBEDDED = re.compile(
    r'<img\b(?P<before>[^>]*?)\ssrc="data:image/(?P<kind>[a-z+]+);base64,(?P<data>[A-Za-z0-9+/=\s]+)"(?P<after>[^>]*)>'
)
SUFFIXES = {"webp": "webp", "png": "png", "jpeg": "jpg", "svg+xml": "svg"}


def extract(html: Path) -> int:
    """Replace the pictures in all pages below a folder by files.

    Args:
        html: Folder of the built book.

    Returns:
        Number of files written; pages that hold no picture are not touched.
    """
    (html / FOLDER).mkdir(exist_ok=True)
    written: set[str] = set()
    for page in sorted(html.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        up = "../" * (len(page.relative_to(html).parts) - 1)
        moved = EMBEDDED.sub(partial(_moved, html=html, up=up, written=written), text)
        if moved != text:
            write_atomically(page, moved.encode())
    return len(written)


def _moved(found: re.Match, html: Path, up: str, written: set[str]) -> str:
    """Write a picture once, and return the tag that names it."""
    data, kind = base64.b64decode(found["data"]), found["kind"]
    if kind not in SUFFIXES:
        return found[0]
    stem = hashlib.sha256(data).hexdigest()[:16]
    name = f"{FOLDER}/{stem}.{SUFFIXES[kind]}"
    if name not in written:
        written.add(name)
        write_atomically(html / name, data)
        if kind == "webp":
            script = f'mffPicture("{stem}","{base64.b64encode(data).decode()}");\n'
            write_atomically(html / FOLDER / f"{stem}.js", script.encode())
    width, height = _size(data, kind)
    sizes = f' width="{width}" height="{height}"' if width else ""
    return f'<img{found["before"]} src="{up}{name}" loading="lazy" decoding="async"{sizes}{found["after"]}>'


def _size(data: bytes, kind: str) -> tuple[int, int]:
    """Return width and height, which keep the place of a picture before it is loaded; zeros where they are not stated."""
    if kind == "svg+xml":
        stated = [re.search(rb"<svg\b[^>]*?\s" + side + rb'="([\d.]+)', data[:4000]) for side in (b"width", b"height")]
        return tuple(round(float(one[1])) for one in stated) if all(stated) else (0, 0)
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return picture.size
