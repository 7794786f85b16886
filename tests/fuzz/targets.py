"""What is fuzzed: for each reader of the package sound files, the ways to spoil them, and the call that reads them."""

import io
import pickle
import random
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import mutations
import numpy as np
from mutations import Mutation, blind, one_of

SIDE = 24


@dataclass(frozen=True)
class Target:
    """A reader under test.

    Attributes:
        seeds: Sound files by name; made by formula.
        mutate: Spoils one of them.
        read: Reads the spoilt file from the path that it gets, in an empty folder of its own.
        share: Share of all cases.
    """

    seeds: Callable[[], dict[str, bytes]]
    mutate: Mutation
    read: Callable[[Path], object]
    share: float = 1.0


def made(rng: random.Random, target: Target) -> tuple[str, bytes]:
    """Draw a case: the name of a file and its spoilt bytes."""
    name, data = rng.choice(sorted(target.seeds().items()))
    return name, target.mutate(rng, data)


# ------------------------------------------------------------------------------------------------------ images


def _picture(channels: int, depth: type) -> np.ndarray:
    rng = np.random.default_rng(channels)
    shape = (SIDE, SIDE + 3, channels)[: 2 if channels == 1 else 3]
    if np.issubdtype(depth, np.floating):
        return rng.random(shape).astype(depth)
    return rng.integers(0, np.iinfo(depth).max, shape).astype(depth)


@cache
def images(*suffixes: str) -> dict[str, bytes]:
    import cv2
    from PIL import Image

    files = {}
    for suffix in suffixes:
        for channels in (1, 3, 4):
            if suffix == "jpg" and channels == 4:
                continue
            buffer = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(_picture(channels, np.uint8)).save(
                buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), exif=exif
            )
            files[f"{channels}x8.{suffix}"] = buffer.getvalue()
            if suffix in ("png", "tif"):
                files[f"{channels}x16.{suffix}"] = cv2.imencode(f".{suffix}", _picture(channels, np.uint16))[1].tobytes()
        if suffix == "tif":
            files["float.tif"] = cv2.imencode(".tif", _picture(3, np.float32))[1].tobytes()
    return files


@cache
def tiff_stacks() -> dict[str, bytes]:
    from tifffile import imwrite

    images = np.stack([_picture(1, np.uint16)] * 5)
    layouts = {"pages": {}, "imagej": {"imagej": True}, "ome": {"ome": True}, "deflate": {"compression": "zlib"}}
    files = {}
    for name, options in layouts.items():
        buffer = io.BytesIO()
        imwrite(buffer, images, photometric="minisblack", metadata={"axes": "ZYX"}, **options)
        files[f"{name}.tif"] = buffer.getvalue()
    return files


def read_stack(path: Path) -> None:
    from mffrepro.images import as_stack

    assert as_stack(path).images.ndim in (3, 4)


def read_header(path: Path) -> None:
    """Any file has a header, an empty one if need be."""
    from mffrepro.images.headers import read_header as read

    read(path)


def read_image(path: Path) -> None:
    import mffrepro as mff

    image = mff.read_image(path)
    assert image.dtype in (np.uint8, np.uint16, np.float32, np.float64)
    assert image.ndim == 2 or image.shape[2] == 3


# -------------------------------------------------------------------------------------- manifests and archives


@cache
def manifests() -> dict[str, bytes]:
    from mffrepro.data.manifests import manifest_folder

    return {path.name: path.read_bytes() for path in sorted(manifest_folder().glob("*/*.toml"))}


def read_manifest(path: Path) -> None:
    from mffrepro.data import manifests

    found = manifests._read(path)
    for entry in found.files:
        target = (path.parent / "cache" / entry.file).resolve()
        assert target.is_relative_to((path.parent / "cache").resolve()), f"{entry.file} would leave the cache"


