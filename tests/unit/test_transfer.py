"""tlcnn and tlcolor: layers and shapes against the papers, the transfer, the rule against a brute-force twin, the recipe."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import mffrepro as mff
from mffrepro.data import load_regions
from mffrepro.data.labelled import LabelledImage
from mffrepro.data.synthetic import composite, jpeg
from mffrepro.errors import DataError, OptionError
from mffrepro.images import to_unit
from mffrepro.losses import layer_loss
from mffrepro.methods import load_network
from mffrepro.metrics import qabf
from mffrepro.models import vgg
from mffrepro.models.decision_rule import choose, secondary_maps
from mffrepro.models.transfer import DefocusComparer, TransferNet, count_parameters, freeze_vgg, reflect, transfer
from mffrepro.models.vgg import VGG19, channels, conv_keys
from mffrepro.training.recipes import rebuild, recipe
from mffrepro.training.studies import long_training
from mffrepro.training.transfer import FocusLevels, TransferRecipe, objects

TINY = 1 / 64


@pytest.fixture(scope="module")
def network() -> TransferNet:
    torch.manual_seed(0)
    return TransferNet(width=TINY, vgg_width=TINY).eval()


# ---------------------------------------------------------------------------------------------- shapes and counts


def hed_file(path):
    """A file as HED's, with few channels."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        inputs = 3
        for stage, count in enumerate(vgg.CONVOLUTIONS[16], 1):
            for i in range(count):
                group = file.create_group(f"block{stage}/layers/conv2d{f'_{i}' if i else ''}/vars")
                group["0"], group["1"] = rng.normal(size=(3, 3, inputs, 2)).astype("f4"), rng.normal(size=2).astype("f4")
                inputs = 2
    return path


def test_features_of_edges_are_those_of_the_file_on_its_own_images(tmp_path):
    """The stored network takes blue, green, red of 0 to 255 less a mean; the converted one takes normalised images."""
    h5py = pytest.importorskip("h5py")
    path = hed_file(tmp_path / "hed.h5")
    state = vgg._from_hed(path)
    assert list(state) == [f"{key}.{part}" for keys in conv_keys(16) for key in keys for part in ("weight", "bias")]
    image = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    stored = h5py.File(path)["block1/layers/conv2d/vars"]
    theirs = (255 * image).flip(1) - torch.tensor([104.00699, 116.66877, 122.67892]).view(1, 3, 1, 1)
    kernel = torch.from_numpy(stored["0"][()]).permute(3, 2, 0, 1)
    expected = torch.nn.functional.conv2d(theirs, kernel, torch.from_numpy(stored["1"][()]))
    found = torch.nn.functional.conv2d(vgg.normalise(image), state["features.0.weight"], state["features.0.bias"])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_features_of_edges_are_converted_once(tmp_path, monkeypatch):
    path = hed_file(tmp_path / "hed.h5")
    monkeypatch.setattr(vgg, "weight_file", lambda name: path)
    first = vgg.edges()
    monkeypatch.setattr(vgg, "_from_hed", lambda path: pytest.fail("converted again"))
    assert all(torch.equal(tensor, first[name]) for name, tensor in vgg.edges().items())


def test_a_network_takes_in_a_vgg16_of_its_width_and_no_other_depth():
    network = TransferNet(width=TINY, vgg_width=TINY, depth=16).eval()
    sizes = [block.conv.weight.shape for encoder in network.encoders for block in encoder.vgg]
    source = {}
    for key, size in zip([key for keys in conv_keys(16) for key in keys], sizes, strict=True):
        source |= {f"{key}.weight": torch.randn(size), f"{key}.bias": torch.randn(size[0])}
    transfer(network, source)
    assert torch.equal(network.encoders[4].vgg[2].conv.weight, source["features.28.weight"])
    assert network(torch.rand(1, 3, 32, 32))[-1].shape == (1, 2, 32, 32)
    with pytest.raises(OptionError, match="no VGG-19"):
        transfer(TransferNet(width=TINY, vgg_width=TINY), source)
    with pytest.raises(OptionError, match="depth is 17"):
        TransferNet(depth=17)


def test_the_keys_of_vgg16_are_those_of_torchvision():
    from torchvision.models import vgg16

    with torch.device("meta"):
        names = {name for name in vgg16().state_dict() if name.startswith("features")}
    assert names == {f"{key}.{part}" for keys in conv_keys(16) for key in keys for part in ("weight", "bias")}


