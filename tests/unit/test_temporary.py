"""What a killed process left of a target goes when the target is made again."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from mffrepro.cli import program
from mffrepro.data.archives import extract
from mffrepro.data.fetch import fetch
from mffrepro.data.manifests import Entry
from mffrepro.images import write_image
from mffrepro.images.files import write_atomically
from mffrepro.images.temporary import _HOST, temporary_beside


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write(target, monkeypatch):
    write_atomically(target, b"whole")


def bring(target, monkeypatch):
    mirror, digest = target.parent.parent / "mirror", hashlib.sha256(b"whole").hexdigest()
    mirror.mkdir()
    (mirror / "x").write_bytes(b"whole")
    (mirror / "SHA256SUMS").write_text(f"{digest}  x\n")
    monkeypatch.setenv("MFFREPRO_MIRROR", str(mirror))
    monkeypatch.setenv("MFFREPRO_CACHE", str(target.parent))
    fetch(Entry(manifest="toys", name="toy", file=target.name, bytes=5, sha256=digest, urls=(), licence="none", cite="none"))


def unpack(target, monkeypatch):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "whole")
    (target.parent.parent / "a.zip").write_bytes(archive.getvalue())
    extract(target.parent.parent / "a.zip", target)


def align(target, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    sources = [str(write_image(target.parent.parent / f"{name}.png", image)) for name in "ab"]
    monkeypatch.setattr(sys, "argv", ["mffrepro", "align", *sources, "-o", str(target)])
    with pytest.raises(SystemExit) as done:
        program()
    assert done.value.code == 0


@pytest.mark.skipif(os.name != "posix", reason="elsewhere they stay")
@pytest.mark.parametrize("make", [write, bring, unpack, align])
def test_what_a_killed_process_left_is_removed(tmp_path, monkeypatch, ended, make):
    target = tmp_path / "place" / "rows.[1]"
    target.parent.mkdir()
    busy = f".{target.name}.{_HOST}-{os.getpid()}.01234567"
    others = [f".{target.name}.01234567-{ended}.01234567", f".b.png.{_HOST}-{ended}.01234567", f".{target.name}.old"]
    for name in (f".{target.name}.{_HOST}-{ended}.01234567", busy, *others):
        (target.parent / name).touch()
    folder = target.parent / f".{target.name}.{_HOST}-{ended}.89abcdef"
    folder.mkdir()
    (folder / "half").touch()
    make(target, monkeypatch)
    left = {path.name for path in target.parent.iterdir()} - {f".{target.name}.lock"}
    assert left == {target.name, busy, *others}


@pytest.mark.skipif(os.name != "posix", reason="elsewhere they stay")
def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path, ended):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / f".a.{_HOST}-{ended}.01234567").symlink_to(tmp_path / "kept")
    temporary_beside(tmp_path / "a")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["kept", "file"]


def test_names_differ(tmp_path):
    assert temporary_beside(tmp_path / "a") != temporary_beside(tmp_path / "a")
