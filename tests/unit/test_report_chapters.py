"""What the chapters of the papers show alike: trainings, studies, samples, folds, the network of tlcnn and tlcolor."""

import hashlib
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.checkout import installed_commit
from mffrepro.errors import DataError, OptionError
from mffrepro.models.transfer import SLIM, TransferNet
from mffrepro.models.weights import card, shipped
from mffrepro.report import figures, tables, trainings
from mffrepro.report.fold import fold
from mffrepro.report.provenance import provenance
from mffrepro.report.samples import defocus_samples, patch_row, spread_pair
from mffrepro.report.trainings import (
    choice_table,
    epochs_until,
    final_gap,
    first_epoch,
    gained_by_choice,
    later_to_share,
    on_stacks,
    paired_by_seed,
    read_study,
    study_files,
    study_origin,
    study_table,
    training_curves,
    training_table,
)
from mffrepro.report.transfer_diagram import layer_flow, network_flow
from mffrepro.training.recipes import recipe
from mffrepro.training.studies import transfer


def test_the_first_epoch_is_counted_from_one():
    assert first_epoch([0.2, 0.5, 0.9, 0.7], 0.5) == 2
    assert first_epoch([0.9], 0.5) == 1
    assert first_epoch([0.2, 0.4], 0.5) == math.inf
    assert first_epoch([0.2, 0.4], 0.5) > first_epoch([0.2, 0.5], 0.5), "a training that never gets there is slower"


def test_trainings_show_what_their_cards_say():
    shown = training_table(["icacs18.default", "cnnwt.default", "tlcnn.default"]).data
    made = card("icacs18.default")
    assert shown.loc["best epoch", "icacs18.default"] == made["best_epoch"]
    assert shown.loc["validation accuracy", "icacs18.default"] == f"{made['final']['val_accuracy']:.2%}"
    assert shown.loc["validation accuracy", "cnnwt.default"].count("%") == 2
    assert shown.loc["validation accuracy", "tlcnn.default"] == ""


def test_training_curves_have_the_caption():
    page = training_curves("cnn_fuse.default", alt="curves", caption="Training.")._repr_html_()
    assert "Training." in page
    assert 'alt="curves"' in page


def test_studies_are_read_with_their_origin():
    study = read_study("icacs18")
    assert study.index.name == "network"
    assert not study.reset_index().duplicated(["network", "seed"]).any()
    made = {
        "date": ["2026-01-02", "2026-01-01", "2026-01-03"], "device": ["a GPU", "a GPU", "a CPU"], "epochs": 3, "samples": 9,
        "data": "bsds500", "seed": [2, 1, 3],
    }  # fmt: skip
    on_gpu, length = "recorded 2026-01-01, 2026-01-02 on a GPU (seeds 1, 2)", ", 3 epochs of 9 pairs of bsds500"
    assert study_origin(pd.DataFrame(made)) == f"{on_gpu} and 2026-01-03 on a CPU (seed 3){length}"
    assert study_origin(pd.DataFrame(made).iloc[:2]) == on_gpu + length


def test_a_study_is_shown_as_means_over_its_seeds():
    rows = [["b", 0.5, 2, 70, np.nan], ["a", 0.25, 3, 70, 0.1], ["b", 0.75, 4, 70, np.nan], ["a", 0.25, np.nan, 70, 0.3]]
    study = pd.DataFrame(rows, columns=["network", "accuracy", "epochs to 99 %", "parameters", "qabf"]).set_index("network")
    shown = study_table(study, list(study), caption="Study").data
    assert shown.loc["b"].tolist() == ["0.6250 ± 0.1250", "3.0 ± 1.0", "70", "–"]
    assert shown.loc["a"].tolist() == ["0.2500", "3 (1 of 2 seeds)", "70", "0.2000 ± 0.1000"]
    assert list(shown.index) == ["b", "a"]
    assert "trainings" not in shown, "all have as many"
    assert study_table(study.iloc[:3], ["accuracy"], caption="Study").data["trainings"].to_dict() == {"b": 2, "a": 1}


