"""The built book, read from disk as a reader without a network would: every picture there, every formula set, nothing fetched."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from visiting import CONTRAST, HTML, NEEDS, PHONE, unfold

from mffrepro.benchmarks import read_record
from mffrepro.report import ranks

#: All pages but index.html, which only jumps to the first one.
PAGES = sorted({p.relative_to(HTML).as_posix() for p in HTML.rglob("*.html") if "_static" not in p.parts} - {"index.html"})
#: Pages that Sphinx makes.
LISTS = {"genindex.html", "py-modindex.html", "search.html"}

pytestmark = NEEDS


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


CELLS = "all => all.map((row) => [...row.cells].filter((cell) => cell.offsetWidth).length)"


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
    unfold(page)
    if page.locator(".math").count():
        page.wait_for_selector("mjx-container", state="attached", timeout=20_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["00_quickstart", "03_tlcnn", "10_claims"])
def test_what_outputs_say_can_be_read(visit, name, scheme):
    page = visit(f"notebooks/{name}.html", color_scheme=scheme).page
    texts = page.locator(
        ".cell_output :is(figcaption, caption, th, td, .mff-box, .mff-box b, .mff-box a):not(.dataTable *):visible"
    ).all()
    assert len(texts) > 20
    low = [(text.inner_text()[:40], text.evaluate(CONTRAST)) for text in texts[:150]]
    assert [found for found in low if found[1] < 4.5] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_photographs_are_shown_as_they_are(visit, scheme):
    page = visit("notebooks/00_quickstart.html", color_scheme=scheme).page
    pictures = page.locator("img.mff-picture")
    assert pictures.count() > 5
    assert set(pictures.evaluate_all("all => all.map(one => getComputedStyle(one).filter)")) == {"none"}
    assert page.locator("img.mff-picture:not([loading=lazy])").count() == 0


def test_pictures_are_compared_in_step(visit):
    """Opened from disk, by the keyboard; values of pixels are those of the file."""
    opened = visit("notebooks/00_quickstart.html")
    page = opened.page
    gallery = page.locator(".mff-gallery[data-boxes]").first
    sources = gallery.locator(".mff-cell img.mff-picture").evaluate_all("all => all.map(one => one.src)")
    button = gallery.locator("xpath=following-sibling::button")
    button.focus()
    page.keyboard.press("Enter")
    viewer = page.locator("dialog.mff-viewer[open]")
    viewer.wait_for()
    panes = viewer.locator(".mff-pane img")
    place = "all => all.map(one => one.style.transform + one.style.width)"
    for key in ("0", "+", "ArrowRight", "ArrowDown", "1"):
        before = panes.evaluate_all(place)
        page.keyboard.press(key)
        after = panes.evaluate_all(place)
        assert after[0] == after[1], "both move in step"
        assert key == "0" or after != before
    width, height = Image.open(sources[0].removeprefix("file://")).size
    assert panes.first.evaluate("one => one.style.width") == f"{width}px"
    page.keyboard.press("0")
    readout = viewer.locator("output")
    shown = page.evaluate("() => document.querySelector('dialog[open] select:nth-of-type(1)').value")
    assert shown == "side"
    column, row = width // 2, height // 2
    readout.filter(has_text=f"column {column}, row {row} · A").wait_for()
    a, b = (
        np.asarray(Image.open(source.removeprefix("file://")).convert("RGB"))[row, column].astype(int)
        for source in chosen(viewer)
    )
    values = [f"{name} {' '.join(map(str, numbers))}" for name, numbers in (("A", a), ("B", b), ("A − B", a - b))]
    assert f"column {column}, row {row} · {' · '.join(values)}" in readout.inner_text()
    for mode, css in (("swipe", "clipPath"), ("difference", "mixBlendMode")):
        viewer.locator("select").first.select_option(mode)
        assert viewer.locator(".mff-b").evaluate(f"one => getComputedStyle(one).{css}") not in ("none", "normal")
    viewer.locator(".mff-stage").focus()
    page.keyboard.press("Escape")
    viewer.wait_for(state="detached", timeout=10_000)
    assert button.evaluate("one => one === document.activeElement")
    assert opened.complaints == []
    assert opened.strayed == []


def chosen(viewer) -> list[str]:
    """Addresses of the two pictures that a viewer compares."""
    return viewer.locator(".mff-pane img").evaluate_all("all => all.map(one => one.src)")


@pytest.mark.parametrize("name", ["01_metrics", "02_baselines", "07_gacn", "14_many_images"])
def test_sliders_show_the_state_of_their_setting(visit, name):
    """By the keyboard, and one state at a time."""
    page = visit(f"notebooks/{name}.html").page
    for figure in page.locator(".mff-explore").all():
        sliders, shown = figure.locator("input[type=range]"), figure.locator(".mff-state:visible")
        assert sliders.count() == len(shown.first.get_attribute("data-at").split(","))
        for axis in range(sliders.count()):
            slider = sliders.nth(axis)
            slider.focus()
            page.keyboard.press("Home")
            for step in range(int(slider.get_attribute("max")) + 1):
                assert shown.count() == 1
                assert shown.get_attribute("data-at").split(",")[axis] == str(step)
                assert slider.get_attribute("aria-valuetext") in shown.locator(".mff-setting").text_content()
                page.keyboard.press("ArrowRight")
        assert figure.locator("img:visible").evaluate_all(
            "all => Promise.all(all.map(one => one.decode())).then(() => all.length)"
        )


def test_without_the_script_the_first_setting_is_shown(visit):
    page = visit("notebooks/07_gacn.html", java_script_enabled=False).page
    figure = page.locator(".mff-explore").first
    assert figure.locator(".mff-state:visible").count() == 1
    assert figure.locator(".mff-setting:visible").inner_text() == "slope 1000"


@pytest.mark.parametrize(
    ("name", "view"),
    [("15_gacn_trainings", PHONE), ("15_gacn_trainings", {"width": 1280, "height": 900}), ("09_leaderboard", PHONE)],
)
def test_wide_tables_say_that_there_is_more(visit, name, view):
    page = visit(f"notebooks/{name}.html", viewport=view).page
    unfold(page)
    page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
    page.wait_for_timeout(500)  # what was folded is measured in the next frame
    boxes = page.locator(".mff-scroll")
    hidden = boxes.evaluate_all(
        "all => all.filter(one => one.scrollWidth - one.clientWidth > 2 && one.clientWidth)"
        ".map(one => [one.classList.contains('mff-more-right'), one.tabIndex])"
    )
    assert hidden
    assert all(cue and tab == 0 for cue, tab in hidden)


def test_formulas_that_are_cut_say_so(visit):
    page = visit("notebooks/01_metrics.html", viewport=PHONE).page
    page.wait_for_selector("mjx-container", state="attached", timeout=20_000)
    page.wait_for_timeout(1000)
    found = page.locator("div.math").evaluate_all(
        "all => all.map((one) => [one.scrollWidth - one.clientWidth > 2, one.classList.contains('mff-more-right'),"
        " one.tabIndex === 0 && getComputedStyle(one).maskImage !== 'none'])"
    )
    assert [cut for cut, *_ in found].count(True) >= 3
    assert all(cut == cue == shown for cut, cue, shown in found)
    begins = page.locator("div.math:has(mjx-math)").evaluate_all(
        "all => all.map((one) => one.querySelector('mjx-math').getBoundingClientRect().left - one.getBoundingClientRect().left)"
    )
    assert min(begins) > -1  # a reader sees the beginning first


def test_diagrams_can_be_read_on_a_phone(visit):
    """They scroll within the page, and say so."""
    page = visit("notebooks/03_tlcnn.html", viewport=PHONE).page
    unfold(page)
    boxes = page.locator(".mff-wide")
    assert boxes.count() >= 3
    for box in boxes.all():
        box.scroll_into_view_if_needed()
        shown, least = box.locator("img").evaluate("one => [one.offsetWidth, parseInt(one.style.minWidth)]")
        assert shown >= least > 1.3 * PHONE["width"], "the smallest letters keep their size"
        assert box.evaluate("one => one.offsetWidth") <= PHONE["width"]
        assert "mff-more-right" in box.get_attribute("class")
        assert box.get_attribute("tabindex") == "0"


OUTPUTS = """() => [...document.querySelectorAll(".bd-article section")].map((section) =>
    [...section.children].filter((one) => one.matches(".cell") && one.querySelector(".cell_output") && !one.hidden)
        .reduce((sum, one) => sum + one.offsetHeight, 0))"""


def test_on_a_phone_long_outputs_are_folded(visit):
    """A button, a link into them and print open them; their text is found by the browser, which opens them too."""
    page = visit("notebooks/07_gacn.html", viewport=PHONE).page
    folds = page.locator(".mff-fold")
    folds.first.wait_for()
    assert max(page.evaluate(OUTPUTS)) <= 2 * PHONE["height"]
    assert {cell.get_attribute("hidden") for cell in page.locator(".cell[hidden]").all()} == {"until-found"}
    short = page.evaluate("document.documentElement.scrollHeight")
    name = "verdict-c4-17"
    verdict = page.locator(f"#{name}")
    last = page.locator(".mff-fold", has_text="verdict")
    assert "Show" in last.inner_text()
    last.press("Enter")
    assert last.get_attribute("aria-expanded") == "true"
    assert verdict.evaluate("one => one.checkVisibility({contentVisibilityAuto: true})")
    last.press("Enter")
    assert "Show" in last.inner_text()
    page.evaluate(f"location.hash = '{name}'")
    page.wait_for_function("document.querySelectorAll('.mff-fold[aria-expanded=true]').length == 1")
    page.wait_for_function(f"Math.abs(document.getElementById('{name}').getBoundingClientRect().top) < innerHeight")
    page.pdf()
    assert page.locator(".mff-fold[aria-expanded=false]").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") > 1.5 * short


def test_nothing_is_folded_on_a_wide_page(visit):
    page = visit("notebooks/07_gacn.html").page
    page.wait_for_timeout(300)
    assert page.locator(".mff-fold, .cell[hidden]").count() == 0
    page.set_viewport_size(PHONE)
    page.locator(".mff-fold").first.wait_for()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("!document.querySelector('.cell[hidden]')")
    assert page.locator(".mff-fold:visible").count() == 0


@pytest.mark.parametrize("view", [PHONE, {"width": 1280, "height": 900}])
def test_wide_tables_show_one_metric_at_a_time(visit, view):
    page = visit("notebooks/07_gacn.html", viewport=view).page
    unfold(page)
    tabs = page.locator('.mff-buttons[aria-label="Columns of Table 3"]')
    table = tabs.locator("xpath=following-sibling::div[1]//table")
    heads = table.locator("thead tr").first.locator("th:visible")
    for name in ("qg", "seconds"):
        tabs.get_by_role("button", name=name, exact=True).press("Enter")
        assert [head for head in heads.all_inner_texts() if head.strip()] == [name]
        assert table.locator("thead tr").nth(1).locator("th:visible").count() == 4, "a name and three columns"
        assert set(table.locator("tbody tr").evaluate_all(CELLS)) == {4}
        assert tabs.locator("[aria-pressed=true]").all_inner_texts() == [name]
        assert table.evaluate("one => one.offsetWidth <= document.querySelector('article').clientWidth")
    with page.expect_download() as waiting:
        tabs.locator("xpath=following-sibling::p[1]/a").click()
    assert len(Path(waiting.value.path()).read_text().splitlines()[1].split(",")) == 22, "hidden columns are handed out too"
    tabs.get_by_role("button", name="all").click()
    assert set(table.locator("tbody tr").evaluate_all(CELLS)) == {22}


def test_a_table_is_handed_out_as_csv(visit):
    page = visit("notebooks/00_quickstart.html").page
    table = page.locator(".mff-scroll table:has(caption)").first
    with page.expect_download() as waiting:
        page.get_by_text("Download as CSV").first.click()
    text = Path(waiting.value.path()).read_text()
    cells = table.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert ",".join(cells).replace("−", "-") in text.splitlines()
    assert waiting.value.suggested_filename.endswith(".csv")


def test_a_chart_is_handed_out_as_a_file(visit):
    page = visit("notebooks/09_leaderboard.html").page
    links = page.get_by_text("Download as SVG")
    assert links.count() > 0
    address = links.first.get_attribute("href")
    assert Path(address.removeprefix("file://")).read_bytes().lstrip().startswith(b"<?xml")
    assert links.first.get_attribute("download").endswith(".svg")
    assert page.locator(".mff-gallery").count() == 0 or page.locator("figure:has(.mff-gallery) .mff-take").count() == 0


def test_claims_are_searched_and_filtered(visit):
    page = visit("notebooks/10_claims.html").page
    boxes = page.locator(".mff-ledger > .mff-box")
    everything = page.locator(".mff-ledger").first.locator("> .mff-box").count()
    page.get_by_label("Filter by verdict").select_option("holds")
    assert set(boxes.locator("visible=true").evaluate_all("all => all.map(one => one.dataset.outcome)")) >= {"holds"}
    found = page.locator("form.mff-bar output").inner_text()
    held = page.locator(".mff-ledger").first.locator("> .mff-box[data-outcome=holds]").count()
    assert found == f"{held} of {everything} claims"
    page.get_by_label("Search the claims").fill("calibration")
    words = page.locator(".mff-ledger").first.locator("> .mff-box:visible").all_inner_texts()
    assert words
    assert all("calibration" in text.lower() for text in words)
    page.reload()
    assert page.get_by_label("Search the claims").input_value() == "calibration", "the address holds the choice"


def test_systems_are_searched_and_filtered(visit):
    page = visit("systems.html").page
    boxes = page.locator(".mff-ledger > .mff-box")
    everything = boxes.count()
    page.get_by_label("Filter by paper").select_option("cnnwt")
    page.get_by_label("Filter by status").select_option("rebuilt as a reading")
    shown = boxes.locator("visible=true").evaluate_all(
        "all => all.map(one => [one.dataset.papers.split(';'), one.dataset.status])"
    )
    assert shown
    assert all("cnnwt" in papers and status == "rebuilt as a reading" for papers, status in shown)
    assert page.locator("form.mff-bar output").inner_text() == f"{len(shown)} of {everything} systems"
    page.get_by_label("Search the systems").fill("contourlet")
    assert boxes.locator("visible=true").all_inner_texts()[0].startswith("Contourlet transform")


def test_the_reader_ranks_like_python(visit):
    """Another choice than the page's own: two metrics, some methods, the pairs of Lytro."""
    page = visit("notebooks/09_leaderboard.html").page
    if not page.locator(".mff-board").count():
        pytest.skip("this build has neither pairs nor a record")
    names = page.evaluate("document.querySelector('.mff-board').board.data.methods.map(one => one.name)")
    some = [name for name in names if name in ("lp", "gff", "dsift", "gacn", "gacn.published", "average", "pca", "cvt")]
    record = read_record("gacn26").query("gray == 'matlab'")
    weights = record["weights"].where(record["weights"] != "default", "")
    record = record.assign(method=(record["method"] + "." + weights).str.rstrip("."))
    rows = record[record["method"].isin(some) & record["stack"].str.startswith("lytro")]
    by_stack = ranks.stack_ranks(rows, ["qabf", "labf"])
    expected = by_stack.mean().sort_values()
    pairs = " ".join(rows["stack"].unique())
    page.evaluate(
        f"location.hash = '#?' + new URLSearchParams({{metrics: 'qabf labf', methods: '{' '.join(some)}', stacks: '{pairs}'}})"
    )
    table = page.locator(".mff-board table:has(caption)")
    table.locator("tbody tr").nth(len(some) - 1).wait_for()
    shown = table.locator("tbody tr").evaluate_all(
        "all => all.map(row => [row.cells[1].innerText, Number(row.cells[2].innerText)])"
    )
    assert dict(shown) == pytest.approx(expected.round(2).to_dict(), abs=0.011)
    assert [value for _, value in shown] == sorted(value for _, value in shown)
    test = ranks.friedman(by_stack)
    assert (
        f"{len(some)} methods, {test.stacks} pairs; critical difference {test.critical:.1f}"
        in page.locator(".mff-board").inner_text()
    )
    page.get_by_text("As recommended").click()
    assert table.locator("tbody tr").count() > 20
    assert "#" not in page.url