def _tar(rng: random.Random, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=rng.choice(("w", "w:gz", "w:xz"))) as file:
        for number in range(rng.randrange(1, 4)):
            member = tarfile.TarInfo(rng.choice(HOSTILE) or f"{number}.txt")
            member.type = rng.choice((tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE))
            member.linkname = rng.choice(HOSTILE)
            member.mode = rng.choice((0, 0o644, 0o7777))
            member.size = len(data) if member.type == tarfile.REGTYPE else 0
            file.addfile(member, io.BytesIO(data))
    return buffer.getvalue() if rng.random() < 0.6 else blind(rng, buffer.getvalue())


def _zip(rng: random.Random, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as file:
        for number in range(rng.randrange(1, 4)):
            member = zipfile.ZipInfo(rng.choice(HOSTILE) or f"{number}.txt")
            member.external_attr = rng.choice((0, 0o644, 0o120777, 0o20666)) << 16
            file.writestr(member, data)
    return buffer.getvalue() if rng.random() < 0.6 else blind(rng, buffer.getvalue())


#: A file that an archive with an absolute path would write.
OUTSIDE = Path(tempfile.gettempdir()) / "mffrepro-escaped.txt"
#: Names of members, and where links lead.
HOSTILE = (
    "",
    "a/b.txt",
    "../out.txt",
    str(OUTSIDE),
    "..\\out.txt",
    "C:\\out.txt",
    "a/../../out.txt",
    "a",
    "a/",
    ".",
    "..",
)


def read_archive(path: Path) -> None:
    from mffrepro.data.archives import extract

    extract(path, path.parent / "unpacked")


# ----------------------------------------------------------------------------------------------------- weights


@cache
def shipped_weights() -> dict[str, bytes]:
    import torch

    from mffrepro.models import gacn
    from mffrepro.models.weights import to_bytes

    torch.manual_seed(0)
    network = gacn.GACN()
    return {"gacn.safetensors": to_bytes(network, network.options)}


def read_weights(path: Path) -> None:
    import mffrepro as mff

    mff.fuse([_picture(1, np.uint8), _picture(1, np.uint8)[::-1]], "gacn", weights=str(path), device="cpu")


@cache
def pickles() -> dict[str, bytes]:
    import torch

    buffer = io.BytesIO()
    torch.save({"conv.weight": torch.zeros(3, 2), "step": torch.tensor(1)}, buffer)
    return {"weights.pth": buffer.getvalue()}


class Ploy:
    """Pickled, it would write a file where it is loaded."""

    def __reduce__(self):
        return Path("pickle-ran.txt").write_text, ("x",)


def _pickle(rng: random.Random, data: bytes) -> bytes:
    """Put another pickle into the archive of a checkpoint, or none at all around it."""
    evil = pickle.dumps({"conv.weight": Ploy()}, protocol=2)
    if rng.random() < 0.3:
        return evil
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".pkl"):
                content = evil if rng.random() < 0.5 else blind(rng, content)
            new.writestr(name, content)
    return buffer.getvalue()


def read_pickle(path: Path) -> None:
    from mffrepro.models.weights import read_pickled

    read_pickled(path)


@cache
def checkpoints() -> dict[str, bytes]:
    """The table of a TensorFlow checkpoint with two arrays, as LevelDB lays it out."""
    return {"model.index": _table({"": b"", "conv/kernel": _bundle(1, [2, 3], 0, 24), "conv/bias": _bundle(1, [3], 24, 12)})}


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def _bundle(dtype: int, shape: Sequence[int], offset: int, size: int) -> bytes:
    dims = b"".join(b"\x12" + _varint(len(part)) + part for part in (b"\x08" + _varint(side) for side in shape))
    return b"\x08" + _varint(dtype) + b"\x12" + _varint(len(dims)) + dims + b"\x20" + _varint(offset) + b"\x28" + _varint(size)


