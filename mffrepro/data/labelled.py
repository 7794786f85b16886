"""Photographs with label maps: the Berkeley set, PASCAL VOC 2012, and MS COCO 2017; and any photographs, without.

A label map gives each pixel the number of its region. Nothing is held in memory: a photograph and its maps are read
each time they are asked for.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from mffrepro.data.archives import extract, leaves_folder
from mffrepro.data.fetch import cache_folder, fetch
from mffrepro.data.folder import list_images
from mffrepro.data.manifests import Entry, manifest
from mffrepro.data.matlab import read_mat
from mffrepro.errors import DataError, OptionError, first_line
from mffrepro.images import from_unit, read_image, to_unit
from mffrepro.images.limits import open_with_pillow, read_at_most, real_path

#: Pixels of the object in the photographs GACN was trained on.
COCO_AREA = (20_000, 170_000)
VOC_VOID = 255
#: Most bytes of a list of VOC, which has some 35 kB, and of the annotations of COCO, which have 470 MB.
MOST_LISTED, MOST_ANNOTATED = 2**20, 500_000_000
#: Most pixels of a label map; those of VOC and COCO have half a million. Drawing a polygon takes up to 80 bytes for each.
MOST_LABELS = 10_000_000
#: Most steps of drawing the polygons of a label map: its pixels times their corners.
MOST_STEPS = 3 * 10**9


class LabelledImage:
    """Hold a photograph and its label maps, read when they are asked for.

    Attributes:
        name: Unique in its set.
    """

    # The readers are partial calls, not closures, so that a data loader can send them to other processes.
    def __init__(self, name: str, read_photograph: Callable[[], np.ndarray], read_labels: Callable[[], Sequence[np.ndarray]]):
        self.name = name
        self._read_photograph = read_photograph
        self._read_labels = read_labels

    def __repr__(self) -> str:
        return f"LabelledImage({self.name!r})"

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        image = self._read_photograph()
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)

    @property
    def labels(self) -> tuple[np.ndarray, ...]:
        """One (H, W) integer map per annotator; in sets of objects 0 is the background."""
        return tuple(self._read_labels())


def crop_square(
    image: np.ndarray, labelled: LabelledImage, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, LabelledImage]:
    """Cut the same square out of a photograph and its label maps, anywhere.

    Args:
        image: The photograph as it is used, (H, W) or (H, W, 3), of the size of the label maps.
        labelled: Its label maps.
        side: Pixels, at most H and W.
        rng: Chooses the place.

    Returns:
        The part of `image`, and a labelled image of the same part.
    """
    top, left = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
    part = np.s_[top : top + side, left : left + side]
    return image[part], LabelledImage(labelled.name, lambda: labelled.image[part], lambda: [m[part] for m in labelled.labels])


# ------------------------------------------------------------------------------------------- any photographs


def folder_photographs(root: str | Path | None) -> list[LabelledImage]:
    """Load the photographs in a folder, in the order of their numbers.

    Asking for their label maps is an error.

    Raises:
        OptionError: No folder is named.
        DataError: It is missing, or holds no photograph.
    """
    if root is None:
        raise OptionError("folder needs root=; give the folder of the photographs")
    folder = Path(root).expanduser()
    paths = list_images(folder) if folder.is_dir() else []
    if not paths:
        raise DataError(f"{folder} holds no photographs; give a folder with PNG, JPEG, TIFF, WebP or BMP files")
    return [LabelledImage(path.stem, partial(_read_bytes, path), partial(_no_labels, path)) for path in paths]


def _read_bytes(path: Path) -> np.ndarray:
    image = read_image(path)
    return image if image.dtype == np.uint8 else from_unit(to_unit(image), np.dtype(np.uint8))


def _no_labels(path: Path) -> tuple[np.ndarray, ...]:
    raise DataError(
        f"{path} has no label maps; train a network that learns from patches, such as cnn_fuse, or give labelled data"
    )


# ------------------------------------------------------------------------------------------------ Berkeley


def bsds500(split: str) -> list[LabelledImage]:
    """Load split ``"train"`` (200) or ``"val"`` (100) of BSDS500, file by file."""
    files = {entry.name: entry for entry in manifest("bsds500").files}
    stems = sorted(Path(name).stem for name in files if name.startswith(f"images/{split}/"))
    return [_bsds_item(stem, files[f"images/{split}/{stem}.jpg"], files[f"groundTruth/{split}/{stem}.mat"]) for stem in stems]


def _bsds_item(stem: str, photograph: Entry, truth: Entry) -> LabelledImage:
    return LabelledImage(stem, partial(_read_fetched, read_image, photograph), partial(_read_fetched, read_bsds_labels, truth))


def _read_fetched(read: Callable, entry: Entry) -> object:
    return read(fetch(entry))


def read_bsds_labels(path: str | Path) -> tuple[np.ndarray, ...]:
    """Read all annotators' segmentations in a ``.mat`` file of BSDS500.

    Each is (H, W) uint16, counted from 1.

    Raises:
        DataError: The file is damaged, or holds something else.
    """
    remedy = "fetch it again with mffrepro data fetch bsds500"
    arrays = read_mat(path, remedy)
    try:
        maps = tuple(np.asarray(annotator["Segmentation"].item()) for annotator in arrays["groundTruth"].ravel())
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        maps = ()
    if not maps or any(labels.ndim != 2 or labels.dtype not in (np.uint8, np.uint16) for labels in maps):
        raise DataError(f"{path} holds no segmentations of BSDS500; {remedy}")
    return tuple(labels.astype(np.uint16) for labels in maps)


# --------------------------------------------------------------------------------------------- PASCAL VOC


def voc2012(split: str, root: str | Path | None = None) -> list[LabelledImage]:
    """Load photographs of VOC 2012 with object outlines.

    The splits are ``"train"`` (1464), ``"val"`` (1449) and ``"trainval"``.

    Args:
        split: Name of a list in ``ImageSets/Segmentation``.
        root: Folder that holds ``VOCdevkit``; without it the archive is fetched and unpacked into the cache.

    Raises:
        DataError: The list is missing, or is no list of names.
    """
    if root is None:
        root = cache_folder() / "voc2012" / "unpacked"
        if not root.exists():
            extract(fetch(manifest("voc2012").files[0]), root)
    folder = Path(root) / "VOCdevkit" / "VOC2012"
    listing = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not listing.is_file():
        raise DataError(f"{listing} is missing; give as root= the folder that VOCtrainval_11-May-2012.tar was unpacked in")
    return [_voc_item(folder, name) for name in _voc_names(listing)]


def _voc_names(listing: Path) -> list[str]:
    """Read the names in a list; one that led elsewhere would show photographs that do not belong to the set."""
    try:
        names = read_at_most(listing, MOST_LISTED).decode().split()
    except (OSError, ValueError) as error:
        raise DataError(f"{listing} is not a list of names ({first_line(error)}); unpack the archive of VOC 2012 again") from None
    for name in names:
        if leaves_folder(name) or "\0" in name:
            raise DataError(f"{listing} names {name!r:.80}, which leaves its folder; unpack the archive of VOC 2012 again")
    return names


def _voc_item(folder: Path, name: str) -> LabelledImage:
    photograph, outlines = folder / "JPEGImages" / f"{name}.jpg", folder / "SegmentationObject" / f"{name}.png"
    return LabelledImage(name, partial(read_image, photograph), partial(read_voc_labels, outlines))


def read_voc_labels(path: str | Path) -> tuple[np.ndarray]:
    """Read the object numbers of a palette PNG, one map (H, W) uint8.

    The void border around objects (255) becomes background (A0.18).

    Raises:
        DataError: The file is missing, damaged, too large, or no PNG of one byte a pixel.
    """
    try:
        with open_with_pillow(real_path(path)) as picture:
            if picture.format != "PNG" or picture.mode not in ("P", "L") or picture.width * picture.height > MOST_LABELS:
                raise ValueError("it is no palette PNG of a usual size")
            labels = np.array(picture)
    except Exception as error:  # parsers refuse damaged files by errors of many kinds
        reason = first_line(error)
        raise DataError(f"{path} cannot be read ({reason}); unpack VOCtrainval_11-May-2012.tar again") from None
    labels[labels == VOC_VOID] = 0
    return (labels,)


# ------------------------------------------------------------------------------------------------ MS COCO


def coco2017(split: str, root: str | Path | None = None) -> list[LabelledImage]:
    """Load photographs with one annotated object of 20 000 to 170 000 pixels.

    Args:
        split: ``"train"`` or ``"val"``.
        root: Folder with ``annotations`` and ``train2017`` or ``val2017``. It must be given.

    Raises:
        DataError: No folder is given, or its annotations are missing or damaged.
    """
    if root is None:
        size = sum(entry.bytes or 0 for entry in manifest("coco2017").files) / 1e9
        raise DataError(
            f"coco2017 has {size:.0f} GB and is not fetched by itself; run `mffrepro data fetch coco2017` or download its "
            "archives, unpack them into one folder and give it as root= (--root)"
        )
    annotations = Path(root) / "annotations" / f"instances_{split}2017.json"
    if not annotations.is_file():
        raise DataError(f"{annotations} is missing; unpack annotations_trainval2017.zip in {root}")
    folder = Path(root) / f"{split}2017"
    return [_coco_item(folder, *row) for row in single_objects(annotations)]


def _coco_item(folder: Path, file: str, height: int, width: int, outline: object) -> LabelledImage:
    photograph = folder / file
    labels = partial(_coco_labels, photograph, outline, height, width)
    return LabelledImage(photograph.stem, partial(read_image, photograph), labels)


def _coco_labels(photograph: Path, outline: object, height: int, width: int) -> tuple[np.ndarray]:
    return (rasterise(outline, height, width, f"the outline in {photograph.name}"),)


@lru_cache(maxsize=2)  # parsing the half gigabyte of the training annotations takes a while
def single_objects(annotations: Path) -> list[tuple[str, int, int, object]]:
    """List the photographs with one object of an area within `COCO_AREA`.

    Each with file name, height, width and outline.

    Raises:
        DataError: The file cannot be read, or holds other things than annotations of COCO.
    """
    try:
        rows = _single_rows(json.loads(read_at_most(annotations, MOST_ANNOTATED)))
    except (OSError, ValueError, LookupError, TypeError, RecursionError, MemoryError) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise DataError(f"{annotations} cannot be used ({reason}); unpack annotations_trainval2017.zip again") from None
    return sorted(rows, key=lambda row: row[0])


def _single_rows(table: dict) -> list[tuple[str, int, int, object]]:
    count = Counter(row["image_id"] for row in table["annotations"])
    low, high = COCO_AREA
    single = [row for row in table["annotations"] if count[row["image_id"]] == 1 and low <= row["area"] <= high]
    images = {row["id"]: row for row in table["images"]}
    return [(*_described(images[row["image_id"]]), row["segmentation"]) for row in single]


def _described(image: dict) -> tuple[str, int, int]:
    """Return file name, height and width of a photograph; raise ValueError where they are none."""
    name, height, width = image["file_name"], image["height"], image["width"]
    if type(name) is not str or leaves_folder(name) or "\0" in name:
        raise ValueError(f"{name!r:.80} is no photograph in its folder")
    if type(height) is not int or type(width) is not int or min(height, width) < 1 or height * width > MOST_LABELS:
        raise ValueError(f"{name!r:.80} has no usual size")
    return name, height, width


def rasterise(outline: list | dict, height: int, width: int, name: str = "an outline") -> np.ndarray:
    """Draw a COCO segmentation as (H, W) uint8 of 0 and 1.

    Args:
        outline: Polygons, each a flat list x, y, x, y ... in pixels with the corner of the image at 0, 0; or run lengths
            ``{"counts": [...], "size": [H, W]}`` down the columns, starting with background.
        height: H, pixels.
        width: W, pixels.
        name: How errors call it.

    Raises:
        DataError: It is none of both, or does not fit the image.
    """
    try:
        return _runs(outline["counts"], height, width) if isinstance(outline, dict) else _polygons(outline, height, width)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = first_line(error)
        raise DataError(f"{name} cannot be drawn ({reason}); use the original instances_*.json of COCO 2017") from None


def _runs(runs: list, height: int, width: int) -> np.ndarray:
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs) or sum(runs) != height * width:
        raise ValueError("its run lengths do not cover its image")
    values = np.arange(len(runs)).astype(np.uint8) % 2
    return np.repeat(values, runs).reshape(width, height).T.copy()


def _polygons(polygons: list, height: int, width: int) -> np.ndarray:
    from skimage.draw import polygon

    for points in polygons:
        if not isinstance(points, list) or not all(type(one) in (int, float) and math.isfinite(one) for one in points):
            raise ValueError("its polygons are no lists of numbers")
    if sum(len(points) for points in polygons) * height * width > MOST_STEPS:
        raise ValueError("its polygons have too many corners")
    mask = np.zeros((height, width), np.uint8)
    for points in polygons:
        x, y = np.reshape(points, (-1, 2)).T - 0.5  # pixel centres lie at half coordinates in COCO, at whole ones here
        mask[polygon(y, x, mask.shape)] = 1
    return mask