@pytest.mark.parametrize(
    ("query", "address", "words"),
    [
        ("guided filter radius", "notebooks/02_baselines.html#", "guided filter"),
        ("C4.8", "notebooks/10_claims.html#c4-8", ""),
        ("decision map", "glossary.html#term-decision-map", "share of each source"),
        ("write_image", "api.html#mffrepro.images.write_image", ""),
    ],
)
def test_search_finds_sections_with_the_words_around(visit, query, address, words):
    opened = visit(f"search.html?q={query.replace(' ', '+')}")
    hits = opened.page.locator(".mff-hits li")
    best = [hit.locator("a").get_attribute("href") for hit in hits.all()[:8]]
    (found,) = [hit for hit, link in zip(hits.all(), best, strict=False) if link.startswith(address)][:1]
    assert words in found.inner_text()
    marks = {mark.lower() for mark in found.locator("mark").all_inner_texts()}
    assert marks
    assert marks <= set(query.lower().split())
    found.locator("a").click()
    opened.page.wait_for_url(f"**/{address}*")
    target = opened.page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1)))?.tagName")
    assert target
    assert opened.strayed == opened.complaints == []


def test_search_follows_what_is_typed_and_ignores_code(visit):
    page = visit("search.html").page
    field = page.locator("main form.bd-search input[name=q]")
    for query in ("qwxzvkjh", "mff.profile(profile, dataset=dataset"):  # a line of code in every chapter
        field.fill(query)
        page.get_by_text("Nothing in the book holds all of these words").wait_for()
        assert page.locator(".mff-hits li").count() == 0
    field.fill("ghost outline")
    assert page.locator(".mff-hits li").count() > 0