@pytest.mark.network
def test_a_full_network_begins_with_the_features_of_edges():
    chosen = replace(recipe("tlcnn", "paper"), depth=16, transfer="edges")
    network = chosen.model()
    first = network.encoders[0].vgg[0].conv.weight
    assert first.shape == (64, 3, 3, 3)
    assert torch.equal(first, vgg.edges()["features.0.weight"])


def test_layers_are_those_of_the_text(network) -> None:
    assert [len(e.vgg) for e in network.encoders] == [2, 2, 4, 4, 4]
    assert [len(e.vgg) + len(e.added) for e in network.encoders] == [7, 7, 9, 9, 9]
    assert [len(d.convs) for d in network.decoders] == [8, 8, 8, 6, 6]


def test_full_width_has_the_parameters_that_the_layers_imply() -> None:
    with torch.device("meta"):
        counts = count_parameters(TransferNet())
    assert counts["transferred"] == 20_024_384  # VGG-19 without its classifier, torchvision's own count
    assert counts["added"] == pytest.approx(27.5e6, rel=2e-3)
    assert counts["decoders"] == pytest.approx(60.2e6, rel=2e-3)


def test_literal_decoders_have_eight_convolutions() -> None:
    assert [len(d.convs) for d in TransferNet(width=TINY, vgg_width=TINY, dec_convs=(8,) * 5).decoders] == [8] * 5
    with pytest.raises(OptionError, match="five counts"):
        TransferNet(dec_convs=(8, 8))


@pytest.mark.parametrize("downsample", ["stride", "avg", "max"])
def test_an_image_of_224_shrinks_to_7_and_comes_back(downsample: str) -> None:
    network = TransferNet(width=TINY, vgg_width=TINY, downsample=downsample, skip="add", vgg_act="relu", bn=False).eval()
    x, sizes = torch.rand(1, 3, 224, 224), []
    with torch.inference_mode():
        for encoder in network.encoders:
            _, x = encoder(x)
            sizes.append(x.shape[-1])
        sides = network(torch.rand(1, 3, 64, 96))
    assert sizes == [112, 56, 28, 14, 7]
    assert [tuple(side.shape) for side in sides] == [(1, 2, 64, 96)] * 5


def test_options_rebuild_the_network(network) -> None:
    TransferNet(**network.options).load_state_dict(network.state_dict())


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 50), st.integers(0, 50))
def test_mirroring_is_that_of_numpy(height: int, width: int, down: int, right: int) -> None:
    image = np.random.default_rng(0).random((1, 1, height, width))
    expected = np.pad(image, ((0, 0), (0, 0), (0, down), (0, right)), mode="reflect")
    np.testing.assert_array_equal(reflect(torch.from_numpy(image), down, right).numpy(), expected)


# ------------------------------------------------------------------------------------------------------- transfer


def torchvision_state(width: float) -> dict[str, torch.Tensor]:
    """A state dict as torchvision's VGG-19 has it, at any width, classifier included."""
    from torchvision.models.vgg import cfgs, make_layers

    scaled = channels(width)
    full = (64, 128, 256, 512, 512)
    stage, plan = 0, []
    for entry in cfgs["E"]:
        plan.append("M" if entry == "M" else scaled[stage])
        assert entry in ("M", full[stage])
        stage += entry == "M"
    state = torch.nn.Sequential()
    state.features = make_layers(plan)
    return dict(state.state_dict()) | {"classifier.0.weight": torch.zeros(1)}


def test_the_convolutions_are_torchvisions(network) -> None:
    torch.manual_seed(7)
    source = torchvision_state(TINY)
    fresh = TransferNet(width=TINY, vgg_width=TINY)
    transfer(fresh, source)
    moved = [block.conv for encoder in fresh.encoders for block in encoder.vgg]
    keys = sorted({key.rsplit(".", 1)[0] for key in source if key.startswith("features")}, key=lambda k: int(k.split(".")[1]))
    assert keys == [key for stage in conv_keys() for key in stage]
    for conv, key in zip(moved, keys, strict=True):
        assert torch.equal(conv.weight, source[f"{key}.weight"])
        assert torch.equal(conv.bias, source[f"{key}.bias"])


def test_another_width_is_refused(network) -> None:
    with pytest.raises(OptionError, match="width is that of vgg_width"):
        transfer(network, torchvision_state(1 / 4))


