"""The deep baselines: layouts, rules and colour against closed forms and other programs; strips give the same pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity
from skimage.morphology import remove_small_objects

import mffrepro as mff
from mffrepro import tiling
from mffrepro.fusion.guided import guided_filter
from mffrepro.fusion.regions import fill_holes
from mffrepro.methods import load_network
from mffrepro.models import densefuse, drpl, fusiondn, ifcnn, layers, luma, mff_gan, mff_ssim, pmgi, sesf, u2fusion

PARAMETERS = {
    sesf.SESF: 74_803,
    ifcnn.IFCNN: 83_587,
    densefuse.DenseFuse: 74_193,
    mff_gan.MFFGAN: 40_033,
    pmgi.PMGI: 42_017,
    u2fusion.U2Fusion: 659_217,
}
#: Networks for pairs of one channel, with half a width where that is an option.
PAIRWISE = {
    "u2fusion": lambda: u2fusion.U2Fusion(width=11),
    "fusiondn": lambda: fusiondn.FusionDN(width=12),
    "mff_gan": mff_gan.MFFGAN,
    "pmgi": pmgi.PMGI,
    "drpl": lambda: drpl.DRPL(width=8),
}


def images(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def batch(seed: int, channels: int = 1, height: int = 70, width: int = 37) -> torch.Tensor:
    return torch.from_numpy(images(seed, 1, channels, height, width))


# ------------------------------------------------------------------------------------------------- layouts


@pytest.mark.parametrize("kind", PARAMETERS)
def test_parameters_are_those_of_the_published_files(kind) -> None:
    assert sum(p.numel() for p in kind().parameters()) == PARAMETERS[kind]


def test_densefuse_for_colour_has_the_parameters_of_its_file() -> None:
    assert sum(p.numel() for p in densefuse.DenseFuse(channels=3).parameters()) == 74_771


@pytest.mark.parametrize("name", [*PAIRWISE, "ifcnn", "densefuse"])
def test_strips_give_what_the_whole_image_gives(name: str, monkeypatch) -> None:
    """The reach that each network states is enough: a row too few would show at the seams."""
    torch.manual_seed(3)
    channels = 3 if name == "ifcnn" else 1
    network = (PAIRWISE | {"ifcnn": ifcnn.IFCNN, "densefuse": densefuse.DenseFuse})[name]().eval()
    pair = [batch(seed, channels, 320 if name == "drpl" else 150) for seed in (1, 2)]
    function = network.share if name == "drpl" else network
    with torch.inference_mode():
        whole = function(*pair)
    monkeypatch.setitem(tiling.NETWORK_PIXELS, "cpu", 1)
    monkeypatch.setattr(tiling, "HALO_RATIO", 2)
    assert len(list(tiling.strips(*whole.shape[-2:], 37 * network.reach, network.reach))) > 2
    torch.testing.assert_close(tiling.map_network(function, pair, network.reach), whole, atol=2e-5, rtol=0)


def test_ifcnn_takes_any_number_in_any_order() -> None:
    stack = images(0, 3, 24, 31, 3)
    fused = mff.fuse(stack, "ifcnn", weights="random").image
    np.testing.assert_allclose(mff.fuse(stack[[2, 0, 1]], "ifcnn", weights="random").image, fused, atol=1e-6)


@pytest.mark.parametrize(("rule", "expected"), [("max", 3.0), ("sum", 6.0), ("mean", 2.0)])
def test_rules_of_ifcnn(rule: str, expected: float) -> None:
    features = [torch.full((1, 2, 3, 3), value) for value in (1.0, 2.0, 3.0)]
    assert torch.equal(ifcnn.join(features, rule), torch.full((1, 2, 3, 3), expected))


def test_l1_strategy_of_densefuse_is_the_sum_written_out() -> None:
    codes = [batch(seed, 4, 6, 5).double() for seed in (1, 2)]
    got = densefuse.join(codes, "l1")[0].numpy()
    plain = [code[0].numpy() for code in codes]
    for i, j in np.ndindex(6, 5):
        window = np.s_[:, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
        activity = [np.abs(p[window]).sum(0).mean() for p in plain]
        expected = sum(a * p[:, i, j] for a, p in zip(activity, plain, strict=True)) / sum(activity)
        np.testing.assert_allclose(got[:, i, j], expected)


def test_codes_without_activity_are_nothing_to_divide_by() -> None:
    assert torch.equal(densefuse.join([torch.zeros(1, 2, 4, 4)] * 2, "l1"), torch.zeros(1, 2, 4, 4))


def test_dense_connections_join_at_either_end() -> None:
    block = torch.nn.Conv2d(1, 1, 1)
    x = batch(0)
    new = block(x)
    assert torch.equal(layers.Grow([block])(x), torch.cat([x, new], 1))
    assert torch.equal(layers.Grow([block], newest_first=True)(x), torch.cat([new, x], 1))


def test_drpl_does_not_ask_for_the_order() -> None:
    torch.manual_seed(0)
    network = drpl.DRPL(width=8).eval()
    a, b = batch(1), batch(2)
    torch.testing.assert_close(network.share(a, b) + network.share(b, a), torch.ones_like(a))


@pytest.mark.parametrize("module", [pmgi, fusiondn])
def test_statistics_of_the_image(module) -> None:
    """Whatever is fused, every map of the first layer has mean 0 and variance 1 before its activation."""
    network = layers.with_image_statistics(load_network(f"{module.__name__.split('.')[-1]}.random", device="cpu"), affine=False)
    layer, inputs = (network.near["layer1"], 3) if module is pmgi else (network.conv1, 2)
    with torch.inference_mode():
        maps = layer.norm(layer.conv(9 * batch(1, inputs)))
    torch.testing.assert_close(maps.mean((2, 3)), torch.zeros(maps.shape[:2]), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.var((2, 3), correction=0), torch.ones(maps.shape[:2]), atol=1e-2, rtol=0)


# -------------------------------------------------------------------------------------------------- colour


def test_luma_has_the_published_weights() -> None:
    np.testing.assert_allclose(luma.ycbcr_matrix("full")[0], [0.299, 0.587, 0.114])
    video = [[0.257, 0.504, 0.098], [-0.148, -0.291, 0.439], [0.439, -0.368, -0.071]]  # three digits, as programs print them
    np.testing.assert_allclose(luma.ycbcr_matrix("video"), video, atol=5e-4)


@pytest.mark.parametrize("levels", ["full", "video"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_equal_colour_images_come_back_through_luma(levels: str, seed: int) -> None:
    image = images(seed, 9, 8, 3)
    stack = mff.images.FocusStack("same", np.stack([image] * 3))
    fused = luma.through_luma(stack, lambda lumas: lumas[0], levels=levels)
    np.testing.assert_allclose(fused, image, atol=2e-6)


def test_chroma_counts_by_its_distance_from_gray() -> None:
    gray, red = np.full((2, 2, 3), 0.4, np.float32), np.zeros((2, 2, 3), np.float32)
    red[..., 0] = 0.8
    stack = mff.images.FocusStack("pair", np.stack([gray, red]))
    fused = luma.through_luma(stack, lambda lumas: lumas[1])
    np.testing.assert_allclose(fused, red, atol=1e-6)  # gray has no say in the colour


def test_rounding_every_term_of_luma_is_what_eight_bit_programs_do() -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    seen = []
    stack = mff.images.FocusStack("one", np.stack([image, image]))
    luma.through_luma(stack, lambda lumas: seen.extend(lumas) or lumas[0], levels="video", in_bytes=True)
    assert 255 * seen[0][0, 0] == pytest.approx(round(2.57) + round(10.08) + round(2.94) + 16)


def test_cutting_off_keeps_whole_numbers() -> None:
    levels = np.arange(256)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(np.round(255 * layers.truncated((levels / 255).astype(dtype))), levels)
    np.testing.assert_array_equal(layers.truncated(np.array([-0.1, 0.9999, 1.2])), [0, 254 / 255, 1])


def test_stretching() -> None:
    np.testing.assert_allclose(layers.stretched(np.array([0.2, 0.3, 0.4])), [0, 0.5, 1])
    assert (layers.stretched(np.full((2, 2), 0.3)) == 0).all()


# ---------------------------------------------------------------------------------------------------- SESF


@given(seed=st.integers(0, 2**32 - 1), smallest=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_filling_holes_is_that_of_scikit_image(seed: int, smallest: int) -> None:
    """Removing small objects of the inverse is the same; its newest argument counts "up to", which is one less."""
    mask = np.random.default_rng(seed).random((23, 31)) < 0.6
    expected = ~remove_small_objects(~mask, max_size=smallest - 1, connectivity=1)
    np.testing.assert_array_equal(fill_holes(mask, smallest), expected)


def test_verification_removes_islands_of_both_kinds() -> None:
    decision = np.zeros((120, 120), bool)
    decision[:, :60] = True
    clean = decision.copy()
    decision[20:26, 20:26] = False  # 36 pixels of 14400: under a hundredth
    decision[80:86, 90:96] = True
    np.testing.assert_array_equal(sesf.verify(decision), clean)


def test_published_smoothing_of_one_channel_is_the_guided_filter_on_255() -> None:
    decision, guide = (images(0, 30, 40) > 0.5).astype(np.float64), images(1, 30, 40).astype(np.float64)
    expected = guided_filter(255 * guide, decision, radius=sesf.GUIDED_RADIUS, eps=sesf.GUIDED_EPS)
    np.testing.assert_allclose(sesf.smooth_as_published(decision, guide), expected, atol=1e-9)


def test_ties_of_sesf_go_to_the_second() -> None:
    flat = np.full((20, 20), 0.5)
    decision = mff.fuse([flat, flat], "sesf", weights="random", post_processing="none").decision
    assert (decision[0] == 0).all()


def test_published_decisions_leave_the_range_and_still_sum_to_one() -> None:
    stack = mff.load("embedded")["coffee_blur3"].images[:, :96, :96]
    decision = mff.fuse(stack, "sesf", weights="random", as_published=True).decision
    np.testing.assert_allclose(decision.sum(0), 1, atol=1e-5)


def test_activity_of_sesf_is_summed_over_maps_and_window() -> None:
    maps = batch(0, 3, 14, 15).double()
    got = sesf.SESF().activity(maps)[0, 0].numpy()
    plain = np.pad(maps[0].numpy(), ((0, 0), (1, 0), (1, 0)))
    squares = ((plain[:, 1:, 1:] - plain[:, 1:, :-1]) ** 2 + (plain[:, 1:, 1:] - plain[:, :-1, 1:]) ** 2).sum(0)
    padded = np.pad(squares, 5)
    expected = [[padded[i : i + 11, j : j + 11].sum() for j in range(15)] for i in range(14)]
    np.testing.assert_allclose(got, expected)


# ------------------------------------------------------------------------------------------------ MFF-SSIM


def test_the_objective_is_structural_similarity() -> None:
    """With one source for all pixels, against scikit-image, whose border is mirrored in the other way: inner pixels."""
    a, f = images(1, 40, 40).astype(np.float64), images(2, 40, 40).astype(np.float64)
    tensors = [torch.from_numpy(x)[None, None].float() for x in (a, f)]
    winner = torch.zeros(40, 40, dtype=torch.long)
    objective = mff_ssim.Objective([tensors[0], tensors[1]], winner, 11)
    _, full = structural_similarity(a, f, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, full=True)
    inner = np.s_[..., 12:-12, 12:-12]
    assert float(objective.quality(tensors[1])[inner].mean()) == pytest.approx(full[inner].mean(), abs=1e-5)


def test_the_slope_of_the_objective_is_its_difference() -> None:
    sources = [batch(seed, 2, 12, 13) for seed in (1, 2)]
    objective = mff_ssim.Objective(sources, (batch(5, 1, 12, 13)[0, 0] > 0.5).long(), 7)
    fused = batch(3, 2, 12, 13).requires_grad_()
    objective(fused).backward()
    rng = np.random.default_rng(0)
    for _ in range(4):
        direction = torch.from_numpy(rng.standard_normal(fused.shape).astype(np.float32))
        with torch.no_grad():
            gain = (objective(fused + 5e-3 * direction) - objective(fused - 5e-3 * direction)) / 1e-2
        assert float((fused.grad * direction).sum()) == pytest.approx(float(gain), rel=0.03, abs=2e-4)


def test_climbing_climbs() -> None:
    near = mff.load("embedded")["coffee_blur3"].images[:, 40:104, 40:104].astype(np.float32) / 255
    sources = [layers.to_tensor(image, torch.device("cpu")) for image in near]
    objective = mff_ssim.Objective(sources, torch.from_numpy(mff_ssim.focus_map(near, 5)), 5)
    _, values = mff_ssim.climb(objective, sum(sources) / 2, iterations=15, rate=5e-3)
    assert values[-1] > values[0]
    assert sum(np.diff(values) > 0) >= 12


@pytest.mark.parametrize(("size", "side"), [((520, 520), 13), ((64, 64), 3), ((2, 9000), 3), ((1000, 1000), 51)])
def test_the_window_grows_with_the_image(size, side: int) -> None:
    assert mff_ssim.window_side(*size) == side


# -------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("ifcnn", {"weights": "published.maximum"}, "no weights of ifcnn 'published.maximum'"),
        ("densefuse", {"fusion": "l2"}, "no fusion of densefuse 'l2'"),
        ("densefuse", {"weights": "published.hsv"}, "no weights of densefuse 'published.hsv'"),
        ("mff_gan", {"weights": "published.whu"}, "no weights of mff_gan 'published.whu'; did you mean 'published.mfi_whu'"),
        ("pmgi", {"statistics": "batch"}, "no statistics of pmgi 'batch'"),
        ("fusiondn", {"statistics": "batch"}, "no statistics of fusiondn 'batch'"),
        ("sesf", {"post_processing": "some"}, "no post_processing of sesf 'some'"),
        ("mff_ssim", {"iterations": 0}, "iterations is 0"),
        ("fusiondn", {"weights": "published"}, "the authors of fusiondn publish no weights"),
        ("drpl", {"weights": "published"}, "the authors of drpl publish no weights"),
    ],
)
def test_wrong_options_are_answered(method: str, options: dict, message: str) -> None:
    with pytest.raises(mff.OptionError, match=message):
        mff.fuse(images(0, 2, 24, 24), method, **options)