def test_terms_say_what_they_mean(visit):
    """By the mouse and by the keyboard; Escape closes."""
    page = visit("notebooks/03_tlcnn.html").page
    term, meaning = page.locator("a.mff-term").first, page.locator(".mff-meaning")
    assert meaning.is_hidden()
    term.hover()
    assert len(meaning.inner_text()) > 20
    page.keyboard.press("Escape")
    assert meaning.is_hidden()
    term.focus()
    assert meaning.is_visible()
    assert term.get_attribute("aria-describedby") == meaning.get_attribute("id")
    page.locator("a.mff-term").nth(1).focus()
    assert page.locator("a[aria-describedby=mff-meaning]").count() == 1


def test_a_tap_shows_the_meaning_and_a_second_one_follows_the_link(visit):
    page = visit("notebooks/03_tlcnn.html", viewport=PHONE, has_touch=True, is_mobile=True).page
    term, meaning = page.locator("a.mff-term").first, page.locator(".mff-meaning")
    term.tap()
    assert meaning.is_visible()
    box = meaning.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    term.tap()
    page.wait_for_url("**/glossary.html#*")


@pytest.mark.parametrize("name", PAGES)
def test_links_inside_the_book_lead_to_pages(visit, name):
    page = visit(name).page
    targets = page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    files = {target.partition("#")[0].partition("?")[0] for target in targets if target.startswith("file:")}
    assert [target for target in files if not (HTML / target.removeprefix(HTML.as_uri() + "/")).exists()] == []
