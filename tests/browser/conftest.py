"""The browser, and pages opened in it from disk."""

import pytest
from visiting import CHROMIUM, HTML, Visit

from mffrepro.book.chromium import FLAGS


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    contexts = []

    def open_page(name: str, **options) -> Visit:
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], f"{HTML.as_uri()}/{name}")

    yield open_page
    for context in contexts:
        context.close()