def test_samples_come_with_their_labels():
    (image, label), *others = defocus_samples("tlcolor", count=3, seed=1)
    assert len(others) == 2
    assert image.shape == (*label.shape, 3)
    assert set(np.unique(label)) <= {0.0, 1.0}
    again = defocus_samples("tlcnn", count=1, seed=1)
    assert np.array_equal(again[0][0], image), "both papers have one recipe"


def test_a_pair_is_sharp_on_its_side_of_the_label():
    photograph, near, far, label = spread_pair(seed=1).values()
    assert photograph.shape == near.shape == far.shape == label.shape
    inside = label > 0.99
    assert 0.01 < inside.mean() < 0.99
    for sharp, blurred, side in ((near, far, inside), (far, near, label < 0.01)):
        assert np.abs(sharp - photograph)[side].mean() < 0.2 * np.abs(blurred - photograph)[side].mean()
    assert np.array_equal(spread_pair(seed=1)["label"], label)


def test_a_row_of_patches_is_enlarged():
    class Patch:
        def __init__(self, value):
            self.value = value

        def numpy(self):
            return np.full((2, 3), self.value)

    row = patch_row([{"sharp_gray": [Patch(0.1)]}, {"sharp_gray": [Patch(0.9)]}], "sharp", enlarge=2)
    assert row.shape == (4, 12)
    assert np.array_equal(row[:, :6], np.full((4, 6), 0.1))
    assert np.array_equal(row[:, 6:], np.full((4, 6), 0.9))


def test_a_fold_hides_its_tables_under_an_escaped_line():
    folded = fold("under 1 % & more", tables.plain(pd.DataFrame({"x": [1.5]})))
    page = folded._repr_html_()
    assert page.startswith("<details><summary>under 1 % &amp; more</summary>")
    assert page.endswith("</details>")
    assert "1.5000" in page
    assert "under 1 % & more" in repr(folded)


def test_the_network_is_drawn_with_its_shapes():
    network = TransferNet(width=SLIM, vgg_width=SLIM).eval()
    words = {text.get_text() for text in network_flow(network).figure.axes[0].texts}
    assert {"encoder 5", "decoder 5", "map", "2 × 224²"} <= words
    assert any(word.endswith("× 7²") for word in words)
    layers = [text.get_text() for text in layer_flow(network, [1, 3]).figure.axes[0].texts]
    assert sum(word.startswith("VGG ") for word in layers) == 2 + 4
    assert sum(word.startswith("new ") for word in layers) == 5 + 5


def test_provenance_names_what_another_run_needs():
    run = mff.profile("quick", seed=3)
    facts = provenance(run, 0.0, ["gacn.default"]).data[""]
    assert facts["profile"] == "quick"
    assert facts["seed"] == 3
    assert facts["data set"] == "embedded"
    digest = hashlib.sha256(shipped("gacn.default").read_bytes()).hexdigest()
    assert facts["weights gacn.default"] == f"sha256 {digest[:16]}"
    assert facts["record gacn26"].startswith("sha256 ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", facts["date"])
    assert facts["commit"] == installed_commit()


def test_the_commit_of_an_installed_package_is_what_pip_noted(monkeypatch):
    def nowhere():
        raise DataError("no checkout")

    class Noted:
        def __init__(self, text):
            self.text = text

        def read_text(self, name):
            return self.text if name == "direct_url.json" else None

    monkeypatch.setattr("mffrepro.data.checkout._commit", nowhere)
    for text, commit in ((json.dumps({"vcs_info": {"commit_id": "0123456789abcdef"}}), "0123456789"), (None, "unknown")):
        monkeypatch.setattr("mffrepro.data.checkout.distribution", lambda name, text=text: Noted(text))
        assert installed_commit() == commit


def log_of(*losses):
    train, val, iou = np.array(losses).T
    return pd.DataFrame({"train_total": train, "val_total": val, "val_iou": iou})