def test_our_slim_vgg_speaks_torchvisions_names() -> None:
    assert {k for k in VGG19(TINY, 12).state_dict() if k.startswith("features")} == {
        k for k in torchvision_state(TINY) if k.startswith("features")
    }


def test_frozen_convolutions_do_not_move() -> None:
    fresh = recipe("tlcnn", "smoke")
    frozen = replace(fresh, freeze=True).model()
    optimiser = replace(fresh, freeze=True, rate=1e-2).optimiser(frozen)
    before = frozen.encoders[0].vgg[0].conv.weight.clone()
    batch = {name: torch.rand(1, c, 64, 64) for name, c in (("a", 3), ("b", 3))} | {
        "mask": (torch.rand(1, 1, 64, 64) > 0.5).float()
    }
    fresh.losses(frozen, batch)["total"].backward()
    optimiser.step()
    assert torch.equal(frozen.encoders[0].vgg[0].conv.weight, before)
    freeze_vgg(frozen)  # twice changes nothing


# ----------------------------------------------------------------------------------------------------------- loss


def test_loss_by_hand() -> None:
    logits = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    p = 1 / (1 + np.exp(-2.0))
    truth = torch.tensor([[1.0, 1.0], [0.0, 1.0]])[None, None]
    cross = -(3 * np.log(p) + np.log(1 - p)) / 4
    squares = (3 * (1 - p) ** 2 + p**2) / 4
    assert layer_loss([logits], truth).item() == pytest.approx(cross + squares, rel=1e-6)
    assert layer_loss([logits], truth, l2=False).item() == pytest.approx(cross, rel=1e-6)


def test_loss_weighs_the_stages() -> None:
    truth = torch.ones(1, 1, 4, 4)
    good, bad = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    good[:, 1], bad[:, 0] = 3, 3
    one, other = (layer_loss([side], truth).item() for side in (good, bad))
    assert layer_loss([good, bad], truth).item() == pytest.approx((one + other) / 2)
    assert layer_loss([good, bad], truth, weights=(0.6, 0.2)).item() == pytest.approx(0.75 * one + 0.25 * other)
    with pytest.raises(OptionError, match="are the weights of 2 side outputs"):
        layer_loss([good, bad], truth, weights=(1, 1, 1))


def test_loss_has_the_gradient_of_its_differences() -> None:
    sides = [torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    truth = (torch.rand(1, 1, 3, 3) > 0.5).double()
    weights = [0.3, 0.7]

    def value(*stages):  # layer_loss computes in float32, as training does
        terms = [F.cross_entropy(s, truth[:, 0].long()) + (s.softmax(1)[:, 1] - truth[:, 0]).square().mean() for s in stages]
        return sum(w * t for w, t in zip(weights, terms, strict=True))

    layer_loss(sides, truth, weights=weights).backward()
    ours = [side.grad.clone() for side in sides]
    theirs = torch.autograd.grad(value(*sides), sides)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


# ----------------------------------------------------------------------------------------------------------- rule


def brute_force(s1, s2, m1, m2, m3):
    """Apply the rule of tlcnn one pixel at a time (A0.7)."""
    height, width = m1.shape
    f1, f2 = np.empty_like(s1), np.empty_like(s2)
    for i in range(height):
        for j in range(width):
            one, two = int(m1[i, j]), int(m2[i, j])
            agree = int(one == 1 - two) if m3 == "xor" else int(one == 1 and 1 - two == 1)
            m4, m5 = one * agree, two * agree
            f1[i, j] = m4 * s2[i, j] + (1 - m4) * s1[i, j]
            f2[i, j] = m5 * s1[i, j] + (1 - m5) * s2[i, j]
    return f1 if qabf([s1, s2], f1) >= qabf([s1, s2], f2) - 1e-12 else f2, f1, f2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["xor", "literal"]))
def test_rule_against_brute_force(seed: int, m3: str) -> None:
    rng = np.random.default_rng(seed)
    s1, s2 = rng.integers(0, 256, (2, 12, 14)) / 255
    m1, m2 = rng.random((2, 12, 14)) > 0.5
    chosen, f1, f2 = brute_force(s1, s2, m1, m2, m3)
    found = choose(s1, s2, secondary_maps(m1, m2, m3))
    np.testing.assert_array_equal(found.candidates[0], f1)
    np.testing.assert_array_equal(found.candidates[1], f2)
    np.testing.assert_array_equal(found.candidates[found.chosen], chosen)


