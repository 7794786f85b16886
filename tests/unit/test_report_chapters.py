"""What the chapters of the papers show alike: trainings, studies, samples, folds, the network of tlcnn and tlcolor."""

import hashlib
import json
import math
import re

import numpy as np
import pandas as pd
import pytest

import mffrepro as mff
from mffrepro.data.checkout import installed_commit
from mffrepro.errors import DataError
from mffrepro.models.transfer import SLIM, TransferNet
from mffrepro.models.weights import card, shipped
from mffrepro.report import tables
from mffrepro.report.fold import fold
from mffrepro.report.provenance import provenance
from mffrepro.report.samples import defocus_samples, patch_row
from mffrepro.report.trainings import (
    epoch_text,
    first_epoch,
    read_study,
    study_origin,
    study_table,
    training_curves,
    training_table,
)
from mffrepro.report.transfer_diagram import layer_flow, network_flow


def test_the_first_epoch_is_counted_from_one():
    assert first_epoch([0.2, 0.5, 0.9, 0.7], 0.5) == 2
    assert first_epoch([0.9], 0.5) == 1
    assert first_epoch([0.2, 0.4], 0.5) == math.inf
    assert first_epoch([0.2, 0.4], 0.5) > first_epoch([0.2, 0.5], 0.5), "a training that never gets there is slower"


@pytest.mark.parametrize("never", [math.inf, math.nan])
def test_an_epoch_beyond_the_training_is_not_printed(never):
    assert epoch_text(first_epoch([0.2, 0.5], 0.5), 5) == 2
    assert epoch_text(never, 5) == "not within 5 epochs"


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
    row = study.iloc[0]
    assert study_origin(study) == (
        f"recorded {row['date']} on {row['device']}, {row['samples']} pairs of {row['data']} per epoch, seed {row['seed']}"
    )


def test_counts_of_a_study_are_whole_numbers():
    page = study_table(read_study("cnn_fuse"), ["accuracy", "epochs to 99 %", "parameters"], caption="Study").to_html()
    cells = re.findall(r">([\d.–]+)</td>", page)
    assert "2" in cells
    assert "–" in cells, "the two networks that never reached 99 %"
    assert not any(re.fullmatch(r"\d+\.0+", cell) and not cell.startswith("1.") for cell in cells)


def test_samples_come_with_their_labels():
    (image, label), *others = defocus_samples("tlcolor", count=3, seed=1)
    assert len(others) == 2
    assert image.shape == (*label.shape, 3)
    assert set(np.unique(label)) <= {0.0, 1.0}
    again = defocus_samples("tlcnn", count=1, seed=1)
    assert np.array_equal(again[0][0], image), "both papers have one recipe"


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
