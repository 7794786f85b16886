"""Built pages load what they use."""

import pytest

from mffrepro.book.layout import BookError
from mffrepro.book.lighten import ICONS, lighten

#: Outlined and filled drawings of one icon, as the theme's script holds them.
SCRIPT = (
    'x={sun:[512,512,[9728],"f185","M1 outlined"],github:[496,512,[],"f09b","M2"]};y={sun:[512,512,[9728],"f185","M3 filled"]}'
)
PAGE = """<html><head><title>A page — mffrepro</title>
<script src="../_static/scripts/fontawesome.js?digest=5"></script>
<script defer src="../_static/mathjax/tex-chtml.js"></script>
<script src="../_static/viewer.js?v=1"></script>
<script src="../_static/doctools.js?v=1"></script>
<script>const THEBE_JS_URL = "https://somewhere/index.js"; const other = 1;</script>
</head><body><article><p>Short.</p>
<p>The first &amp; longest <em>sentence</em> of the page, which says what it holds.</p>
<i class="theme-switch fa-solid fa-sun fa-lg" data-mode="light" title="Light"></i><i class="fab fa-github"></i>{body}</article>
</body></html>"""


@pytest.fixture
def lightened(tmp_path):
    def run(body=""):
        (tmp_path / ICONS).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ICONS).write_text(SCRIPT)
        (tmp_path / "page.html").write_text(PAGE.replace("{body}", body))
        lighten(tmp_path)
        return (tmp_path / "page.html").read_text()

    return run


def test_icons_are_drawn_in_the_page(lightened, tmp_path):
    page = lightened()
    assert (
        '<svg class="svg-inline--fa theme-switch fa-solid fa-sun fa-lg" data-mode="light" title="Light" viewBox="0 0 512 512"'
        in page
    )
    assert 'd="M3 filled"' in page
    assert '"0 0 496 512"' in page
    assert "fontawesome" not in page
    assert not (tmp_path / ICONS).exists()


@pytest.mark.parametrize(
    ("body", "script"),
    [('<div class="math notranslate">x</div>', "tex-chtml.js"), ('<div class="mff-gallery"></div>', "viewer.js")],
)
def test_scripts_stay_where_they_are_used(lightened, body, script):
    assert script in lightened(body)
    assert "doctools.js" in lightened(body)


def test_what_no_part_of_the_page_uses_is_gone(lightened):
    page = lightened()
    assert "tex-chtml" not in page
    assert "viewer.js" not in page
    assert "THEBE" not in page
    assert "doctools.js" in page


def test_a_page_is_described_by_its_first_sentence(lightened):
    page = lightened()
    said = "The first &amp; longest sentence of the page, which says what it holds."
    assert f'<meta name="description" content="{said}"/>' in page
    assert '<meta property="og:title" content="A page — mffrepro"/>' in page
    assert '/page.html"/>' in page


def test_an_icon_that_does_not_exist_is_an_error(lightened):
    with pytest.raises(BookError, match="no icon 'nothing'"):
        lightened('<i class="fas fa-nothing"></i>')


def test_references_are_items_of_their_list(lightened):
    page = lightened('<div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">x</div></div>')
    assert '<div class="citation" role="listitem">x</div>' in page
