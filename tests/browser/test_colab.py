"""Check that outputs can be read in Colab, on its light and its dark page and without the book's styles and scripts."""

import html
import json

import pytest
from visiting import CHROMIUM, CONTRAST, HTML

EXECUTED = HTML.parents[1] / "notebooks"
#: Background and text of Colab's pages.
THEMES = {"light": ("#ffffff", "#212121"), "dark": ("#383838", "#d5d5d5")}
TEXTS = ":is(figcaption, caption, th, td, b, p, summary, .mff-setting):visible"

pytestmark = [
    pytest.mark.skipif(not (EXECUTED / "01_metrics.ipynb").exists(), reason="no chapter has been run; run make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def outputs(name: str) -> str:
    """The outputs of a chapter, one below the other, as Colab puts them into its page."""
    cells = json.loads((EXECUTED / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = []
    for output in (output for cell in cells for output in cell.get("outputs", ())):
        data = output.get("data", {})
        if "text/html" in data and "itables" not in "".join(data["text/html"]):
            parts.append("".join(data["text/html"]))
        elif text := output.get("text"):
            parts.append(f"<pre>{html.escape(''.join(text))}</pre>")
    return "\n".join(parts)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["01_metrics", "03_tlcnn", "07_gacn", "10_claims"])
def test_outputs_can_be_read_in_colab(browser, name, theme):
    background, colour = THEMES[theme]
    page = browser.new_page()
    page.set_content(f'<body style="background:{background};color:{colour};font-family:sans-serif">{outputs(name)}</body>')
    texts = page.locator(TEXTS).all()
    assert len(texts) > 20
    read = [(text.inner_text()[:40], text.evaluate(CONTRAST)) for text in texts[:: max(1, len(texts) // 200)]]
    page.close()
    assert [found for found in read if found[0].strip() and found[1] < 4.5] == []


def test_figures_are_whole_without_the_book(browser):
    """Pictures are inside, wide ones scroll, and sliders show one state."""
    page = browser.new_page()
    page.set_content(outputs("07_gacn"))
    sources = page.locator("img").evaluate_all("all => all.map(one => one.src.slice(0, 10))")
    assert set(sources) == {"data:image"}
    for figure in page.locator(".mff-explore").all():
        assert figure.locator(".mff-state:visible").count() == 1
    page.close()
