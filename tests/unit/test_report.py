"""Tables that mark the best by direction, verdicts that are recorded, pictures that carry their text."""

import base64
import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image as Pillow

from mffrepro.data import load
from mffrepro.report import ambiguities, diagram, figures, pages, style, tables
from mffrepro.report.gallery import Gallery, encode
from mffrepro.report.style import Shown


def results() -> pd.DataFrame:
    rows = []
    for method, quality, artefacts in (("good", 0.9, 0.1), ("bad", 0.5, 0.3), ("middling", 0.7, 0.2)):
        for stack in ("one", "two"):
            for metric, value in (("qabf", quality), ("nabf", artefacts)):
                rows.append({"stack": stack, "method": method, "metric": metric, "value": value, "seconds": 1.0})
    return pd.DataFrame(rows)


def test_means_keep_the_order_of_rows_and_metrics() -> None:
    table = tables.means(results())
    assert list(table.index) == ["good", "bad", "middling"]
    assert list(table.columns) == ["qabf", "nabf", "seconds"]
    assert table.loc["middling", "nabf"] == pytest.approx(0.2)


def test_best_is_marked_by_the_direction_of_the_metric() -> None:
    """nabf is better when lower; the highest must not be the one in bold."""
    page = tables.scores(tables.means(results())).to_html()
    assert "qabf ↑" in page
    assert "nabf ↓" in page
    assert _marked(page, "font-weight: bold") == {(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)}, "all took one second"


def _marked(page: str, mark: str) -> set[tuple[int, int]]:
    import re

    style = page[: page.index("</style>")]
    blocks = [block for block in style.split("}") if mark in block]
    return {tuple(map(int, hit)) for block in blocks for hit in re.findall(r"row(\d+)_col(\d+)", block)}


@pytest.mark.parametrize("colours", ["cividis", figures.DIVERGING])
def test_numbers_can_be_read_on_every_colour(colours) -> None:
    table = pd.DataFrame(np.linspace(-1.2, 1.2, 121).reshape(11, 11))
    table.iloc[3, 3] = np.nan
    page = tables.heat(tables.plain(table), colours, low=-1, high=1).to_html()
    found = re.findall(r"background-color: (#\w{6});\s+color: (#\w{3})", page)
    assert len({back for back, _ in found}) > 50
    for back, front in found:
        channels = [int(back[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        contrast = (luminance + 0.05) / 0.05 if front == "#000" else 1.05 / (luminance + 0.05)
        assert contrast >= 4.5


def test_reported_beside_reproduced() -> None:
    reported = pd.DataFrame({"qg": [0.7, 0.6]}, index=["gacn", "only printed"])
    reproduced = pd.DataFrame({"qg": [0.71, 0.5]}, index=["gacn", "only here"])
    shown = tables.beside(reported, reproduced)
    assert shown.data.loc["gacn", ("qg", "difference")] == pytest.approx(0.01)
    assert np.isnan(shown.data.loc["only printed", ("qg", "reproduced")])
    page = shown.to_html()
    assert "+0.0100" in page
    assert "0.7100" in page
    assert "0.710000" not in page


def test_printed_table_has_our_names() -> None:
    table = tables.reported("p004_table1")
    assert list(table.columns) == ["qg", "qy", "qncie", "qcb", "fmi_edge", "fmi_dct", "seconds"]
    assert table.loc["GACN", "qg"] == 0.7169
    assert len(table) == 22


def test_parameters_are_counted_beside_those_of_the_authors() -> None:
    parts = {"feature path": torch.nn.Linear(3, 2), "all": torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))}
    shown = tables.parameter_counts("p004_parameters", parts, caption="Parameters").data
    assert shown["here"].dropna().to_dict() == {"feature path": 8, "all": 11}
    assert shown.loc["all", "authors' checkpoint"] == 68820


def test_every_ambiguity_is_on_the_page_with_an_anchor() -> None:
    page = ambiguities.as_markdown()
    anchors = re.findall(r"^\((a\d-\d+)\)=$", page, re.MULTILINE)
    assert anchors == [pages.anchor(name) for name in ambiguities.all_ambiguities().index]
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["tlcnn", "tlcolor", "icacs18", "cnnwt", "gacn"]
    for label in ambiguities.LABELS.values():
        assert page.count(f"- *{label}:* ") == len(anchors)


def test_gallery_has_a_text_for_every_picture_and_escapes_labels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    page = Gallery({"a <b>": image, "c": image[..., 0]}, alt='says "so"', zoom=[(5, 5, 10, 10)])._repr_html_()
    assert page.count("<img") == page.count("alt=") == 4
    assert "a &lt;b&gt;" in page
    assert "&quot;so&quot;" in page


def test_boxes_are_drawn_over_pictures_whose_pixels_stay_as_they_are() -> None:
    image = np.zeros((50, 100, 3), np.uint8)
    image[10:30, 20:60] = 255
    page = Gallery({"a": image, "b": image}, alt="", zoom=[(10, 20, 20, 40)])._repr_html_()
    assert 'data-boxes="[[10, 20, 20, 40]]"' in page
    assert page.count("top:20.000%;left:20.000%;height:40.000%;width:40.000%") == 2
    first = re.search(r"base64,([^\"]+)", page)[1]
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(base64.b64decode(first)))), image), "few colours: without loss"


