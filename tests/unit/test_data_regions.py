"""Photographs with label maps, from trees and annotation files made here, and masks drawn from them."""

import json
import pickle

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from scipy.io import savemat
from skimage.morphology import convex_hull_image

from mffrepro.data import labelled
from mffrepro.data.labelled import LabelledImage, crop_square, rasterise, read_bsds_labels, read_voc_labels, single_objects
from mffrepro.data.regions import draw_mask, load_regions
from mffrepro.errors import DataError, OptionError


def with_labels(*maps) -> LabelledImage:
    return LabelledImage("toy", lambda: np.zeros((*maps[0].shape, 3), np.uint8), lambda: maps)


@pytest.mark.parametrize("seed", range(3))
def test_a_square_is_cut_out_of_a_photograph_and_its_maps_alike(seed):
    numbers = np.arange(7 * 9).reshape(7, 9)
    item = LabelledImage("toy", lambda: np.repeat(numbers[..., None], 3, 2).astype(np.uint8), lambda: [numbers, numbers + 1])
    image, part = crop_square(numbers, item, 5, np.random.default_rng(seed))
    top, left = divmod(int(image[0, 0]), 9)
    np.testing.assert_array_equal(image, numbers[top : top + 5, left : left + 5])
    for same in (part.image[..., 0], part.labels[0], part.labels[1] - 1):
        np.testing.assert_array_equal(same, image)


def test_the_largest_square_is_the_whole_photograph():
    numbers = np.arange(36).reshape(6, 6)
    image, _ = crop_square(numbers, with_labels(numbers), 6, np.random.default_rng(0))
    np.testing.assert_array_equal(image, numbers)


# ------------------------------------------------------------------------------------------------ sources


def test_names_splits_and_roots_are_checked():
    with pytest.raises(OptionError, match="did you mean 'bsds500'"):
        load_regions("bsds300")
    with pytest.raises(OptionError, match="no split of bsds500 'test'"):
        load_regions("bsds500", split="test")
    with pytest.raises(OptionError, match="takes no root"):
        load_regions("embedded", root="here")


def test_bsds500_has_its_200_and_100_without_reading_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    train, val = load_regions("bsds500"), load_regions("bsds500", split="val")
    assert (len(train), len(val)) == (200, 100)
    assert not {item.name for item in train} & {item.name for item in val}
    assert not list(tmp_path.iterdir())


def test_bsds_labels_of_every_annotator(tmp_path):
    maps = [np.array([[1, 1, 2]], np.uint16), np.array([[1, 2, 3]], np.uint16)]
    cells = np.empty((1, 2), object)
    cells[0, :] = [{"Segmentation": m, "Boundaries": np.zeros_like(m)} for m in maps]
    savemat(tmp_path / "a.mat", {"groundTruth": cells})
    read = read_bsds_labels(tmp_path / "a.mat")
    assert [m.tolist() for m in read] == [m.tolist() for m in maps]
    assert {m.dtype for m in read} == {np.dtype(np.uint16)}


@pytest.mark.parametrize("damage", ["none", "empty", "text", "cut", "body"])
def test_damaged_bsds_labels_are_named(tmp_path, damage):
    path = tmp_path / "a.mat"
    cells = np.empty((1, 1), object)
    cells[0, 0] = {"Segmentation": np.arange(1, 4097, dtype=np.uint16).reshape(64, 64)}
    savemat(path, {"groundTruth": cells}, do_compression=damage == "body")
    data = path.read_bytes()
    kept = {"empty": b"", "text": b"no file of MATLAB", "cut": data[: len(data) // 2]}
    kept["body"] = data[:300] + bytes(100) + data[400:]
    path.unlink() if damage == "none" else path.write_bytes(kept[damage])
    with pytest.raises(DataError, match=r"a\.mat is not a readable MATLAB file .*; fetch it again"):
        read_bsds_labels(path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"other": np.zeros(3)},
        {"groundTruth": np.zeros((0, 0))},
        {"groundTruth": np.ones((2, 2))},
        {"groundTruth": "text"},
        {"groundTruth": {"Segmentation": "text"}},
        {"groundTruth": {"Boundaries": np.ones((2, 2), np.uint16)}},
        {"groundTruth": {"Segmentation": np.ones((2, 2))}},
    ],
)
def test_other_contents_than_bsds_labels_are_named(tmp_path, arrays):
    savemat(tmp_path / "a.mat", arrays)
    with pytest.raises(DataError, match=r"a\.mat holds no segmentations of BSDS500; fetch it again"):
        read_bsds_labels(tmp_path / "a.mat")