def test_trainings_are_compared_seed_by_seed():
    fast = {1: log_of((0.9, 1.0, 0.5), (0.5, 0.7, 0.8)), 2: log_of((0.9, 1.0, 0.8), (0.6, 0.7, 0.8)), 3: log_of((1, 1, 0))}
    slow = {2: log_of((0.9, 1.0, 0.1), (0.2, 0.9, 0.2)), 1: log_of((0.9, 1.0, 0.1), (0.2, 0.8, 0.9))}
    seeds, later = paired_by_seed(fast, slow, lambda log: epochs_until(log["val_iou"], 0.75))
    assert seeds == [1, 2]
    assert later.tolist() == [[0], [2]], "what is never reached counts as one epoch more than there are"
    _, wider = paired_by_seed(fast, slow, final_gap)
    assert wider == pytest.approx(np.array([[0.4], [0.6]]))


def test_a_choice_gains_over_the_training_of_its_own_seed():
    rows = [("", 1, 0.5), ("", 2, 0.9), ("slow", 1, 0.75), ("slower", 2, 0.75)]
    gained = gained_by_choice(pd.DataFrame(rows, columns=["changed", "seed", "qg"]), "qg")
    assert gained.to_dict() == pytest.approx({"slow": 0.25, "slower": -0.15})


def test_a_chapter_trains_a_network_anew_as_its_parameters_say(tmp_path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trainings, "train", lambda *given, **options: asked.append((*given, options)))
    folder = trainings.retrain("gacn", mff.profile("quick", retrain="yes", seed=3, device="cpu"))
    trainings.retrain("gacn", mff.profile("full", retrain="yes"))
    (smoke, regions, made, options), (practical, *_) = asked
    assert (smoke, practical) == (recipe("gacn", "smoke"), recipe("gacn", "practical"))
    assert folder == made
    assert made.name.startswith("retrained-gacn-")
    assert {name: len(one) for name, one in regions.items()} == dict.fromkeys(("train", "val"), len(load_regions("embedded")))
    assert options == {"seed": 3, "device": "cpu"}


def test_each_seed_has_a_level_of_its_own():
    fast = {1: log_of((1, 1, 0.2), (1, 1, 0.4)), 2: log_of((1, 1, 0.5), (1, 1, 0.8))}
    slow = {1: log_of((1, 1, 0.1), (1, 1, 0.37)), 2: log_of((1, 1, 0.1), (1, 1, 0.3)), 3: log_of((1, 1, 1))}
    seeds, later = later_to_share(fast, slow)
    assert (seeds, later.tolist()) == ([1, 2], [[0], [1]]), "0.36 for seed 1, and 0.72 for seed 2, which is never reached"
    assert later_to_share(fast, slow, share=0.6)[1].tolist() == [[0], [2]]


def test_scores_are_compared_stack_by_stack():
    def scores(**values):
        rows = [{"stack": name[0], "data": name[1:], "qabf": value} for name, value in values.items()]
        return pd.DataFrame(rows)

    first = {1: scores(a_=0.1, b_=0.2, a=0.9), 2: scores(a_=0.3, b_=0.4, a=0.9)}
    second = {2: scores(b_=0.9, a_=0.5), 1: scores(b_=0.3, a_=0.1, a=0.0), 3: scores(a_=1.0)}
    seeds, apart = paired_by_seed(first, second, on_stacks("qabf", data="_"))
    assert seeds == [1, 2]
    assert apart == pytest.approx(np.array([[0.0, 0.1], [0.2, 0.5]])), "in the order of the names"
    lacking = {1: scores(a_=0.1), 2: scores(a_=0.1, b_=0.2)}
    assert np.isnan(paired_by_seed(first, lacking, on_stacks("qabf", data="_"))[1]).tolist() == [[False, True], [False, False]]
    alone = first[1][:2].drop(columns="data")
    assert on_stacks("qabf")(alone).to_dict() == {"a": 0.1, "b": 0.2}, "a study of one kind of data"