def test_photographs_are_stored_with_small_losses() -> None:
    photograph = load("embedded", kind="composite", levels=(3,))[0].reference
    data = encode(photograph)
    stored = np.asarray(Pillow.open(io.BytesIO(data)))
    assert len(data) < photograph.nbytes / 10
    assert 0 < np.abs(stored.astype(int) - photograph).mean() < 3


def test_tables_are_numbered_when_they_are_first_shown() -> None:
    first, second, bare = (tables.plain(pd.DataFrame({"a": [1]}), caption=text) for text in ("First", "Second", ""))
    assert "<caption" not in bare._repr_html_()
    pages_shown = [second.hide(axis="index")._repr_html_(), first._repr_html_(), second._repr_html_()]
    numbers = [int(re.search(r'id="table-(\d+)"', page)[1]) for page in pages_shown]
    assert numbers[1] == numbers[0] + 1
    assert numbers[2] == numbers[0]
    assert f">Table {numbers[0]}. Second</caption>" in pages_shown[0]


def test_wrong_pixels_of_a_decision_are_counted() -> None:
    truth = np.zeros((2, 10, 10), np.float32)
    truth[0, :5], truth[1, 5:] = 1, 1
    found = truth.copy()
    found[:, 4] = found[::-1, 4]
    labels = list(figures.decision_maps({"truth": truth, "found": found}, truth=truth, alt="").images)
    assert labels == ["truth", "found: 10.00% wrong"]


def test_signed_numbers_are_gray_around_the_middle() -> None:
    assert np.array_equal(figures.signed(np.array([[-4.0, -1.0, 0.0, 2.0]]), limit=2), [[0, 0.25, 0.5, 1]])
    assert np.array_equal(figures.signed(np.zeros((2, 2))), np.full((2, 2), 0.5))


def test_mosaic_lays_tiles_out_in_rows() -> None:
    """Six tiles of 2x3 in rows of three, each value 2x2 pixels, white lines of one pixel around each tile."""
    tiles = np.arange(1.0, 7)[:, None, None] * np.array([[1, 0, -1], [-1, 0, 1]])
    picture = figures.mosaic(tiles, columns=3, enlarge=2)
    assert picture.shape == (2 * 6, 3 * 8)
    assert (picture[0] == 1).all()
    assert np.array_equal(picture[1, 1:7], [1, 1, 0.5, 0.5, 0, 0])
    assert np.array_equal(picture[:6, :8], picture[6:, 16:]), "each tile has a scale of its own"


def test_bars_are_named_and_numbered_from_the_top() -> None:
    shown = figures.bars({"long": 2.5, "short": 0.125}, xlabel="gray levels", alt="two bars", digits=3)
    (axes,) = shown.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["long", "short"]
    assert [text.get_text() for text in axes.texts] == ["2.500", "0.125"]
    assert axes.yaxis_inverted()


def test_deviations_are_read_from_the_docstring() -> None:
    from mffrepro.methods import get

    assert tables.deviations(get("lp")).startswith("None known from the toolbox")
    assert tables.deviations(get("average")) == ""
    text = tables.deviations(get("dwt"))
    assert "  " not in text
    assert "`" not in text
    assert "References" not in text


