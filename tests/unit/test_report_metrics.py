"""What the chapter on metrics draws and writes: heat maps, correlation matrices, pages of measured tables."""

import json

import numpy as np
import pandas as pd
import pytest

from mffrepro.data.formula import SCENES, formula_images, formula_sources
from mffrepro.report import figures, pages


def test_heat_is_dark_at_the_low_end_and_white_where_there_is_nothing():
    picture = figures.heat(np.array([[-5.0, 0.0, 0.5, 1.0, 9.0, np.nan]]))
    assert picture.shape == (1, 6, 3)
    assert picture.dtype == np.uint8
    brightness = picture[0].astype(int).sum(axis=1)
    assert brightness[0] == brightness[1] < brightness[2] < brightness[3] == brightness[4]
    assert picture[0, 5].tolist() == [255, 255, 255]


def test_heat_turned_over_is_the_other_way_round():
    values = np.linspace(0, 1, 11)[None]
    assert np.array_equal(figures.heat(values, low=1, high=0), figures.heat(1 - values))


def test_matrix_draws_every_name_and_number():
    table = pd.DataFrame([[1.0, -0.5], [-0.5, 1.0]], index=["one", "two"], columns=["one", "two"])
    shown = figures.matrix(table, alt="two metrics", digits=1)
    (axes,) = shown.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    assert sorted(text.get_text() for text in axes.texts) == ["-0.5", "-0.5", "1.0", "1.0"]
    assert axes.images[0].get_clim() == (-1, 1)
    assert 'alt="two metrics"' in shown._repr_html_()


def test_a_page_is_written_where_the_book_is_built_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.delenv(pages.FOLDER_VARIABLE, raising=False)
    assert pages.write_page("why", "text") is None
    monkeypatch.setenv(pages.FOLDER_VARIABLE, str(tmp_path / "pages" / "01_metrics"))
    path = pages.write_page("why", "text\n\n")
    assert path == tmp_path / "pages" / "01_metrics" / "why.md"
    assert path.read_text() == "text\n"


def test_a_markdown_table_keeps_its_cells_apart():
    table = pd.DataFrame({"value": ["1.5", "a|b"]}, index=pd.Index(["x", "y"], name="quantity"))
    lines = pages.markdown_table(table, right=["value"]).splitlines()
    assert lines == ["| quantity | value |", "| --- | ---: |", "| x | 1.5 |", "| y | a\\|b |"]


def test_the_builder_says_where_pages_go(tmp_path):
    """A chapter that writes a page, run by the builder."""
    jupytext = pytest.importorskip("jupytext")
    pytest.importorskip("papermill")
    from mffrepro.book import Book
    from mffrepro.book.execution import run

    cell = "import json, os\nprint(json.dumps(os.environ['MFFREPRO_PAGES']))"
    declared = 'profile = "full"\ndataset = "embedded"\ndevice = "auto"\nretrain = "no"\nseed = 1'
    kernel = "# ---\n# jupyter:\n#   kernelspec: {display_name: Python 3, language: python, name: python3}\n# ---\n"
    book = Book(tmp_path)
    book.sources.mkdir()
    (book.sources / "01_metrics.py").write_text(f'{kernel}\n# %% tags=["parameters"]\n{declared}\n\n# %%\n{cell}\n')
    assert len(jupytext.read(book.sources / "01_metrics.py").cells) == 2
    run(book, "01_metrics", {"profile": "quick"})
    notebook = json.loads((book.executed / "01_metrics.ipynb").read_text())
    printed = "".join(notebook["cells"][-1]["outputs"][0]["text"])
    assert json.loads(printed) == str(book.generated / "pages" / "01_metrics")


def test_formula_images_are_two_sources_and_their_fusion():
    for scene, (shape, _) in SCENES.items():
        images = formula_images(scene)
        assert {image.shape for image in images.values()} == {shape}
        middle = shape[1] // 2
        assert np.array_equal(images["A"][:, middle:], images["ideal"][:, middle:])
        assert np.array_equal(images["B"][:, :middle], images["ideal"][:, :middle])
        assert images["A"][:, :middle].std() < images["ideal"][:, :middle].std()


def test_pairs_name_their_sources():
    assert formula_sources("synth64") == ("synth64", "A", "B")
    assert formula_sources("synth97same") == ("synth97", "ideal", "ideal")
    assert formula_sources("synth97const") == ("synth97", "const128", "const128")
