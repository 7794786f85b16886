"""Share what the tests of the built book need: where it lies, the browser, and a page opened in it."""

from pathlib import Path

import pytest

from mffrepro.book.chromium import installed

HTML = Path(__file__).parents[2] / "book" / "_build" / "html"
CHROMIUM = installed()
PHONE = {"width": 390, "height": 844}

NEEDS = [
    pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built; run make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


class Visit:
    """A page opened in a browser of its own, and what it complained about or reached for."""

    def __init__(self, context, address: str) -> None:
        self.strayed, self.complaints = [], []
        context.route("**/*", self._allow_the_folder_only)
        self.page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address, wait_until="load")

    def _allow_the_folder_only(self, route) -> None:
        if route.request.url.startswith((HTML.as_uri(), "data:", "blob:")):
            route.continue_()
        else:
            self.strayed.append(route.request.url)
            route.abort()