@pytest.mark.parametrize(("points", "width"), [(11, 0), (8.5, 593), (5, 1008)])
def test_a_chart_of_small_letters_does_not_shrink_to_a_telephone(points, width) -> None:
    """504 points wide: letters of 8.5 points would have six pixels there, and keep ten."""
    figure = Figure(figsize=(7, 3))
    figure.text(0.1, 0.1, "words", fontsize=points)
    assert style.least_width(figure) == width
    page = Shown(figure, alt="Words")._repr_html_()
    assert (f"min-width:{width}px" in page) == ("overflow-x:auto" in page) == bool(width)


def draw_line() -> style.Shown:
    return figures.curves([0, 1], {"a": [1, 2]}, xlabel="x", ylabel="y", alt="a line", caption="A line.")


def test_charts_are_the_same_every_time(monkeypatch) -> None:
    first, again = [], []
    for shown in (first, again):
        monkeypatch.setattr(style, "_NUMBERS", {"figure": itertools.count(1)})
        shown.append(draw_line()._repr_html_())
    assert first == again
    assert 'alt="a line"' in first[0]


def test_figures_are_numbered_in_the_order_in_which_they_are_shown(monkeypatch) -> None:
    monkeypatch.setattr(style, "_NUMBERS", {"figure": itertools.count(1)})
    later, line = figures.comparison({"a": np.zeros((8, 8))}, alt="black"), draw_line()
    for _ in range(2):
        assert "<b>Figure 1.</b> A line." in line._repr_html_()
    assert "<b>Figure 2.</b>" in later._repr_html_()


def test_loss_curves_have_a_panel_per_quantity(tmp_path) -> None:
    rows = [{"epoch": e, "train_total": 1 / e, "val_total": 2 / e, "train_dice": 1 / e, "val_dice": 1 / e} for e in (1, 2, 3)]
    figure = figures.loss_curves(rows)
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes if axes.axison] == ["total", "dice"]
    figures.save_loss_curves(rows, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_shapes_in_a_diagram_are_those_of_the_forward_pass() -> None:
    import torch

    from mffrepro.models.gacn import GACN

    image = torch.zeros(1, 1, 20, 24)
    shapes = diagram.trace_shapes(GACN().eval(), (image, image))
    assert shapes["features.conv.3"] == (1, 16, 20, 24)
    assert shapes["decision.conv.0"] == (1, 48, 20, 24)
    assert diagram.show_shape(shapes["decision.se.4"]) == "1 × 20 × 24"


def test_the_rows_of_gacn_have_the_shapes_of_its_layers() -> None:
    from mffrepro.models.gacn import GACN

    features, decision, output = (dict(boxes) for _, boxes, _ in diagram.gacn_rows(GACN().eval()))
    assert features["conv 4 + CSE"] == "16 × 96 × 96"
    assert decision["difference\n+ SSE"] == "64 × 96 × 96"
    assert decision["conv 4 + SSE"] == "1 × 96 × 96"
    assert output["sigmoid"] == "k = 1000"


def test_flow_draws_every_box() -> None:
    shown = diagram.flow([("part", [("conv", "1 × 2"), ("out", "3")], "#0072B2")], alt="two boxes")
    assert isinstance(shown, Shown)
    texts = {text.get_text() for text in shown.figure.axes[0].texts}
    assert {"part", "conv", "out", "1 × 2", "3"} <= texts


def test_curves_per_pair_are_listed_by_their_means() -> None:
    table = pd.DataFrame({"low": [0.1, 0.2], "high": [0.5, float("nan")], "middle": [0.3, 0.4]}, index=["one", "two"])
    shown = figures.pair_curves({"qg": table, "qcb": 1 - table}, alt="two panels")
    first, second = ([text.get_text() for text in axes.get_legend().get_texts()] for axes in shown.figure.axes)
    assert first == ["0.5000 high", "0.3500 middle", "0.1500 low"]
    assert [text.split()[1] for text in second] == ["low", "middle", "high"]
    colours = [{line.get_label().split()[1]: line.get_color() for line in axes.lines} for axes in shown.figure.axes]
    assert colours[0] == colours[1], "a method looks the same in every panel"
