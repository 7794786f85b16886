"""The check of addresses, on a server on this machine; with the network, on the smallest file of each host."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from check_manifest_urls import check, fault, main, size_of

from mffrepro.data.manifests import Entry, manifest, manifest_names

FILES = {"/file": b"12345", "/silent": b"1234567"}


class Handler(BaseHTTPRequestHandler):
    """Serves FILES; ``/silent`` does not tell its length to HEAD, ``/busy`` answers the second question only."""

    asked: list[str] = []  # noqa: RUF012 - of the class, since each request has a handler of its own

    def do_HEAD(self):
        self.asked.append(self.path)
        busy = self.path == "/busy" and self.asked.count("/busy") < 2
        path = "/file" if self.path == "/busy" else self.path
        self.send_response(503 if busy else 200 if path in FILES else 404)
        if not busy and path == "/file":
            self.send_header("Content-Length", str(len(FILES[path])))
        self.end_headers()

    def do_GET(self):
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-0/{len(FILES[self.path])}")
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(FILES[self.path][:1])

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    Handler.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def entry(size: int | None, *urls: str) -> Entry:
    return Entry(manifest="set", name="x", file="x", bytes=size, sha256="", urls=urls, licence="", cite="")


@pytest.mark.parametrize(("path", "size"), [("/file", 5), ("/silent", 7), ("/busy", 5)])
def test_the_size_is_found(address, path, size):
    assert size_of(address + path) == size


def test_faults_are_named(address):
    assert fault(address + "/file", 5) == fault(address + "/file", None) == ""
    assert fault(address + "/file", 6) == "holds 5 bytes, not 6"
    assert "404" in fault(address + "/gone", 5)


def test_one_good_address_is_enough_but_never_a_wrong_size(address):
    good, gone, other = address + "/file", address + "/gone", address + "/silent"
    assert check([entry(5, good, gone), entry(None)]) == []
    assert len(check([entry(5, gone)])) == 1
    assert check([entry(5, good, other)]) == [f"set/x: {other} holds 7 bytes, not 5"]


@pytest.mark.network
def test_every_host_still_serves_its_smallest_file():
    smallest: dict[str, tuple[int, str]] = {}
    for name in manifest_names():
        for one in manifest(name).files:
            for url in one.urls:
                host, found = urlsplit(url).netloc, (one.bytes or 0, url)
                smallest[host] = min(smallest.get(host, found), found)
    assert {url: text for size, url in smallest.values() if (text := fault(url, size or None))} == {}


def test_a_misspelt_manifest_is_refused():
    with pytest.raises(Exception, match="lytro"):
        main(["lytor"])
