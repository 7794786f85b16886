"""axe-core finds nothing serious on any page: names, roles, headings, contrast, in light and dark, wide and on a phone."""

import pytest
from visiting import HTML, NEEDS, PHONE

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

PAGES = sorted({p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html") if "_static" not in p.parts} - {"index.html"})
#: Pages of each kind: prose, a chapter of a paper, tables to rank and to search, the fusion in the page, and search results.
KINDS = ["intro.html", "notebooks/07_gacn.html", "notebooks/09_leaderboard.html", "notebooks/10_claims.html", "try-it.html"]
KINDS += ["search.html?q=decision"]

pytestmark = NEEDS


def serious(page) -> list[str]:
    """List what axe-core calls serious or critical, with the first elements that it names."""
    page.wait_for_load_state("networkidle")
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_readers_out(visit, name):
    assert serious(visit(name, color_scheme="light").page) == []


@pytest.mark.parametrize("name", KINDS)
def test_nothing_keeps_readers_out_in_the_dark_on_a_phone(visit, name):
    assert serious(visit(name, color_scheme="dark", viewport=PHONE).page) == []


def test_a_fault_is_found(visit):
    """The tool runs and sees what it is asked about."""
    page = visit("intro.html").page
    faint = '<p style="color: #999; background: #aaa">faint</p>'
    page.evaluate("text => document.querySelector('article').insertAdjacentHTML('beforeend', text)", faint)
    assert [one for one in serious(page) if one.startswith("color-contrast")]
