"""Unpacking: complete or not at all, and never outside its folder."""

import io
import os
import stat
import tarfile
import tracemalloc
import zipfile

import pytest

from mffrepro.data import archives
from mffrepro.data.archives import extract
from mffrepro.errors import DataError


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def make_tar(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for member, content in members:
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def nothing_but(folder, *names):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_zip(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"in/one.txt": "1", "in/deep/two.txt": "2"})
    folder = extract(archive, tmp_path / "out")
    assert (folder / "in" / "deep" / "two.txt").read_text() == "2"
    assert nothing_but(tmp_path, "a.zip", "out")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar(tmp_path, mode):
    archive = make_tar(tmp_path / "a.tar", (tarfile.TarInfo("in/one.txt"), b"1"), mode=mode)
    folder = extract(archive, tmp_path / "out")
    assert (folder / "in" / "one.txt").read_text() == "1"


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    assert extract(tmp_path / "not there", tmp_path / "out") == tmp_path / "out"


@pytest.mark.parametrize("name", ["../out.txt", "in/../../out.txt", "/out.txt", "..\\out.txt", "C:\\out.txt"])
def test_zip_members_that_leave_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", {"fine.txt": "1", name: "2"})
    with pytest.raises(DataError, match="would leave the folder"):
        extract(archive, tmp_path / "sub" / "out")
    assert nothing_but(tmp_path / "sub")


def test_zip_links_are_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(entry, "/etc")
    with pytest.raises(DataError, match="link or a device"):
        extract(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize(
    "member",
    [
        (tarfile.TarInfo("../out.txt"), b"1"),
        link("in", "../../elsewhere"),
        link("in", "/etc"),
        link("in", "../../elsewhere", tarfile.LNKTYPE),
        link("in/same", "fine.txt"),
        link("in/same", "fine.txt", tarfile.LNKTYPE),
        (tarfile.TarInfo("/out.txt"), b"1"),
        link("fifo", "", tarfile.FIFOTYPE),
        link("device", "", tarfile.CHRTYPE),
    ],
    ids=["parent", "link out", "absolute link", "hard link out", "link inside", "hard link inside", "absolute", "fifo", "device"],
)
def test_tar_members_that_leave_are_refused(tmp_path, member):
    archive = make_tar(tmp_path / "a.tar", (tarfile.TarInfo("fine.txt"), b"1"), member)
    with pytest.raises(DataError, match="refused"):
        extract(archive, tmp_path / "sub" / "out")
    assert nothing_but(tmp_path / "sub")


def test_many_links_with_long_names_do_not_lead_out(tmp_path):
    """Python's own check gives up where a path is longer than the system allows, as sixteen links into each other make it."""
    long, steps, members = "d" * 247, "abcdefghijklmnop", []
    for number, step in enumerate(steps):
        folder = tarfile.TarInfo("/".join([*steps[:number], long]))
        folder.type = tarfile.DIRTYPE
        members += [(folder, b""), link("/".join([*steps[:number], step]), long)]
    members.append(link("/".join(steps) + "/" + "l" * 254, "../" * len(steps)))
    members.append(link("escape", "/".join(steps) + "/" + "l" * 254 + "/../../.."))
    members.append((tarfile.TarInfo("escape/out.txt"), b"1"))
    with pytest.raises(DataError, match="is a link or a device"):
        extract(make_tar(tmp_path / "a.tar", *members), tmp_path / "sub" / "deep" / "out")
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("cut", [100, 2000])
def test_damaged_archives_leave_nothing(tmp_path, cut):
    whole = make_zip(tmp_path / "a.zip", {"one.bin": os.urandom(5000)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"a\.zip"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert nothing_but(tmp_path, "a.zip")


def test_a_truncated_tar_leaves_nothing(tmp_path):
    archive = make_tar(tmp_path / "a.tar", (tarfile.TarInfo("one.bin"), os.urandom(50_000)))
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(DataError, match="fetch it again"):
        extract(archive, tmp_path / "out")
    assert nothing_but(tmp_path, "a.tar")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archives, "MOST_BYTES", 2**20)
    zeros = bytes(2**22)
    if make is make_zip:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("zeros", zeros)
    else:
        path = make_tar(tmp_path / "a.tgz", (tarfile.TarInfo("zeros"), zeros))
    with pytest.raises(DataError, match="would unpack to"):
        extract(path, tmp_path / "out")
    assert nothing_but(tmp_path, path.name)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_that_would_fill_the_memory_is_refused(tmp_path, format):
    with tarfile.open(tmp_path / "a.tgz", "w:gz", format=format) as file:
        file.addfile(tarfile.TarInfo("n" * 20_000_000))
    tracemalloc.start()
    with pytest.raises(DataError, match="a name of over 65536 letters"):
        extract(tmp_path / "a.tgz", tmp_path / "out")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert nothing_but(tmp_path, "a.tgz")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_too_many_members_are_refused(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    if make is make_zip:
        path = make_zip(tmp_path / "a.zip", {str(number): "" for number in range(4)})
    else:
        path = make_tar(tmp_path / "a.tgz", *[(tarfile.TarInfo("a"), b"")] * 4)
    with pytest.raises(DataError, match="members"):
        extract(path, tmp_path / "out")
    assert nothing_but(tmp_path, path.name)


@pytest.mark.parametrize("shared", [False, True])
def test_names_that_fill_the_memory_together_are_refused(tmp_path, monkeypatch, shared):
    monkeypatch.setattr(archives, "MOST_DESCRIBED", 10_000)
    with tarfile.open(tmp_path / "a.tgz", "w:gz", pax_headers={"comment": "c" * 1500} if shared else {}) as file:
        for number in range(12):
            file.addfile(tarfile.TarInfo("a" if shared else f"{number:01000}"))
    with pytest.raises(DataError, match="too much is said of them"):
        extract(tmp_path / "a.tgz", tmp_path / "out")
    assert nothing_but(tmp_path, "a.tgz")


def test_sparse_files_are_refused(tmp_path):
    """Python reads the list of their parts into memory, however long it is."""
    old, new = tarfile.TarInfo("a"), tarfile.TarInfo("a")
    old.type = tarfile.GNUTYPE_SPARSE
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a", "GNU.sparse.realsize": "0"}
    for member in (old, new):
        make_tar(tmp_path / "a.tgz", (member, b"1000000000\n".ljust(1024, b"0")))
        with pytest.raises(DataError, match="a member is a sparse file"):
            extract(tmp_path / "a.tgz", tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_limit_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as file:
        file.writestr("one.txt", "1")
    with pytest.raises(DataError, match=r"'one\.txt' is not deflated; get it from its owner"):
        extract(tmp_path / "a.zip", tmp_path / "out")
    assert nothing_but(tmp_path, "a.zip")


def test_a_name_that_is_no_text_leaves_nothing(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"é.txt": b"1"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(DataError, match=r"a\.zip"):
        extract(path, tmp_path / "out")
    assert nothing_but(tmp_path, "a.zip")
