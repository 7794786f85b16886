"""Test what only a GPU can show: it gives what the CPU gives, in little memory too, and trains and resumes at every precision."""

import numpy as np
import pytest
import torch

import mffrepro as mff
from mffrepro import methods
from mffrepro.data import load_regions
from mffrepro.training import recipes
from mffrepro.training.gacn import GacnRecipe
from mffrepro.training.trainer import read_log, train

pytestmark = pytest.mark.gpu
#: Methods without training that fit to the stack in many steps -> options with which they are quick.
QUICK = {"mff_ssim": {"iterations": 5}, "zmff": {"steps": (1, 0)}}
NETWORKS = [card.name for card in methods.CARDS.values() if card.kind == "network"]
RECIPE = GacnRecipe(epochs=3, samples=8, batch=4, size=64, crop=48, validation=4, slope_start=10.0, slope_epochs=1)


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Multiply in float32 as the CPU does."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture(scope="module")
def pair():
    return mff.load("embedded")["coffee_blur3"].images[:, :96, :120]


@pytest.mark.parametrize("name", [*NETWORKS, *QUICK])
def test_a_gpu_gives_what_the_cpu_gives(name, pair):
    cpu, gpu = (mff.fuse(pair, name, device=where, **QUICK.get(name, {})).image.astype(int) for where in ("cpu", "cuda"))
    assert (np.abs(cpu - gpu) > 1).mean() < 1e-3


@pytest.mark.parametrize("name", ["gacn", "ifcnn", "tlcnn"])
def test_many_images_give_what_the_cpu_gives(name):
    stack = mff.load("embedded", size=128)["coffee_blur3"].images
    frames = np.stack([stack[0], stack[1], stack[0][::-1]])
    cpu, gpu = (mff.fuse(frames, name, device=where).image.astype(int) for where in ("cpu", "cuda"))
    assert (np.abs(cpu - gpu) > 1).mean() < 1e-3


def test_with_little_memory_it_fuses_to_the_same_and_says_so():
    """The limit is the framework's own; the feature maps of one strip on the GPU do not fit below it."""
    large = np.tile(mff.load("embedded")["coffee_blur3"].images, (1, 3, 3, 1))[:, :1500, :1500]
    plain = mff.fuse(large, "ifcnn", device="cpu").image.astype(int)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 2**30) / whole)
    try:
        with pytest.warns(UserWarning, match="smaller strips|fused on the CPU"):
            found = mff.fuse(large, "ifcnn", device="cuda").image.astype(int)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    assert (np.abs(found - plain) > 1).mean() < 1e-3


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_training_that_was_stopped_goes_on_at_every_precision(precision, tmp_path):
    regions = load_regions("embedded")[:3]
    data = {"train": regions, "val": regions[:1]}

    def kill(rows):
        if len(rows) == 2:
            raise Killed

    train(RECIPE, data, tmp_path / "whole", device="cuda", precision=precision)
    with pytest.raises(Killed):
        train(RECIPE, data, tmp_path / "cut", device="cuda", precision=precision, on_epoch=kill)
    train(RECIPE, data, tmp_path / "cut", device="cuda", precision=precision, resume=True)
    whole, cut = (read_log(tmp_path / run / "log.csv") for run in ("whole", "cut"))
    assert [row["epoch"] for row in cut] == [1, 2, 3]
    for name in ("train_total", "val_total"):  # sums on a GPU come in another order each time
        assert [row[name] for row in cut] == pytest.approx([row[name] for row in whole], rel=0.02)


@pytest.mark.parametrize("name", [name for name in recipes.RECIPES if name != "dictionaries"])
def test_each_recipe_trains(name, tmp_path):
    recipe = recipes.recipe(name, "smoke")
    regions = load_regions("embedded")
    data = {"train": regions, "val": regions}
    if hasattr(recipe, "split"):
        data = recipe.split(data, 1)
    train(recipe, data, tmp_path / "run", device="cuda")
    log = read_log(tmp_path / "run" / "log.csv")
    assert len(log) == recipe.epochs
    assert all(np.isfinite(row["val_total"]) for row in log)
