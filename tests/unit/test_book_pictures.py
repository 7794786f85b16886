"""Pictures of built pages become files: once each, with their sizes, and readable from disk."""

import base64
import io

import numpy as np
from PIL import Image

from mffrepro.book.pictures import extract
from mffrepro.report.gallery import Gallery
from mffrepro.report.style import Shown, styled


def test_pictures_become_files_that_are_stored_once(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    page = Gallery({"a": image, "again": image, "b": image[::-1].copy()}, alt="noise")._repr_html_()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "one.html").write_text(f"<html>{page}</html>")
    (tmp_path / "two.html").write_text(f"<html>{page}</html>")
    (tmp_path / "plain.html").write_text("<html>data:image/webp;base64,AAAA</html>")
    assert extract(tmp_path) == 2
    one, two = (path.read_text() for path in (tmp_path / "notebooks" / "one.html", tmp_path / "two.html"))
    assert "base64" not in one + two
    assert one.replace("../_images/", "_images/") == two
    assert two.count('loading="lazy"') == two.count(' width="60" height="40"') == 3
    names = sorted(path.name for path in (tmp_path / "_images").iterdir())
    assert len(names) == 4, "a picture and its script, twice"
    stem = names[0].partition(".")[0]
    stored = (tmp_path / "_images" / f"{stem}.webp").read_bytes()
    script = (tmp_path / "_images" / f"{stem}.js").read_text()
    assert script == f'mffPicture("{stem}","{base64.b64encode(stored).decode()}");\n'
    assert Image.open(io.BytesIO(stored)).size == (60, 40)
    assert (tmp_path / "plain.html").read_text() == "<html>data:image/webp;base64,AAAA</html>"


def test_charts_keep_the_shape_that_they_state(tmp_path):
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(4, 3))
        figure.subplots().plot([1, 2])
    (tmp_path / "page.html").write_text(Shown(figure, alt="a line")._repr_html_())
    assert extract(tmp_path) == 1
    page = (tmp_path / "page.html").read_text()
    assert ' width="288" height="216"' in page, "inches times 72"
    assert not list((tmp_path / "_images").glob("*.js")), "only photographs are read"
    assert extract(tmp_path) == 0, "a second time there is nothing to do"