def test_the_literal_reading_makes_the_second_candidate_the_second_source() -> None:
    rng = np.random.default_rng(1)
    s1, s2 = rng.random((2, 16, 16))
    m1, m2 = rng.random((2, 16, 16)) > 0.5
    literal = secondary_maps(m1, m2, "literal")
    assert not literal.second.any()
    assert np.array_equal(literal.first, secondary_maps(m1, m2).first)
    assert np.array_equal(choose(s1, s2, literal).candidates[1], s2)


def test_complementary_maps_give_one_candidate_and_the_first_wins() -> None:
    rng = np.random.default_rng(2)
    s1, s2 = rng.random((2, 16, 16))
    m1 = rng.random((16, 16)) > 0.5
    found = choose(s1, s2, secondary_maps(m1, ~m1))
    assert np.array_equal(*found.candidates)
    assert found.chosen == 0


def test_unknown_readings_are_named() -> None:
    with pytest.raises(OptionError, match="m3"):
        secondary_maps(np.zeros((2, 2), bool), np.zeros((2, 2), bool), "and")
    with pytest.raises(OptionError, match="select"):
        choose(np.zeros((8, 8)), np.zeros((8, 8)), secondary_maps(*np.zeros((2, 8, 8), bool)), "best")


# ------------------------------------------------------------------------------------------------------- the methods


@pytest.mark.parametrize("method", ["tlcnn", "tlcolor"])
def test_shipped_weights_find_the_focus(method: str) -> None:
    stack = mff.load("embedded", kind="composite", levels=(4,), size=192)[1]
    result = mff.fuse(stack, method)
    assert mff.evaluate(stack, result, ["mask_accuracy"])["mask_accuracy"] > 0.9
    plain = mff.evaluate(stack, mff.fuse(stack, "average"), ["qabf", "psnr"])
    ours = mff.evaluate(stack, result, ["qabf", "psnr"])
    assert ours["qabf"] > plain["qabf"] + 0.1
    for rival in ("lp", "dwt"):
        assert ours["qabf"] > mff.evaluate(stack, mff.fuse(stack, rival), ["qabf"])["qabf"]
    assert ours["psnr"] > plain["psnr"]
    share = result.decision.sum(0)
    assert np.allclose(share, 1)


def test_selection_is_an_option() -> None:
    stack = mff.load("embedded", kind="composite", levels=(2,), size=96)[0]
    scores = {s: mff.evaluate(stack, mff.fuse(stack, "tlcnn", select=s), ["qabf"])["qabf"] for s in ("qabf", "first", "second")}
    assert scores["qabf"] == max(scores.values())


def test_compared_probabilities_leave_no_doubt() -> None:
    stack = mff.load("embedded", kind="composite", levels=(4,), size=128)[1]
    comparer = DefocusComparer(load_network("tlcnn"), select="compare", smoothing=0)
    features = [comparer.extract(image) for image in to_unit(stack.images)]
    share, clearer = comparer.decide(*features)
    sure = (features[0][1] > 0.5) != (features[1][1] > 0.5)
    paper, _ = DefocusComparer(load_network("tlcnn"), select="first").decide(*features)
    np.testing.assert_array_equal(share[sure], paper[sure])
    np.testing.assert_array_equal(share > 0.5, clearer >= 0)


def test_smoothing_removes_single_pixels() -> None:
    comparer = DefocusComparer(load_network("tlcnn.random"), smoothing=2)
    image, p1, p2 = np.zeros((9, 9)), np.full((9, 9), 0.2), np.full((9, 9), 0.6)
    p1[4, 4] = 1.0
    share, _ = comparer.decide((image, p1), (image, p2))
    assert share.all()
    comparer.smoothing = 0
    share, _ = comparer.decide((image, p1), (image, p2))
    assert not share[4, 4]
    assert share.sum() == 80


@pytest.mark.parametrize("wrong", [{"select": "guess"}, {"smoothing": -1.0}, {"smoothing": np.nan}])
def test_wrong_options_of_the_rule_are_named(wrong) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        mff.fuse(np.zeros((2, 16, 16)), "tlcnn", weights="random", **wrong)


def test_resized_for_the_network_and_back() -> None:
    stack = mff.load("embedded", kind="composite", levels=(4,), size=128)[1]
    result = mff.fuse(stack, "tlcnn", size=96)
    assert result.decision.shape == stack.decision.shape


# --------------------------------------------------------------------------------------------------------- the recipe