def _table(rows: dict[str, bytes]) -> bytes:
    def block(rows: dict[bytes, bytes]) -> bytes:
        body = b"".join(b"\0" + _varint(len(k)) + _varint(len(v)) + k + v for k, v in rows.items())
        return body + b"\0\0\0\0\1\0\0\0"

    data = block({key.encode(): value for key, value in rows.items()})
    index = block({b"z": _varint(0) + _varint(len(data))})
    footer = _varint(0) + _varint(0) + _varint(len(data) + 5) + _varint(len(index))
    return data + b"\0" * 5 + index + b"\0" * 5 + footer.ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")


def read_checkpoint(path: Path) -> None:
    from mffrepro.data.checkpoint import read_checkpoint as read

    data = path.with_suffix(".data")
    data.write_bytes(bytes(36))
    read(path, data)


# ------------------------------------------------------------------------------------------ records and chapters


@cache
def stores() -> dict[str, bytes]:
    from mffrepro.benchmarks.store import COLUMNS, Store

    store = Store()
    store.add([dict.fromkeys(COLUMNS, "x") | {"value": 1.0, "seconds": 0.5, "metric": name} for name in ("qg", "qabf")])
    buffer = io.BytesIO()
    store.table().to_parquet(buffer, index=False)
    return {"store.parquet": buffer.getvalue()}


def read_store(path: Path) -> None:
    from mffrepro.benchmarks.store import Store

    Store(path).table()


@cache
def records() -> dict[str, bytes]:
    from mffrepro.data.manifests import manifest_folder

    lines = (manifest_folder() / "recorded" / "gacn26.csv").read_text().splitlines(keepends=True)
    return {"gacn26.csv": "".join(lines[:4]).encode()}


def read_record(path: Path) -> None:
    from mffrepro.benchmarks import record

    record._read(path)


@cache
def parameters() -> dict[str, bytes]:
    import mffrepro as mff

    mff.profile()  # loads torch, which the memory of a case would not hold
    return {"seed": b"0"}


def _parameters(rng: random.Random, _: bytes) -> bytes:
    return str(rng.getrandbits(60)).encode()


def read_parameters(path: Path) -> None:
    import mffrepro as mff

    rng = random.Random(int(path.read_bytes()))
    known = {"name": ["quick"], "dataset": ["embedded"], "device": ["auto"], "retrain": ["no"], "seed": [1]}
    values = {name: mutations.any_value(rng, usual * 30) for name, usual in known.items()}
    mff.profile(values.pop("name"), **values)


TARGETS = {
    "png": Target(partial(images, "png"), one_of(mutations.png, mutations.png, blind), read_image, 3),
    "jpeg": Target(partial(images, "jpg"), one_of(mutations.jpeg, mutations.jpeg, blind), read_image, 3),
    "tiff": Target(partial(images, "tif"), one_of(mutations.tiff, mutations.tiff, blind), read_image, 4),
    "tiff stack": Target(tiff_stacks, one_of(mutations.tiff, mutations.tiff, blind), read_stack, 2),
    "header": Target(partial(images, "png", "jpg", "tif", "webp"), blind, read_header, 1),
    "webp, bmp, gif": Target(partial(images, "webp", "bmp", "gif"), blind, read_image, 1),
    "manifest": Target(manifests, one_of(mutations.text, blind), read_manifest, 2),
    "tar": Target(manifests, _tar, read_archive, 1),
    "zip": Target(manifests, _zip, read_archive, 1),
    "safetensors": Target(shipped_weights, one_of(mutations.safetensors, mutations.safetensors, blind), read_weights, 2),
    "pickle": Target(pickles, one_of(_pickle, blind), read_pickle, 1),
    "checkpoint": Target(checkpoints, blind, read_checkpoint, 2),
    "store": Target(stores, blind, read_store, 1),
    "record": Target(records, one_of(mutations.text, blind), read_record, 1),
    "parameters": Target(parameters, _parameters, read_parameters, 1),
}
