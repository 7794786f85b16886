"""What ships with the package: every network's weights fit their card, and their card can be trained again."""

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import mffrepro as mff
from mffrepro.data.manifests import manifest
from mffrepro.methods import CARDS
from mffrepro.models.weights import card, read_safetensors, shipped
from mffrepro.training.recipes import rebuild

FOLDER = Path(str(resources.files("mffrepro"))) / "weights"
NETWORKS = sorted(path.stem for path in FOLDER.glob("*.safetensors") if not path.stem.startswith("dictionaries"))


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_those_of_their_card(name: str) -> None:
    made = card(name)
    assert made["name"] == name
    assert hashlib.sha256(shipped(name).read_bytes()).hexdigest() == made["sha256"]
    assert {"data", "seed", "device", "date", "seconds", "licence", "log"} <= made.keys()
    assert made["best_epoch"] == min(made["log"], key=lambda row: row["val_total"])["epoch"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_recipe_on_the_card_makes_a_network_that_takes_them(name: str) -> None:
    state, options = read_safetensors(shipped(name))
    fields = card(name)["recipe"]
    network = rebuild(fields | {"transfer": "none"} if "transfer" in fields else fields).model()
    network = getattr(network, "generator", network)  # of an adversarial training only that part fuses, and ships
    network.load_state_dict(state)
    assert json.loads(json.dumps(network.options)) == options
    assert sum(p.numel() for p in network.parameters()) == card(name)["parameters"]


EXTRA = [f"{card.name}.{name}" for card in CARDS.values() for name in card.extra_weights if "published" not in name]


@pytest.mark.parametrize("name", EXTRA)
def test_weights_asked_for_by_name_are_those_that_fuse(name: str) -> None:
    sources = np.random.default_rng(0).random((2, 40, 40, 3), np.float32)
    method, _, state = name.partition(".")
    images = [mff.fuse(sources, method, weights=weights).image for weights in (state, str(shipped(name)))]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(images[0], mff.fuse(sources, name).image)


def test_all_weights_that_a_card_promises_are_there() -> None:
    promised = {f"{c.name}.{name}" for c in CARDS.values() for name in (*c.weights, *c.extra_weights)}
    assert {name for name in promised if ".published" not in name and not name.endswith(".random")} <= set(NETWORKS)


def test_all_published_weights_that_a_card_promises_are_in_the_manifest() -> None:
    described = {
        entry.name.removesuffix(".index").removesuffix(".data")
        for entry in manifest("networks").files
        if ".published" in entry.name
    }
    promised = {f"{c.name}.{name}" for c in CARDS.values() for name in (*c.weights, *c.extra_weights)}
    assert {name for name in promised if ".published" in name} == described