def test_paper_presets_are_as_printed() -> None:
    for name in ("tlcnn", "tlcolor"):
        paper = recipe(name, "paper")
        assert (paper.rate, paper.decay, paper.epochs, paper.size) == (1e-6, 1e-3, 50, 224)
        assert (paper.samples, paper.validation, paper.photographs) == (9000, 1000, (1800, 200))
        assert (paper.kernels, paper.levels, paper.transfer, paper.width) == ((3,), 5, "imagenet", 1.0)
        with torch.device("meta"):
            groups = paper.optimiser(TransferNet()).param_groups[0]
        assert (groups["lr"], groups["momentum"], groups["weight_decay"]) == (1e-6, 0.9, 1e-3)


def test_the_full_width_recipe_takes_a_step() -> None:
    made = replace(recipe("tlcnn", "paper"), transfer="none", masks="regions", photographs=(), size=64, crop=64, samples=8)
    network = made.model()
    data = made.data(load_regions("embedded"), split="train", seed=1)
    batch = {name: torch.stack([data[i][name] for i in range(2)]) for name in ("a", "b", "mask")}
    first = network.encoders[0].vgg[0].conv.weight
    before = first.detach().clone()
    optimiser = made.optimiser(network)
    loss = made.losses(network, batch)["total"]
    loss.backward()
    optimiser.step()
    assert torch.isfinite(loss)
    assert 0 < (first - before).abs().max() < 1e-4  # a rate of 1e-6


