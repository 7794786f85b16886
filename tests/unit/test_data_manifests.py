"""The manifests themselves, and the reader of them."""

import csv
import re

import pytest

from mffrepro.data import manifests
from mffrepro.data.manifests import manifest, manifest_folder, manifest_names
from mffrepro.errors import DataError, OptionError

ALL = [
    "bsds500", "coco2017", "dictionaries", "gacn26", "gray10", "gray19", "lytro", "lytro_triples", "mffw", "mffw3", "mfi_whu",
    "mfifb", "networks", "pcb", "v4stack", "voc2012",
]  # fmt: skip
REPOSITORY = r"(raw\.githubusercontent\.com/[^/]+/[^/]+/|github\.com/[^/]+/[^/]+/raw/|cdn\.jsdelivr\.net/gh/[^/]+/[^/]+@)"
PINNED = re.compile(rf"https://{REPOSITORY}[0-9a-f]{{40}}/")


def test_the_manifests_are_these():
    assert manifest_names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_rows_are_complete(name):
    described = manifest(name)
    names = [entry.name for entry in described.files]
    assert len(set(names)) == len(names) > 0
    assert all([described.title, described.description, described.licence, described.citation])
    for entry in described.files:
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert entry.bytes > 0
        assert len(entry.urls) >= 2 or entry.package
        assert entry.licence
        assert entry.cite
        assert ".." not in entry.file


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("voc2012", "coco2017")])
def test_repository_addresses_pin_a_commit(name):
    assert all(PINNED.match(url) for entry in manifest(name).files for url in entry.urls)


@pytest.mark.parametrize(("name", "stacks", "files"), [("gacn26", 26, 52), ("lytro", 20, 40), ("v4stack", 1, 17)])
def test_stacks_are_complete(name, stacks, files):
    described = manifest(name)
    assert (described.stacks, len(described.files)) == (stacks, files)
    assert len({entry.stack for entry in described.files}) == stacks


def test_lytro_shares_its_files_with_gacn26():
    files = {entry.file: entry.sha256 for entry in manifest("gacn26").files}
    assert all(files[entry.file] == entry.sha256 for entry in manifest("lytro").files)


def test_every_photograph_of_bsds500_has_its_truth():
    names = {entry.name for entry in manifest("bsds500").files}
    photographs = {name for name in names if name.startswith("images/")}
    assert len(photographs) == manifest("bsds500").stacks == 300
    assert names - photographs == {n.replace("images/", "groundTruth/").replace(".jpg", ".mat") for n in photographs}


def test_unknown_names_get_a_suggestion():
    with pytest.raises(OptionError, match="did you mean 'lytro'"):
        manifest("lytr0")
    with pytest.raises(OptionError, match=r"did you mean 'gacn\.published'"):
        manifest("networks").entry("gcan.published")


HEAD = "kind = 'files'\ntitle = ''\ndescription = ''\ncitation = ''\nstacks = 0\nlicence = ''\ncite = ''\n"


@pytest.mark.parametrize(
    "text",
    ["title = ", "kind = 'stacks'", "licence = ''\ncite = ''\nfile = [{name = 'a', colour = 1}]", HEAD + "file = 3"]
    + [HEAD + f"file = [{{name = 'a', file = {path!r}, sha256 = '', urls = []}}]" for path in ("../a", "/a", "b/../../a")],
)
def test_a_broken_manifest_is_named(tmp_path, monkeypatch, text):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "broken.toml").write_text(text)
    monkeypatch.setattr(manifests, "manifest_folder", lambda: tmp_path)
    with pytest.raises(DataError, match=r"broken\.toml"):
        manifest("broken")


ROW = {"name": "'a'", "sha256": "''", "urls": "[]"}
WRONG = ("5", "true", "1.5", "'x'", "[1]", "['x']", "{a = 1}", "2020-01-01")
OF_ROWS = {
    "bytes": "5",
    "name": "'x'",
    "file": "'x'",
    "sha256": "'x'",
    "licence": "'x'",
    "cite": "'x'",
    "stack": "'x'",
    "urls": "['x']",
}


@pytest.mark.parametrize(("field", "right"), [*OF_ROWS.items(), ("package", "")])
def test_fields_of_a_wrong_type_are_named(tmp_path, field, right):
    path = tmp_path / "broken.toml"
    for wrong in set(WRONG) - {right}:
        row = ", ".join(f"{name} = {value}" for name, value in (ROW | {field: wrong}).items())
        path.write_text(f"{HEAD}file = [{{{row}}}]")
        manifests._read.cache_clear()
        with pytest.raises(DataError, match=r"broken\.toml cannot be used .*; install mffrepro again"):
            manifests._read(path)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("name", "thing @ file:///srv/thing.tar.gz#"), ("name", "--no-index"), ("version", "1 ; x"), ("sha256", "0" * 63)],
)
def test_a_package_that_pip_would_take_for_something_else_is_refused(tmp_path, field, wrong):
    """A requirement with an address makes pip build a source archive, and so run what is in it."""
    package = {"name": "thing", "version": "1.0", "sha256": "0" * 64, "member": "w"}
    path = tmp_path / "broken.toml"
    for fields in (package, package | {field: wrong}):
        inside = ", ".join(f"{key} = '{value}'" for key, value in fields.items())
        path.write_text(f"{HEAD}file = [{{name = 'a', sha256 = '', urls = [], package = {{{inside}}}}}]")
        manifests._read.cache_clear()
        if fields == package:
            assert manifests._read(path).files[0].package == manifests.Package(**package)
    with pytest.raises(DataError, match=rf"broken\.toml cannot be used .* is no {field} of a package"):
        manifests._read(path)


@pytest.mark.parametrize("field", ["kind", "title", "description", "licence", "citation", "cite", "stacks"])
def test_fields_of_a_table_of_a_wrong_type_are_named(tmp_path, field):
    path = tmp_path / "broken.toml"
    right = {"5"} if field == "stacks" else {"'x'"}
    for wrong in set(WRONG) - right:
        path.write_text(re.sub(f"^{field} = .*$", f"{field} = {wrong}", HEAD, flags=re.MULTILINE) + "file = []")
        manifests._read.cache_clear()
        with pytest.raises(DataError, match=rf"broken\.toml cannot be used .*{field} is"):
            manifests._read(path)


def test_a_manifest_that_is_no_text_is_named(tmp_path):
    (tmp_path / "broken.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(DataError, match=r"broken\.toml"):
        manifests._read(tmp_path / "broken.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[\n" * 20_000, "RecursionError"),
        (".".join(["a"] * 301) + " = 1", "a line has more than 600 letters"),
        ("a = 1\n" * 200_000, "more than 1000000 bytes"),
        ("a = 1" + "\n" * 300 + "b = '" + "c" * 500 + "\n'", "TOMLDecodeError"),
    ],
)
def test_a_hostile_manifest_is_named(tmp_path, text, said):
    (tmp_path / "broken.toml").write_text(text)
    with pytest.raises(DataError, match=rf"^manifest broken\.toml cannot be used .*{said}.*; install mffrepro again$") as caught:
        manifests._read(tmp_path / "broken.toml")
    assert len(str(caught.value)) < 250


def test_reported_numbers_are_tables():
    files = [*(manifest_folder() / "papers" / "reported").glob("*.csv"), manifest_folder() / "papers" / "claims.csv"]
    assert len(files) > 5
    for file in files:
        with open(file, newline="", encoding="utf-8") as lines:
            rows = list(csv.reader(lines))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}, file
