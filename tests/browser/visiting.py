"""Share what the tests of the built book need: where it lies, the browser, and a page opened in it."""

from pathlib import Path

import pytest

from mffrepro.book.chromium import installed

HTML = Path(__file__).parents[2] / "book" / "_build" / "html"
CHROMIUM = installed()
PHONE = {"width": 390, "height": 844}
#: Contrast of the text of an element against the backgrounds behind it, one seen through the other, by WCAG 2.
CONTRAST = """element => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => colour
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const over = (front, back, opacity) => back.map((v, i) => opacity * front[i] + (1 - opacity) * v);
    const behind = [];
    for (let one = element; one; one = one.parentElement) behind.unshift(numbers(getComputedStyle(one).backgroundColor));
    const back = behind.reduce((seen, colour) => over(colour, seen, colour[3] ?? 1), [255, 255, 255]);
    const { color, opacity } = getComputedStyle(element);
    const [low, high] = [over(numbers(color), back, Number(opacity)), back].map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


def unfold(page) -> None:
    """Open what is folded on a phone."""
    page.locator(".mff-fold").evaluate_all("all => all.forEach((one) => one.ariaExpanded === 'false' && one.click())")
    page.wait_for_timeout(100)


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
