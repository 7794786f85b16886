"""The built book, read from disk as a reader without a network would: every picture there, every formula set, nothing fetched."""

import shutil
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")

HTML = Path(__file__).parents[2] / "book" / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: All pages but index.html, which only jumps to the first one.
PAGES = sorted({p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html") if "_static" not in p.parts} - {"index.html"})
#: Pages that Sphinx makes.
LISTS = {"genindex.html", "py-modindex.html", "search.html"}
PHONE = {"width": 390, "height": 844}
#: sphinx-thebe writes its constants twice into every page of Jupyter Book 1; nothing in these pages uses them.
KNOWN = "Identifier 'THEBE_JS_URL' has already been declared"

pytestmark = [
    pytest.mark.skipif(not (HTML / "index.html").exists(), reason="the book is not built; run make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page opened in a browser of its own, and what it complained about or reached for."""

    def __init__(self, context, address: str) -> None:
        self.strayed, self.complaints = [], []
        context.route("**/*", self._allow_the_folder_only)
        self.page = context.new_page()
        self.page.on("console", lambda message: self._complain(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.goto(address, wait_until="load")

    def _complain(self, text: str) -> None:
        if text != KNOWN:
            self.complaints.append(text)

    def _allow_the_folder_only(self, route) -> None:
        if route.request.url.startswith((HTML.as_uri(), "data:", "blob:")):
            route.continue_()
        else:
            self.strayed.append(route.request.url)
            route.abort()


@pytest.fixture
def visit(browser):
    contexts = []

    def open_page(name: str, **options) -> Visit:
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], f"{HTML.as_uri()}/{name}")

    yield open_page
    for context in contexts:
        context.close()


def broken_images(page) -> list[str]:
    """Sources of the pictures that cannot be shown; waits for those that load late."""
    return page.evaluate(
        """async () => {
            const images = [...document.images];
            images.forEach(image => { image.loading = "eager"; });
            await Promise.all(images.map(image => image.decode().catch(() => {})));
            return images.filter(i => !i.complete || i.naturalWidth === 0).map(i => i.src.slice(0, 120));
        }"""
    )


def test_the_book_has_pages():
    assert {"intro.html", "bibliography.html", "notebooks/00_quickstart.html"} <= set(PAGES)


def test_the_index_jumps_to_the_first_page(visit):
    visit("index.html").page.wait_for_url("**/intro.html", timeout=20_000)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(visit, name):
    opened = visit(name)
    page = opened.page
    if name not in LISTS:
        assert page.locator("h1").count() >= 1
        assert len(page.locator("main").inner_text()) > 100
    assert broken_images(page) == []
    assert [image for image in page.locator("main img").all() if not image.get_attribute("alt")] == []
    assert page.locator(".output.traceback, .output.error").count() == 0
    assert "Traceback (most recent call last)" not in page.content()
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached", timeout=20_000)
        assert page.locator("mjx-merror, .math .MathJax_Error").count() == 0
    assert opened.complaints == []
    assert opened.strayed == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(visit, name):
    page = visit(name, viewport=PHONE).page
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_captions_of_figures_can_be_read(visit, scheme):
    """In dark mode outputs stand on a light panel: a caption has the colour of the labels, not that of the page."""
    page = visit("notebooks/00_quickstart.html", color_scheme=scheme).page
    captions = page.locator(".cell_output figure figcaption").all()
    assert captions
    colour = "element => getComputedStyle(element).color"
    assert [c for c in captions if c.evaluate(colour) != c.locator("..").evaluate(colour)] == []


def test_search_finds_pages(visit):
    opened = visit("search.html?q=decision")
    results = opened.page.locator("#search-results li a")
    results.first.wait_for(timeout=20_000)
    assert results.count() >= 2
    assert opened.strayed == []


def test_search_finds_nothing_for_nonsense(visit):
    page = visit("search.html?q=qwxzvkjh").page
    page.get_by_text("did not match any documents").wait_for(timeout=20_000)
    assert page.locator("#search-results li a").count() == 0


@pytest.mark.parametrize("name", PAGES)
def test_links_inside_the_book_lead_to_pages(visit, name):
    page = visit(name).page
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    files = {target.partition("#")[0].partition("?")[0] for target in targets if target.startswith("file:")}
    assert [target for target in files if not (HTML / target.removeprefix(HTML.as_uri() + "/")).exists()] == []
