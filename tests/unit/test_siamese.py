"""The patch classifiers: layout, scores of images against scores of patches, focus maps, decisions, bands, converted weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

import mffrepro as mff
from mffrepro.errors import DataError, OptionError
from mffrepro.methods import load_network
from mffrepro.models import cnn_fuse, cnnwt, icacs18, siamese
from mffrepro.models.cnn_fuse import CnnFuse
from mffrepro.models.icacs18 import Icacs18

METHODS = ("icacs18", "cnn_fuse", "cnnwt")
OPTIONS = [(name, {}) for name in METHODS] + [("cnnwt", {"weights": "dtcwt"})]
SMALL = {
    "icacs18": lambda **options: Icacs18(width=0.1, **options).eval(),
    "cnn_fuse": lambda **options: CnnFuse(width=0.1, hidden=5, **options).eval(),
}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def network(name: str, **options) -> siamese.Siamese:
    torch.manual_seed(1)
    return SMALL[name](**options)


# --------------------------------------------------------------------------------------------------- the layout


def test_full_width_has_the_layers_of_the_papers() -> None:
    """icacs18: 2 048 joint features to 256, 128 and 2. cnn_fuse: 512 x 8 x 8 features to 256 and 2 (A2.15, A3.4)."""
    maps = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256)]
    dense = [(2 * 256 * 2 * 2, 256), (256, 128), (128, 2)]
    expected = sum(9 * a * b + b for a, b in maps) + sum(a * b + b for a, b in dense)
    assert sum(p.numel() for p in Icacs18().parameters()) == expected == 1_111_874
    maps, dense = [(1, 64), (64, 128), (128, 256)], [(512 * 8 * 8, 256), (256, 2)]
    expected = sum(9 * a * b + b for a, b in maps) + sum(a * b + b for a, b in dense)
    assert sum(p.numel() for p in CnnFuse().parameters()) == expected == 8_759_042


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("patch", [8, 16, 32])
def test_a_pair_of_patches_gives_one_score(name: str, patch: int) -> None:
    for border in ("context", "zeros"):
        net = network(name, patch=patch, border=border)
        pair = torch.rand(2, 3, 1, patch + 2 * net.halo, patch + 2 * net.halo)
        assert net(*pair).shape == (3, 2, 1, 1)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(16, 60), width=st.integers(16, 60))
def test_score_map_has_the_printed_size(height: int, width: int) -> None:
    net = network("cnn_fuse")
    features = siamese.image_features(net, noise(height, width))
    scores = siamese.first_sharper(net, features, features)
    assert scores.shape == (-(-height // 2) - 8 + 1, -(-width // 2) - 8 + 1)


def test_diagram_shows_the_shapes_of_one_patch() -> None:
    """Branches end at 2x2 and 8x8 for a patch, whatever is cut out around it."""
    from mffrepro.report.diagram import classifier_boxes

    for net, ends, last in ((Icacs18(), "256 × 2 × 2", "512 × 2 × 2"), (CnnFuse(border="zeros"), "256 × 8 × 8", "512 × 8 × 8")):
        branch, head = classifier_boxes(net)
        assert len(branch) == 1 + len(net.plan)
        assert (branch[-1][1], head[0][1], head[-1][1]) == (ends, last, "2 × 1 × 1")


def test_linear_layers_multiply_out_to_the_same_outputs() -> None:
    net = network("cnn_fuse")
    pair = torch.rand(2, 4, 1, 24, 24)
    with torch.no_grad():
        merged, apart = net(*pair), net.train()(*pair)
    assert torch.allclose(merged, apart, atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_fully_connected_layer_of_one_patch_is_a_convolution(layout: torch.memory_format) -> None:
    x, weight = torch.randn(3, 6, 4, 4), torch.randn(5, 6, 4, 4)
    x, weight = (part.to(memory_format=layout).requires_grad_() for part in (x, weight))
    bias, direction = torch.randn(5), torch.randn(3, 5, 1, 1)
    found, wanted = siamese._fully_connected(x, weight, bias, 1), torch.nn.functional.conv2d(x, weight, bias)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    gradients = (torch.autograd.grad(outputs, (x, weight), direction) for outputs in (found, wanted))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_zero_biases_and_glorot_s_limits_at_the_start() -> None:
    for layer in (m for m in Icacs18(width=0.5).modules() if isinstance(m, torch.nn.Conv2d)):
        fans = sum(torch.nn.init._calculate_fan_in_and_fan_out(layer.weight))
        assert not layer.bias.any()
        assert layer.weight.abs().max() <= (6 / fans) ** 0.5
        assert layer.weight.std().item() == pytest.approx((2 / fans) ** 0.5, rel=0.2)


# ------------------------------------------------------------------------------------- images against patches


@pytest.mark.parametrize(("name", "options"), [("icacs18", {}), ("icacs18", {"pool": "avg"}), ("cnn_fuse", {})])
@pytest.mark.parametrize("closer", [1, 2, 4, 8])
def test_an_image_gets_the_scores_of_its_patches(name: str, options: dict, closer: int, monkeypatch) -> None:
    """Also with patches closer than the stride, which is what shifting the image and stitching the scores gives."""
    net = network(name, **options)
    step = max(1, net.stride // closer)
    first, second = noise(35, 42), noise(35, 42, seed=1)
    monkeypatch.setattr(siamese, "STRIP_PIXELS", 1)  # as many strips as there can be
    maps = [siamese.image_features(net, image, step) for image in (first, second)]
    dense = siamese.first_sharper(net, *maps, step)
    np.testing.assert_allclose(dense, siamese.patch_scores(net, first, second, step=step), atol=1e-5)
    assert np.ptp(dense) > 1e-3


@pytest.mark.parametrize("name", SMALL)
def test_strips_change_nothing_where_convolutions_pad_with_zeros(name: str, monkeypatch) -> None:
    net, image = network(name, border="zeros"), noise(83, 40)
    whole = net.features(torch.from_numpy(siamese.pad_for_scores(image, net))[None])
    monkeypatch.setattr(siamese, "STRIP_PIXELS", 1)
    assert torch.allclose(siamese.image_features(net, image), whole, atol=1e-6)


def test_with_zeros_around_a_patch_the_scores_are_not_those_of_the_image() -> None:
    net = network("cnn_fuse", border="zeros")
    first, second = noise(40, 40), noise(40, 40, seed=1)
    maps = [siamese.image_features(net, image) for image in (first, second)]
    apart = np.abs(siamese.first_sharper(net, *maps) - siamese.patch_scores(net, first, second, step=2))
    assert apart.max() > 1e-3


def test_steps_that_do_not_exist_are_refused() -> None:
    with pytest.raises(OptionError, match="dense is 3; patches can be 1, 2 pixels apart"):
        mff.fuse(list(noise(2, 40, 40)), "cnn_fuse", weights="random", dense=3)


# --------------------------------------------------------------------------------------------------- focus maps


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(16, 45), width=st.integers(16, 45), seed=st.integers(0, 99),
    layout=st.sampled_from([(16, 2), (16, 8), (8, 8), (32, 4)]),
)  # fmt: skip
def test_focus_map_is_the_mean_over_all_patches_of_a_pixel(height: int, width: int, seed: int, layout: tuple) -> None:
    patch, step = layout
    rows, columns = (max(1, (-(-side // step) * step - patch) // step + 1) for side in (height, width))
    scores = noise(rows, columns, seed=seed)
    shape = min(height, (rows - 1) * step + patch), min(width, (columns - 1) * step + patch)
    total, count = np.zeros((2, *shape))
    for i in range(rows):
        for j in range(columns):
            covered = np.s_[i * step : i * step + patch, j * step : j * step + patch]
            total[covered] += scores[i, j]
            count[covered] += 1
    np.testing.assert_allclose(siamese.focus_map(scores, shape, patch=patch, step=step), total / count, atol=1e-6)


def test_asking_in_both_orders_does_not_ask_for_the_order() -> None:
    comparer = icacs18.comparer(network("icacs18"))
    features = [comparer.extract(noise(40, 50, seed=i)) for i in range(2)]
    np.testing.assert_allclose(comparer.focus(*features) + comparer.focus(*reversed(features)), 1, atol=1e-6)


# ---------------------------------------------------------------------------------------------------- decisions

FOCUS = np.zeros((40, 40), np.float32)
FOCUS[:, 20:] = 1
FOCUS[2:4, 2:4] = 1  # an island of the first image: 4 pixels
FOCUS[5:11, 30:36] = 0  # holes of the second image: 36 pixels, 2.25 % ...
FOCUS[20, 30] = 0  # ... and one


def test_regions_of_the_second_image_are_cancelled_as_asked() -> None:
    plain = {"dilate": 0}
    printed = icacs18.final_decision(FOCUS, cancel=1, **plain)
    assert printed[:, 20:].all()  # all but its largest region
    assert printed[2:4, 2:4].all()  # the other polarity is left
    ours = icacs18.final_decision(FOCUS, **plain)
    assert not ours[5:11, 30:36].any()
    assert ours[20, 30] == 1
    np.testing.assert_array_equal(icacs18.final_decision(FOCUS, cancel=0, **plain), FOCUS)
    assert not icacs18.final_decision(FOCUS, symmetric=True, **plain)[2:4, 2:4].any()


def test_dilation_adds_one_pixel_to_the_region_of_the_first_image() -> None:
    before, after = (icacs18.final_decision(FOCUS, dilate=radius) for radius in (0, 1))
    assert (after >= before).all()
    assert after[30, 19] == 1
    assert after[30, 18] == 0


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_focus_map_of_one_image_stays(level: float) -> None:
    flat = np.full((20, 20), level, np.float32)
    np.testing.assert_array_equal(icacs18.final_decision(flat), flat)
    np.testing.assert_array_equal(cnn_fuse.segment(flat), flat > 0)


def test_small_regions_of_either_image_change_sides() -> None:
    initial = cnn_fuse.segment(FOCUS, smallest=0.01)
    assert not initial[2:4, 2:4].any()
    assert initial[20, 30]
    assert not initial[5:11, 30:36].any()
    assert initial[5:11, 30:36].size >= 0.01 * FOCUS.size


def test_one_half_is_not_over_the_threshold() -> None:
    assert not cnn_fuse.segment(np.full((20, 20), 0.5)).any()  # A3.12


# -------------------------------------------------------------------------------------------------------- bands


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(31, 50), width=st.integers(31, 50), colour=st.booleans(), transform=st.sampled_from(["dwt", "dtcwt"])
)  # fmt: skip
def test_bands_join_to_the_image(height: int, width: int, colour: bool, transform: str) -> None:
    image = noise(height, width, *([3] if colour else []))
    joined = cnnwt.join(*cnnwt.split(image, transform), image.shape, transform)
    np.testing.assert_allclose(joined, image, atol=1e-5)


@pytest.mark.parametrize("transform", cnnwt.DIRECTIONS)
def test_networks_see_the_bands_of_the_gray_image(transform: str) -> None:
    from mffrepro.images import to_gray

    colour = noise(40, 44, 3)
    seen = [
        see(band, transform) for see, band in zip((cnnwt.see_low, cnnwt.see_high), cnnwt.split(colour, transform), strict=True)
    ]
    gray = cnnwt.split(to_gray(colour), transform)
    np.testing.assert_allclose(seen[0], cnnwt.see_low(gray[0], transform), atol=1e-5)
    np.testing.assert_allclose(seen[1], cnnwt.see_high(gray[1], transform), atol=1e-4)
    assert seen[0].mean() == pytest.approx(colour.mean(), rel=0.05)
    assert seen[1].shape[-1] == cnnwt.DIRECTIONS[transform]


@pytest.mark.parametrize("transform", ["dwt", "dtcwt"])
def test_weights_of_a_file_bring_their_transform(tmp_path, transform: str) -> None:
    from mffrepro.models.weights import to_bytes

    net = cnnwt.Cnnwt(transform=transform, width=0.1, hidden=4)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(to_bytes(net, net.options))
    pair = noise(2, 40, 40)
    result = mff.fuse(list(pair), "cnnwt", weights=str(path), device="cpu")
    image, _ = cnnwt.fuse(mff.FocusStack("pair", pair), net.eval())
    np.testing.assert_allclose(result.image, image.clip(0, 1), atol=1e-5)


# -------------------------------------------------------------------------------------------------------- fusion


@pytest.mark.parametrize(("method", "options"), OPTIONS)
def test_default_weights_find_the_sharp_side(method: str, options: dict) -> None:
    stack = mff.load("embedded")["coffee_blur3"]
    result = mff.fuse(stack, method, **options)
    scores = mff.evaluate(stack, result, ["mask_accuracy", "psnr"])
    assert scores["mask_accuracy"] > 0.93
    assert scores["psnr"] > 8 + max(mff.evaluate(stack, image, ["psnr"])["psnr"] for image in stack.images)


@pytest.mark.parametrize(
    ("method", "options"),
    [("icacs18", {"symmetric": True, "dilate": 0}), ("cnn_fuse", {}), ("cnnwt", {}), ("cnnwt", {"weights": "dtcwt"})],
)
def test_swapping_the_sources_hardly_changes_the_image(method: str, options: dict) -> None:
    """The label says which of two is sharper, whichever comes first; a score near one half may fall to either side."""
    stack = mff.load("embedded", size=256)["chelsea_blur3"]
    there, back = (mff.fuse(list(images), method, **options).image for images in (stack.images, stack.images[::-1]))
    assert (np.abs(there.astype(int) - back) > 8).mean() < 0.01


@pytest.mark.parametrize(("method", "options"), OPTIONS)
@pytest.mark.parametrize("strategy", ["serial", "carry"])
def test_five_images_in_series_or_with_carried_features(method: str, options: dict, strategy: str) -> None:
    rng = np.random.default_rng(0)
    scene = rng.random((80, 160), np.float32)
    blurred = mff.data.synthetic.gaussian_blur(scene, 2.0)
    bands = np.arange(160) // 32
    images = [np.where(bands == i, scene, blurred) for i in range(5)]
    result = mff.fuse(images, method, strategy=strategy, **options)
    assert result.decision.sum(0) == pytest.approx(np.ones((80, 160)), abs=1e-5)
    assert np.square(result.image - scene).mean() < 0.5 * min(np.square(image - scene).mean() for image in images)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("icacs18", {"dilate": -1}, "dilate is -1"),
        ("icacs18", {"cancel": 2.0}, "cancel is 2"),
        ("cnn_fuse", {"threshold": 1.5}, "threshold is 1.5"),
        ("cnn_fuse", {"eps": 0.0}, "eps is 0"),
        ("cnnwt", {"weights": "dtcwt2"}, "no weights of cnnwt 'dtcwt2'; did you mean 'dtcwt'"),
        ("cnnwt", {"smallest": -0.1}, "smallest is -0.1"),
    ],
)
def test_wrong_options_are_one_sentence(method: str, options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        mff.fuse(list(noise(2, 40, 40)), method, **{"weights": "random"} | options)
    assert "\n" not in str(caught.value)


def test_larger_patches_need_larger_images(tmp_path) -> None:
    from mffrepro.models.weights import to_bytes

    net = network("icacs18", patch=32)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(to_bytes(net, net.options))
    assert mff.fuse(list(noise(2, 32, 33)), "icacs18", weights=str(path)).image.shape == (32, 33)
    with pytest.raises(mff.ImageError, match="at least 32x32"):
        mff.fuse(list(noise(2, 31, 33)), "icacs18", weights=str(path))


# ------------------------------------------------------------------------------------------ the authors' weights


def published(seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays in the layout of the authors' file."""
    rng = np.random.default_rng(seed)
    shapes = {"b1_1": (9, 64), "b1_2": (64, 9, 128), "b1_3": (128, 9, 256), "feature": (512, 64, 256), "output": (256, 1, 2)}
    arrays = {}
    for name, shape in shapes.items():
        scale = np.prod(shape[:-1]) ** -0.5
        arrays[f"weights_{name}"] = rng.normal(0, scale, shape).astype(np.float32)
        arrays[f"biases_{name}"] = rng.normal(0, 0.1, (shape[-1], 1)).astype(np.float32)
    return arrays


