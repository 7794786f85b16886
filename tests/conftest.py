"""What all tests share: no network, no window, few threads, and where the files outside the repository lie."""

import os
import socket
from pathlib import Path

import pytest

# Before anything imports matplotlib or torch.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need the network run only where ``-m network`` asks for them, those for a GPU only where there is one."""
    asked = "network" in (config.option.markexpr or "")
    for item in items:
        if item.get_closest_marker("network") and not asked:
            item.add_marker(pytest.mark.skip(reason="needs the network; run with -m network"))
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails, even where the code under test would swallow the error."""
    if request.node.get_closest_marker("network"):
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if self.family != socket.AF_UNIX:
            _refuse_unless_loopback(address[0])
        return connect(self, address)

    def guarded_look_up(host, *args, **options):
        _refuse_unless_loopback(host)
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


def _refuse_unless_loopback(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name and not name.startswith(LOOPBACK):
        pytest.fail(f"this test reaches for {name}; tests run without a network, or are marked network")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder with published files and their SHA256SUMS."""
    return _folder("MFFREPRO_MIRROR")


@pytest.fixture(scope="session")
def goldens() -> Path:
    """Folder with the numbers and tensors of published code on photographs."""
    return _folder("MFFREPRO_GOLDENS")


def _folder(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set")
    return Path(folder)