@pytest.fixture
def voc(tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationObject"):
        (folder / name).mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("2007_1\n2007_2\n")
    Image.fromarray(np.full((3, 4, 3), 90, np.uint8)).save(folder / "JPEGImages" / "2007_1.jpg")
    outlines = Image.fromarray(np.array([[0, 1, 1, 255], [0, 1, 2, 255], [0, 0, 2, 2]], np.uint8), "P")
    outlines.putpalette([7 * n % 256 for n in range(768)])
    outlines.save(folder / "SegmentationObject" / "2007_1.png")
    return tmp_path


def test_voc_reads_object_numbers_and_drops_the_void(voc):
    items = load_regions("voc2012", split="val", root=voc)
    assert [item.name for item in items] == ["2007_1", "2007_2"]
    assert items[0].image.shape == (3, 4, 3)
    assert items[0].labels[0].tolist() == [[0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 2, 2]]


def test_voc_says_what_is_missing(voc):
    with pytest.raises(DataError, match=r"train\.txt is missing; give as root="):
        load_regions("voc2012", root=voc)
    with pytest.raises(DataError, match="unpack VOCtrainval"):
        _ = load_regions("voc2012", split="val", root=voc)[1].labels


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (b"2007_1 ../../../2007_1", "leaves its folder"),
        (b"/etc/passwd", "leaves its folder"),
        (b"\xff\xfe\xe9", "is not a list of names"),
        (b"a\n" * 600_000, "is not a list of names .it has more"),
    ],
)
def test_voc_lists_that_are_none_are_named(voc, names, said):
    (voc / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "val.txt").write_bytes(names)
    with pytest.raises(DataError, match=rf"val\.txt.* {said}"):
        load_regions("voc2012", split="val", root=voc)


def test_voc_labels_are_never_handed_to_ghostscript(tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 48 48\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(DataError, match=r"a\.png cannot be read .*; unpack VOCtrainval"):
        read_voc_labels(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["RGB", "I;16", "1", "huge"])
def test_voc_labels_of_another_kind_or_size_are_named(tmp_path, monkeypatch, mode):
    Image.new("P" if mode == "huge" else mode, (5, 4)).save(tmp_path / "a.png")
    if mode == "huge":
        monkeypatch.setattr(labelled, "MOST_LABELS", 19)
    with pytest.raises(DataError, match="no palette PNG of a usual size"):
        read_voc_labels(tmp_path / "a.png")


@pytest.fixture
def coco(tmp_path):
    def row(image, area, outline):
        return {"image_id": image, "area": area, "segmentation": outline}

    square = [[100.0, 50.0, 300.0, 50.0, 300.0, 250.0, 100.0, 250.0]]
    table = {
        "images": [{"id": n, "file_name": f"{9 - n:012}.jpg", "height": 480, "width": 640} for n in range(6)],
        "annotations": [
            row(0, 40_000.0, square),
            row(1, 40_000.0, square), row(1, 30_000.0, square),  # two objects
            row(2, 19_999.9, square), row(3, 170_000.1, square),  # too small, too large
            row(4, 20_000, {"counts": [480 * 100, 480 * 50, 480 * 490], "size": [480, 640]}),
        ],
    }  # fmt: skip
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train2017.json").write_text(json.dumps(table))
    (tmp_path / "train2017").mkdir()
    Image.fromarray(np.zeros((480, 640), np.uint8)).save(tmp_path / "train2017" / f"{9:012}.jpg")
    return tmp_path


def test_coco_keeps_single_objects_of_the_right_size(coco):
    items = load_regions("coco2017", root=coco)
    assert [item.name for item in items] == [f"{5:012}", f"{9:012}"]
    gray = items[1]
    assert gray.image.shape == (480, 640, 3)
    expected = np.zeros((480, 640), np.uint8)
    expected[50:250, 100:300] = 1
    assert (gray.labels[0] == expected).all()
    expected[:] = 0
    expected[:, 100:150] = 1
    assert (items[0].labels[0] == expected).all()


def test_coco_needs_a_root_that_holds_it(coco):
    with pytest.raises(DataError, match=r"20 GB.*root="):
        load_regions("coco2017")
    with pytest.raises(DataError, match=r"instances_val2017\.json is missing"):
        load_regions("coco2017", split="val", root=coco)


def test_several_polygons_are_joined():
    mask = rasterise([[0, 0, 2, 0, 2, 2, 0, 2], [3, 1, 4, 1, 4, 3, 3, 3]], 3, 4)
    assert mask.tolist() == [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 1]]


def test_run_lengths_go_down_the_columns():
    assert rasterise({"counts": [1, 2, 2, 1]}, 2, 3).tolist() == [[0, 1, 0], [1, 0, 1]]


@pytest.mark.parametrize("counts", [[1, 2], "compressed"])
def test_run_lengths_that_do_not_fit_are_refused(counts):
    with pytest.raises(DataError, match="do not cover"):
        rasterise({"counts": counts}, 2, 3)


def annotations(image: dict | None = None, **changes) -> bytes:
    """Annotations of one photograph with one object, with changes."""
    image = {"id": 1, "file_name": "a.png", "height": 48, "width": 48} | (image or {})
    row = {"image_id": 1, "area": 30_000, "segmentation": []} | changes
    return json.dumps({"images": [image], "annotations": [row]}).encode()