def as_their_code_does(arrays: dict[str, np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Score map by sums over windows: kernels column by column, zeros around, no ReLU between the last two layers."""

    def convolve(maps: np.ndarray, name: str, margin: int) -> np.ndarray:
        weights = arrays[f"weights_{name}"]
        weights = weights[None] if weights.ndim == 2 else weights
        side = round(weights.shape[1] ** 0.5)
        padded = np.pad(maps, [(0, 0), (margin, margin), (margin, margin)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        columns = windows.swapaxes(-1, -2).reshape(*windows.shape[:3], -1)  # (maps, h, w, places), rows fastest
        return np.einsum("chwk,cko->ohw", columns, weights, optimize=True) + arrays[f"biases_{name}"].reshape(-1, 1, 1)

    joined = []
    for image in (first, second):
        maps = np.maximum(convolve(np.maximum(convolve(image[None], "b1_1", 1), 0), "b1_2", 1), 0)
        pooled = maps.reshape(len(maps), maps.shape[1] // 2, 2, -1, 2).max((2, 4))
        joined.append(np.maximum(convolve(pooled, "b1_3", 1), 0))
    out = convolve(convolve(np.concatenate(joined), "feature", 0), "output", 0)
    return 1 / (1 + np.exp(out[0] - out[1]))  # their second output: the first patch is sharper


def test_the_authors_file_gives_the_scores_of_their_code(tmp_path) -> None:
    arrays = published()
    savemat(tmp_path / "published.mat", arrays)
    path = cnn_fuse.convert(tmp_path / "published.mat", tmp_path / "mine.safetensors")
    net = load_network(f"cnn_fuse.{path}", device="cpu")
    assert net.options["border"] == "zeros"
    first, second = noise(22, 26), noise(22, 26, seed=1)
    scores = siamese.first_sharper(net, *(siamese.image_features(net, image) for image in (first, second)))
    np.testing.assert_allclose(scores, as_their_code_does(arrays, first, second), atol=1e-4)
    assert np.ptp(scores) > 1e-2
    assert mff.fuse([first, second], "cnn_fuse", weights=str(path)).image.shape == first.shape


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda arrays: arrays.pop("weights_feature"), "weights_feature is missing, not"),
        (
            lambda arrays: arrays.update(weights_output=np.zeros((512, 64, 2), np.float32)),
            r"weights_output is of shape \(512, 64, 2\)",
        ),
    ],
)
def test_another_mat_file_is_refused(tmp_path, spoil, message: str) -> None:
    arrays = published()
    spoil(arrays)
    savemat(tmp_path / "other.mat", arrays)
    with pytest.raises(DataError, match=message):
        cnn_fuse.convert(tmp_path / "other.mat", tmp_path / "mine.safetensors")
    assert not (tmp_path / "mine.safetensors").exists()


def test_what_is_no_mat_file_is_refused(tmp_path) -> None:
    (tmp_path / "no.mat").write_bytes(b"not a mat file")
    with pytest.raises(DataError, match=r"no\.mat is not a readable MATLAB file"):
        cnn_fuse.convert(tmp_path / "no.mat", tmp_path / "mine.safetensors")