def test_imagenet_that_cannot_be_fetched_is_said(monkeypatch) -> None:
    from torchvision.models import VGG19_Weights

    def refuse(self, *args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(VGG19_Weights, "get_state_dict", refuse)
    with pytest.raises(DataError, match="surrogate"):
        recipe("tlcnn", "paper").model()


def voc_folder(root, count: int):
    """A folder in VOC's layout with one object in each photograph."""
    from PIL import Image

    base = root / "VOCdevkit" / "VOC2012"
    for part in ("JPEGImages", "SegmentationObject", "ImageSets/Segmentation"):
        (base / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = [f"2007_{i:06d}" for i in range(count)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(base / "JPEGImages" / f"{name}.jpg")
        labels = np.zeros((60, 80), np.uint8)
        labels[10:40, 20:60] = 1
        labels[9, 20:60] = 255
        palette = Image.fromarray(labels, "P")
        palette.putpalette([0, 0, 0, 128, 0, 0] + [0] * 762)
        palette.save(base / "SegmentationObject" / f"{name}.png")
    for split, part in (("train", names[: count // 2]), ("val", names[count // 2 :])):
        (base / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(part))
    return root


def test_voc_is_split_by_photograph_and_an_epoch_has_every_level(tmp_path, monkeypatch) -> None:
    drawn = []

    def noted(image, mask, *, size, level):
        drawn.append((image.tobytes(), level))
        return composite(image, mask, size=size, level=level)

    monkeypatch.setattr("mffrepro.training.transfer.composite", noted)
    root = voc_folder(tmp_path, 12)
    regions = {split: load_regions("voc2012", split=split, root=root) for split in ("train", "val")}
    made = replace(recipe("tlcnn", "paper"), photographs=(9, 1), size=64, crop=64, samples=45, validation=5)
    parts = made.split(regions, seed=3)
    assert (len(parts["train"]), len(parts["val"])) == (9, 1)
    assert not {r.name for r in parts["train"]} & {r.name for r in parts["val"]}
    data = made.data(parts["train"], split="train", seed=1)
    samples = [data[i] for i in range(len(data))]
    assert len(set(drawn)) == 45  # nine photographs at five levels each
    assert {level for _, level in drawn} == {1, 2, 3, 4, 5}
    assert sum(s["mask"].mean() for s in samples) / 45 == pytest.approx(30 * 40 / 4800, abs=0.02)
    again = made.data(parts["train"], split="train", seed=1)
    assert torch.equal(again[7]["a"], samples[7]["a"])


def test_smaller_sets_are_split_in_the_same_shares() -> None:
    images = [LabelledImage(str(i), lambda: None, lambda: []) for i in range(30)]
    parts = recipe("tlcnn", "paper").split({"train": images, "val": images[:3]}, seed=1)
    assert (len(parts["train"]), len(parts["val"])) == (27, 3)
    with pytest.raises(OptionError, match="cannot be split"):
        recipe("tlcnn", "paper").split({"train": images[:3]}, seed=1)


def test_photographs_without_objects_are_named() -> None:
    blank = LabelledImage("blank", lambda: None, lambda: [np.zeros((4, 4), np.uint8)])
    with pytest.raises(OptionError, match="masks=regions"):
        objects(blank)


def test_labels_say_what_is_out_of_focus() -> None:
    made = replace(recipe("tlcolor"), augment=False, kernels=(7,), crop=224)
    sample = FocusLevels(load_regions("embedded"), made, length=5, seed=0)[0]
    inside = sample["mask"].bool().expand_as(sample["a"])
    detail = {name: (sample[name] - F.avg_pool2d(sample[name], 3, 1, 1)).abs() for name in ("a", "b")}
    assert detail["a"][inside].mean() > detail["b"][inside].mean()  # a is sharp inside the mask, so its label there is 0
    assert detail["a"][~inside].mean() < detail["b"][~inside].mean()


FLAT = replace(recipe("tlcnn", "practical"), augment=False, noise=0.0, size=64, crop=64)


def test_soft_outlines_mix_what_is_sharp_and_what_is_blurred() -> None:
    """On a made photograph: far from the outline nothing changes, near it both images lie between sharp and blurred."""
    image = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    mask = np.zeros((64, 64), bool)
    mask[:, 32:] = True
    hard, soft = (
        FocusLevels([], replace(FLAT, spread=spread), length=1, seed=0).pair(image, mask, 5, 2, np.random.default_rng(1))
        for spread in (0.0, 2.0)
    )
    np.testing.assert_allclose(soft[:, :, :20], hard[:, :, :20], atol=1e-6)
    np.testing.assert_allclose(soft[:, :, 44:], hard[:, :, 44:], atol=1e-6)
    assert np.abs(soft - hard)[:, :, 30:34].max() > 0.05
    np.testing.assert_allclose(soft.sum(0), hard.sum(0), atol=1e-6)


def test_discs_blur_as_a_lens_does() -> None:
    """A point becomes a disc of one value, which no Gaussian makes."""
    image = np.zeros((64, 64, 3), np.float32)
    image[32, 32] = 1
    near, far = FocusLevels([], replace(FLAT, disc=1.0), length=1, seed=0).pair(
        image, np.zeros((64, 64), bool), 5, 2, np.random.default_rng(5)
    )
    np.testing.assert_array_equal(far, image)
    centre = near[31:34, 31:34, 0]
    assert near.sum() == pytest.approx(3, abs=1e-3)
    assert np.ptp(centre) < 1e-4 < centre.min() < 0.5


def test_pairs_are_compressed_as_jpeg() -> None:
    photographs = load_regions("embedded")
    plain, small = (FocusLevels(photographs, replace(FLAT, quality=q), length=3, seed=0)[1] for q in (100, 60))
    error = (plain["a"] - small["a"]).abs()
    assert 0.002 < error.mean() < 0.05
    assert torch.equal(plain["mask"], small["mask"])
    red = np.zeros((16, 16, 3), np.float32)
    red[..., 0] = 1
    assert jpeg(red, 95)[8, 8] == pytest.approx((1, 0, 0), abs=0.02)


def test_adapted_statistics_are_those_of_the_photographs() -> None:
    """The first layer sees the normalised image: its mean over both images is what the first normalisation keeps."""
    network = TransferNet(width=1 / 16, vgg_width=1 / 16)
    stack = SimpleNamespace(images=mff.load("embedded", size=64)["coffee_blur3"].images[:, :32])  # sides that need no padding
    block = network.encoders[0].vgg[0]
    with torch.no_grad():
        wanted = torch.stack(
            [block.conv(vgg.normalise(torch.from_numpy(x).permute(2, 0, 1)[None])).mean((0, 2, 3)) for x in to_unit(stack.images)]
        ).mean(0)
    adapted = long_training.adapt(network, [stack], "cpu")
    assert not adapted.training
    torch.testing.assert_close(adapted.encoders[0].vgg[0].norm.running_mean, wanted)


def test_cards_rebuild_their_recipes() -> None:
    made = recipe("tlcolor", "compare_bn")
    assert rebuild(json.loads(json.dumps(asdict(made)))) == made


def test_bad_recipes_are_refused() -> None:
    for wrong in ({"crop": 100}, {"batch": 0}, {"batch": 10_000}):
        with pytest.raises(OptionError):
            replace(TransferRecipe(name="tlcnn"), **wrong)
