"""Fetching from a mirror folder and from a web server on this machine."""

import dataclasses
import hashlib
import http.server
import os
import threading

import pytest

from mffrepro.data import fetch as module
from mffrepro.data.fetch import fetch, fetch_all, is_at_hand, verify
from mffrepro.data.manifests import Entry, Manifest
from mffrepro.errors import DataError

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def make_entry(**changes) -> Entry:
    entry = Entry(
        manifest="toys", name="toy", file="toys/toy.bin", bytes=len(CONTENT), sha256=DIGEST, urls=(), licence="none", cite="none"
    )
    return dataclasses.replace(entry, **changes)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "renamed.bin").write_bytes(CONTENT)
    (folder / "SHA256SUMS").write_text(f"{DIGEST}  renamed.bin\n")
    monkeypatch.setenv("MFFREPRO_MIRROR", str(folder))
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; paths choose the misbehaviour; keeps what was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted, self.headers["User-Agent"]))
        if self.path == "/missing":
            return self.send_error(404)
        body = {"/wrong": b"x" * len(CONTENT), "/long": CONTENT * 3}.get(self.path, CONTENT)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.path != "/no-range" else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        body = body[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        breaks_off = self.path in ("/breaks-off", "/no-range") and len(self.server.asked) == 1
        self.wfile.write(body[:1000] if breaks_off else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def leftovers(cache):
    return [path for path in cache.rglob("*") if path.is_file() and path.name != "toy.bin"]


# ------------------------------------------------------------------------------------------------- mirror


def test_the_mirror_is_found_by_hash_whatever_the_name(cache, mirror):
    path = fetch(make_entry())
    assert path == cache / "toys" / "toy.bin"
    assert path.read_bytes() == CONTENT
    assert not leftovers(cache)


def test_a_fetched_file_needs_no_mirror_any_more(mirror, monkeypatch):
    fetch(make_entry())
    monkeypatch.delenv("MFFREPRO_MIRROR")
    assert fetch(make_entry()).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced(cache, mirror):
    fetch(make_entry()).write_bytes(b"y" * len(CONTENT))
    assert fetch(make_entry()).read_bytes() == CONTENT


def test_the_mirror_is_verified(cache, mirror):
    (mirror / "renamed.bin").write_bytes(b"tampered")
    with pytest.raises(DataError, match="in the mirror has sha256 " + hashlib.sha256(b"tampered").hexdigest()):
        fetch(make_entry())
    assert not (cache / "toys" / "toy.bin").exists()
    assert not leftovers(cache)


@pytest.mark.parametrize("path", ["../outside.bin", "{tmp}/outside.bin", "link.bin"])
def test_paths_that_leave_the_mirror_are_refused(tmp_path, mirror, path):
    (tmp_path / "outside.bin").write_bytes(CONTENT)
    (mirror / "link.bin").symlink_to(tmp_path / "outside.bin")
    (mirror / "SHA256SUMS").write_text(f"{DIGEST}  {path.format(tmp=tmp_path)}\n")
    with pytest.raises(DataError, match="outside that folder"):
        fetch(make_entry())


def test_a_path_with_a_nul_character_in_the_mirror_is_refused(mirror):
    (mirror / "SHA256SUMS").write_text(f"{DIGEST}  a\0b\n")
    with pytest.raises(DataError, match="NUL character; correct MFFREPRO_MIRROR"):
        fetch(make_entry())


def test_sums_as_written_by_the_usual_tools(mirror):
    (mirror / "two words.bin").write_bytes(CONTENT)
    (mirror / "SHA256SUMS").write_text(f"\n{DIGEST.upper()} *./two words.bin\nnonsense\n")
    assert fetch(make_entry()).read_bytes() == CONTENT


def test_a_mirror_without_sums_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_MIRROR", str(tmp_path))
    with pytest.raises(DataError, match="SHA256SUMS cannot be read"):
        fetch(make_entry())


def test_a_listed_file_that_is_missing_says_so(mirror):
    (mirror / "renamed.bin").unlink()
    with pytest.raises(DataError, match="which is missing"):
        fetch(make_entry())


# ------------------------------------------------------------------------------------------------ network


def test_download(server, cache):
    assert fetch(make_entry(urls=(server.url("good"),))).read_bytes() == CONTENT
    assert "mffrepro" in server.asked[0][2]
    assert not leftovers(cache)


def test_the_second_address_helps_out(server):
    fetch(make_entry(urls=(server.url("missing"), server.url("good"))))
    assert [path for path, *_ in server.asked] == ["/missing", "/good"]


def test_a_download_that_breaks_off_is_continued(server, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 250)  # what came of a chunk that broke off is lost
    assert fetch(make_entry(urls=(server.url("breaks-off"),))).read_bytes() == CONTENT
    assert [asked for _, asked, _ in server.asked] == [None, "bytes=1000-"]


def test_a_server_without_ranges_starts_again(server):
    assert fetch(make_entry(urls=(server.url("no-range"),))).read_bytes() == CONTENT


def test_wrong_bytes_are_never_kept(server, cache):
    with pytest.raises(DataError, match="its sha256 is"):
        fetch(make_entry(urls=(server.url("wrong"),)))
    assert len(server.asked) == module.TRIES
    assert not (cache / "toys" / "toy.bin").exists()
    assert not leftovers(cache)


def test_wrong_bytes_do_not_spoil_the_next_address(server):
    assert fetch(make_entry(urls=(server.url("wrong"), server.url("good")))).read_bytes() == CONTENT


def test_too_many_bytes_are_not_read_to_the_end(server, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1024)
    with pytest.raises(DataError, match="its sha256 is"):
        fetch(make_entry(urls=(server.url("long"),)))


def test_no_network_is_one_sentence_with_the_remedy():
    with pytest.raises(DataError) as caught:
        fetch(make_entry(urls=("http://127.0.0.1:9/toy",)))
    message = str(caught.value)
    assert "\n" not in message
    for part in ("toy", DIGEST, "MFFREPRO_MIRROR", "mffrepro data fetch toys", "ConnectionError"):
        assert part in message


def test_a_full_disk_says_so(server, cache, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_receive", full)
    with pytest.raises(DataError, match="the disk is full"):
        fetch(make_entry(urls=(server.url("good"),)))
    assert not leftovers(cache)


def test_a_cache_that_cannot_be_written_says_so(tmp_path, mirror, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written"):
        fetch(make_entry())


def test_a_file_without_hash_is_not_downloaded(server):
    with pytest.raises(DataError, match=r"no known sha256.*root="):
        fetch(make_entry(sha256="", urls=(server.url("good"),)))
    assert not server.asked


# ------------------------------------------------------------------------------------------ whole manifests


@pytest.fixture
def toys(monkeypatch):
    entries = (make_entry(), make_entry(name="other", file="toys/other.bin", sha256="0" * 64))
    described = Manifest(
        name="toys", kind="files", title="t", description="d", licence="l", citation="c", stacks=0, files=entries
    )
    monkeypatch.setattr(module, "manifest", lambda name: described)
    return described


def test_verify_tells_the_state_of_each_file(toys, mirror, cache):
    assert verify("toys") == {"toy": "in mirror", "other": "missing"}
    fetch(toys.files[0])
    (cache / "toys" / "other.bin").write_bytes(b"z" * len(CONTENT))
    assert verify("toys") == {"toy": "ok", "other": "damaged"}


def test_at_hand_reads_no_content(toys, mirror, cache):
    assert [is_at_hand(entry) for entry in toys.files] == [True, False]
    os.makedirs(cache / "toys")
    (cache / "toys" / "other.bin").write_bytes(b"z" * len(CONTENT))
    assert is_at_hand(toys.files[1])


def test_fetch_all_stops_at_what_cannot_be_had(toys, mirror):
    with pytest.raises(DataError, match="other"):
        fetch_all("toys")