BROKEN = {
    "no JSON": b"{",
    "nested": b"[" * 100_000,
    "list": b"[]",
    "null": b"null",
    "no images": b'{"annotations": []}',
    "area": annotations(area="x"),
    "list for a number": annotations(image_id=[1]),
    "no such image": annotations(image_id=2),
    "parent": annotations({"file_name": "../a.png"}),
    "absolute": annotations({"file_name": "/a.png"}),
    "NUL": annotations({"file_name": "a\0.png"}),
    "number for a name": annotations({"file_name": 5}),
    "negative": annotations({"height": -1}),
    "huge": annotations({"height": 30_000, "width": 30_000}),
    "text for a number": annotations({"width": "x"}),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_annotations_are_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    single_objects.cache_clear()
    with pytest.raises(DataError, match=r"a\.json cannot be used .*; unpack annotations"):
        single_objects(tmp_path / "a.json")


def test_annotations_of_absurd_size_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(labelled, "MOST_ANNOTATED", 100)
    (tmp_path / "a.json").write_bytes(bytes(101))
    with pytest.raises(DataError, match="more than 100 bytes"):
        single_objects(tmp_path / "a.json")


@pytest.mark.parametrize(
    "outline",
    [
        [[1, 2, 3]],
        ["x"],
        None,
        5,
        [[0, 0, float("inf"), 0, 5, 5]],
        [[0, 0, 10**400, 0, 5, 5]],
        [[["x" * 9, 0, 5, 5]]],
        [[]],
        {},
        {"counts": [-5, 11]},
        {"counts": ["a"]},
        {"counts": [0.5, 5.5]},
    ],
)
def test_outlines_of_a_wrong_kind_are_named(outline):
    with pytest.raises(DataError, match=r"the outline in a\.png cannot be drawn .*; use the original"):
        rasterise(outline, 2, 3, "the outline in a.png")


def test_outlines_that_take_for_ever_are_refused(monkeypatch):
    monkeypatch.setattr(labelled, "MOST_STEPS", 47)
    with pytest.raises(DataError, match="too many corners"):
        rasterise([[0, 0, 2, 0, 2, 2, 0, 2]], 2, 3)


def test_labelled_images_can_be_sent_to_other_processes(voc, coco):
    single_objects.cache_clear()
    for items in (load_regions("voc2012", split="val", root=voc), load_regions("coco2017", root=coco), load_regions("embedded")):
        copy = pickle.loads(pickle.dumps(items[0]))
        assert (copy.labels[0] == items[0].labels[0]).all()
    assert pickle.loads(pickle.dumps(load_regions("bsds500")[0])).name == load_regions("bsds500")[0].name
    assert labelled.LabelledImage.__module__ == "mffrepro.data.labelled"


# -------------------------------------------------------------------------------------------------- masks


def test_a_region_alone_when_it_has_the_share():
    labels = np.zeros((10, 10), int)
    labels[:5] = 1
    masks = [draw_mask(with_labels(labels), np.random.default_rng(seed), 0.5, 0.5) for seed in range(20)]
    assert {mask.sum() for mask in masks} == {50}
    assert {bool(mask[0, 0]) for mask in masks} == {True, False}


def test_regions_that_only_touch_by_the_corner_are_no_neighbours():
    labels = np.kron([[1, 2], [3, 4]], np.ones((5, 5), int))
    for seed in range(20):
        mask = draw_mask(with_labels(labels), np.random.default_rng(seed), 0.5, 0.5)
        assert mask[0, 0] != mask[-1, -1]


def test_every_annotator_has_a_turn():
    rows, columns = np.mgrid[:8, :8] // 4
    drawn = [draw_mask(with_labels(rows, columns), np.random.default_rng(seed), 0.4, 0.6) for seed in range(30)]
    assert {bool((mask[:, 0] == mask[0, 0]).all()) for mask in drawn} == {True, False}


def test_one_region_only_is_cut_by_a_straight_line():
    rng = np.random.default_rng(0)
    mask = draw_mask(with_labels(np.ones((40, 60), int)), rng, 0.2, 0.3)
    assert 0.2 <= mask.mean() <= 0.3
    for side in (mask, ~mask):  # only a straight line leaves both sides convex
        assert (convex_hull_image(side, offset_coordinates=False) == side).all()


def test_a_small_object_is_left_out_of_the_cut_background():
    labels = np.zeros((50, 50), int)
    labels[20:23, 20:23] = 1
    for seed in range(10):
        mask = draw_mask(with_labels(labels), np.random.default_rng(seed), 0.3, 0.5)
        assert 0.29 < mask.mean() < 0.51
        assert not mask[labels == 1].any()


@pytest.mark.parametrize(("low", "high"), [(0, 0.5), (0.6, 0.5), (0.5, 1)])
def test_shares_must_make_sense(low, high):
    with pytest.raises(OptionError, match="0 < low <= high < 1"):
        draw_mask(with_labels(np.ones((4, 4), int)), np.random.default_rng(0), low, high)