def test_stacks_of_one_photograph_are_one_sample():
    scores = pd.DataFrame({"stack": ["cup_blur1", "cup_blur3", "cup_spread", "sea_noisy", "lytro_01"], "qabf": [1, 2, 6, 4, 5]})
    assert on_stacks("qabf")(scores).to_dict() == {"cup": 3, "sea": 4, "lytro_01": 5}


def test_curves_of_a_study_are_those_that_were_recorded(tmp_path, monkeypatch):
    table = pd.DataFrame(
        {"change": ["b", "a", "b", "c"], "seed": [2, 1, 1, 1], "curve": ["curve/b2.csv", "curve/a1.csv", "curve/b1.csv", ""]}
    )
    folder = tmp_path / "recorded" / "studies"
    (folder / "curve").mkdir(parents=True)
    table.to_csv(folder / "overfitting.csv", index=False)
    for name, value in (("b2", 2.0), ("a1", 1.0), ("b1", 3.0)):
        log_of((value, value, value)).to_csv(folder / "curve" / f"{name}.csv", index=False)
    monkeypatch.setattr("mffrepro.training.studies.manifest_folder", lambda: tmp_path)
    found = study_files("overfitting", "curve", "change")
    assert {name: list(logs) for name, logs in found.items()} == {"a": [1], "b": [1, 2]}
    assert found["b"][2]["val_total"].tolist() == [2.0]
    assert list(study_files("overfitting", "curve", "change", "seed")) == [("a", 1), ("b", 1), ("b", 2)]
    pd.concat([table, table[:1]]).to_csv(folder / "overfitting.csv", index=False)
    with pytest.raises(OptionError, match="same in change and seed"):
        study_files("overfitting", "curve", "change")


def test_a_choice_is_tabulated_with_the_interval_of_its_pairs():
    pairs = {"stack": [f"pair {i}" for i in range(6)], "qg": np.arange(6.0)}
    plain, more = pd.DataFrame(pairs), pd.DataFrame(pairs | {"qg": np.arange(6.0) + 0.25})
    shown = choice_table({"": {1: plain, 2: plain}, "more": {1: more}}, ["qg"], caption="gains")
    assert shown.data.to_dict() == {"qg": {"more": "0.25 [0.25, 0.25]"}}
    assert shown.caption == "gains"
    few = {"psnr": [40.0, 30.0, *[np.nan] * 4]}
    shown = choice_table({"": {1: plain.assign(**few)}, "more": {1: more.assign(**few)}}, ["psnr", "qg"], caption="")
    assert shown.data.loc["more", "psnr"] == "0 [0, 0]", "a score that only some stacks have"
    ours, theirs = (pd.concat([table.assign(rule="own"), plain.assign(rule="printed")]) for table in (more, plain))
    by_rule = {f"{rule} rule": on_stacks("qg", rule=rule) for rule in ("own", "printed")}
    shown = choice_table({"": {1: theirs}, "more": {1: ours}}, by_rule, caption="")
    assert shown.data.to_dict() == {"own rule": {"more": "0.25 [0.25, 0.25]"}, "printed rule": {"more": "0 [0, 0]"}}


def test_the_recorded_study_of_over_fitting_has_five_seeds_of_both_kinds():
    found = study_files("overfitting", "curve", "change")
    assert {name: list(logs) for name, logs in found.items()} == {name: [1, 2, 3, 4, 5] for name in transfer.OVERFITTING}
    assert {len(log) for logs in found.values() for log in logs.values()} == {transfer.FEW["epochs"]}


def test_bands_reach_from_the_lowest_run_to_the_highest():
    runs = np.array([[1.0, 4.0], [3.0, 2.0]])
    (axes,) = figures.banded_curves([1, 2], {"a": runs}, xlabel="x", ylabel="y", alt="").figure.axes
    assert axes.lines[0].get_ydata().tolist() == [2, 3]
    low, high = axes.collections[0].get_paths()[0].get_extents().get_points()[:, 1]
    assert (low, high) == (1, 4)
