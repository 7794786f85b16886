"""What ships with the package: every network's weights fit their card, and their card can be trained again."""

import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import mffrepro as mff
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


@pytest.mark.parametrize("name", [f"{c.name}.{state}" for c in CARDS.values() for state in c.ablations])
def test_a_state_asked_for_by_name_is_the_one_that_fuses(name: str) -> None:
    sources = np.random.default_rng(0).random((2, 40, 40, 3), np.float32)
    method, _, state = name.partition(".")
    images = [mff.fuse(sources, method, weights=weights).image for weights in (state, str(shipped(name)))]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(images[0], mff.fuse(sources, name).image)


def test_every_state_that_a_card_promises_is_there() -> None:
    promised = {f"{c.name}.{state}" for c in CARDS.values() for state in (*c.weights, *c.ablations)}
    shipped_states = {name for name in promised if not name.endswith((".published", ".random"))}
    assert shipped_states <= set(NETWORKS)
