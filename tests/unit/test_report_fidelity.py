"""The tables of how near the classical methods come to published images and scores."""

import csv
from statistics import median

import pytest

from mffrepro import methods
from mffrepro.data.manifests import manifest_folder
from mffrepro.report.fidelity import image_table, score_table


def rows(name: str) -> list[dict]:
    with (manifest_folder() / "fidelity" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_has_the_median_and_the_worst_of_its_images():
    cards = [card for card in methods.CARDS.values() if card.kind == "classical"]
    table = image_table(cards)
    assert set(table["method"]) == {card.name for card in cards}
    own = [row for row in rows("images.csv") if row["method"] == "gff"]
    shown = table[table["method"] == "gff"]
    assert shown["images"].astype(int).sum() == len(own)
    assert min(shown["PSNR"].replace("∞", "inf").astype(float)) == pytest.approx(min(float(r["psnr"]) for r in own), abs=0.05)


def test_of_the_shares_the_median_and_the_worst_are_shown():
    own = [float(row["equal"]) for row in rows("images.csv") if row["method"] == "cbf"]
    (shown,) = image_table([methods.get("cbf")]).to_dict("records")
    assert (shown["equal"], shown["worst"]) == (f"{median(own):.3%}", f"{min(own):.3%}")


def test_a_method_without_published_image_has_dashes():
    table = image_table([methods.get("average")])
    assert table.to_dict("records") == [
        {"method": "average", "settings": ""} | dict.fromkeys(("compared with", "images", "equal", "worst", "PSNR"), "–")
    ]


def test_differences_are_ours_minus_the_recorded_scores():
    table, pairs = score_table()
    records = rows("scores.csv")
    assert pairs == max(int(row["pairs"]) for row in records)
    row = next(row for row in records if not row["options"])
    assert table.loc[row["method"], (row["metric"], "recorded")] == pytest.approx(float(row["recorded"]))
    difference = float(row["measured"]) - float(row["recorded"])
    assert table.loc[row["method"], (row["metric"], "difference")] == pytest.approx(difference)
