"""Join the printed pages of a book to one PDF: links, bookmarks and page labels across them.

Chromium writes a link to another page as the address of its file, and a link within a page as a name. Both become places in the
joined file. What the PDF does not hold is linked on the web.
"""

import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

from mffrepro.book.chromium import Heading

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader, PdfWriter

#: Index of a page in the joined file, and height on it in points from its lower edge.
Place = tuple[int, float]


@dataclass(frozen=True)
class Printed:
    """Hold a printed page of the book.

    Args:
        address: Address of its file, without a fragment.
        headings: Its headings in order.
        pdf: What Chromium printed.
        part: Caption of the part of the book that it opens; empty within a part.
    """

    address: str
    headings: list[Heading]
    pdf: bytes
    part: str = ""

    @cached_property
    def sheets(self) -> int:
        """Number of sheets of paper."""
        return len(self.reader().pages)

    def reader(self) -> "PdfReader":
        """Open the PDF."""
        from pypdf import PdfReader

        return PdfReader(io.BytesIO(self.pdf))


def places(printed: Printed, start: int) -> dict[str, Place]:
    """Find where the anchors of a page lie in the joined file.

    Args:
        printed: The page.
        start: Index of its first sheet.

    Returns:
        Address with a fragment -> place; the address alone leads to the top of the first sheet.
    """
    reader = printed.reader()
    found = {printed.address: (start, float(reader.pages[0].mediabox.top))}
    for name, target in reader.named_destinations.items():
        anchor = f"{printed.address}#{unquote(name.removeprefix('/'))}"
        found[anchor] = (start + reader.get_destination_page_number(target), float(target.top or 0))
    return found


def join(pages: list[Printed], site: str, home: str, facts: dict[str, str]) -> bytes:
    """Join printed pages.

    Args:
        pages: The pages in order. The sheets of the first are numbered i, ii and so on, all others from 1.
        site: Address of the folder that the pages were printed from.
        home: Address of the published book, for files that are not among the pages.
        facts: Title and author, by their names in PDF.

    Returns:
        The PDF.
    """
    from pypdf import PdfWriter
    from pypdf.constants import PageLabelStyle

    writer, known, links = PdfWriter(), {}, []
    for page in pages:
        start, reader = len(writer.pages), page.reader()
        known |= places(page, start)
        for number, sheet in enumerate(reader.pages, start):
            links += [(number, *link) for link in _links(sheet, page.address)]
            sheet.pop("/Annots", None)
        writer.append(reader, import_outline=False)
    for number, rectangle, address in links:
        _link(writer, number, rectangle, address, known, site, home)
    _bookmarks(writer, pages, known)
    front = pages[0].sheets
    writer.set_page_label(0, front - 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(front, len(writer.pages) - 1, style=PageLabelStyle.DECIMAL)
    writer.page_mode = "/UseOutlines"
    writer.add_metadata(facts)
    writer.compress_identical_objects()
    joined = io.BytesIO()
    writer.write(joined)
    return joined.getvalue()


def _links(sheet: "PageObject", address: str) -> list[tuple[list[float], str]]:
    """List rectangle and full address of each link on a sheet."""
    found = []
    for annotation in (reference.get_object() for reference in sheet.get("/Annots") or ()):
        action = annotation.get("/A", {})
        name = annotation.get("/Dest") or action.get("/D")
        target = f"{address}#{str(name).removeprefix('/')}" if name else action.get("/URI")
        if annotation.get("/Subtype") == "/Link" and target:
            found.append(([float(number) for number in annotation["/Rect"]], str(target)))
    return found


def _link(writer, number, rectangle, address, known, site, home) -> None:
    """Link a rectangle to a place in the file, or else to the web."""
    from pypdf.annotations import Link
    from pypdf.generic import Fit

    place = known.get(unquote(address)) or known.get(urldefrag(address)[0])
    if place:
        link = Link(rect=rectangle, target_page_index=place[0], fit=Fit.xyz(top=place[1]))
    else:
        link = Link(rect=rectangle, url=address.replace(site, home, 1) if address.startswith(site) else address)
    writer.add_annotation(number, link)


def _bookmarks(writer: "PdfWriter", pages: list[Printed], known: dict[str, Place]) -> None:
    """Write the outline: parts, their pages, and the sections of these."""
    from pypdf.generic import Fit

    part = None
    for page in pages:
        if page.part:
            part = writer.add_outline_item(title=page.part, page_number=known[page.address][0], bold=True)
        above = {0: part}
        for heading in page.headings:
            number, top = known.get(f"{page.address}#{heading.id}", known[page.address])
            parent = above[max(level for level in above if level < heading.level)]
            item = writer.add_outline_item(
                title=heading.title, page_number=number, parent=parent, fit=Fit.xyz(top=top), is_open=False
            )
            above = {level: one for level, one in above.items() if level < heading.level} | {heading.level: item}
