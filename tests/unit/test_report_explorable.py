"""Figures with sliders: every setting is there, one is shown, and nothing breaks out of its place."""

import html
import json
import re

import numpy as np
import pytest

from mffrepro.errors import OptionError
from mffrepro.report import figures
from mffrepro.report.explorable import Explorable, State

SLIDERS = {"radius": [2, 7], "epsilon": [1e-6, 0.3, "<none>"]}


def show(radius, epsilon) -> State:
    return State({"map": np.full((8, 8), radius / 10)}, {"radius & epsilon": f"{radius} < {epsilon}"})


@pytest.fixture
def page() -> str:
    return Explorable(SLIDERS, show, start=[7, 0.3], alt='A "map"', caption="Move it.")._repr_html_()


def states(page: str) -> list[tuple[str, bool, str]]:
    found = re.findall(r'<div class="mff-state" data-at="([\d,]+)"( hidden)?>(.+?)</div>', page)
    return [(at, not hidden, text) for at, hidden, text in found]


def test_every_setting_has_a_state_and_the_first_one_is_shown(page):
    assert [at for at, _, _ in states(page)] == ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]
    assert [at for at, shown, _ in states(page) if shown] == ["1,1"]


def test_a_state_says_its_setting_and_its_numbers(page):
    (text,) = [text for at, _, text in states(page) if at == "0,0"]
    assert "radius 2, epsilon 1e-06" in text
    assert "radius &amp; epsilon: <b>2 &lt; 1e-06</b>" in text


def test_the_page_is_told_the_positions(page):
    positions = json.loads(html.unescape(re.search(r'data-sliders="([^"]+)"', page)[1]))
    assert positions == [["radius", ["2", "7"]], ["epsilon", ["1e-06", "0.3", "<none>"]]]


def test_pictures_have_words_for_those_who_cannot_see_them(page):
    assert page.count('alt="map: A &quot;map&quot;"') == page.count("<img") == 6
    assert 'aria-label="A &quot;map&quot;"' in page


def test_a_chart_is_drawn_as_one(page):
    chart = figures.steps({"truth": [1, 1, 2], "ours": [1, 2, 2]}, xlabel="column", ylabel="image")
    page = Explorable({"row": [1]}, lambda row: State({"": chart}), start=[1], alt="Steps")._repr_html_()
    assert 'src="data:image/svg+xml;base64,' in page


def test_a_start_beside_the_positions_is_refused():
    with pytest.raises(OptionError, match=r"the sliders start at \(3, 0\.3\); each value must be a position of its slider"):
        Explorable(SLIDERS, show, start=[3, 0.3], alt="A map")
