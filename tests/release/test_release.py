"""The address of the project can be changed everywhere; what is published holds only what is tracked."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import distribution
import pytest
from copies import copy_tracked
from rename import ROOT, current, rename

import mffrepro
from mffrepro.runtime import REPOSITORY


@pytest.fixture
def copy(tmp_path) -> Path:
    """The tracked files as they are now, in a repository of their own."""
    return copy_tracked(tmp_path)


def test_the_address_is_that_of_the_package():
    assert current(ROOT) == REPOSITORY


@pytest.mark.slow
def test_a_renamed_project_agrees_with_itself(copy):
    rename(copy, "someone/focus-book")
    assert current(copy) == "someone/focus-book"
    left = subprocess.run(["git", "-C", str(copy), "grep", "-l", REPOSITORY], capture_output=True, text=True).stdout
    assert left == ""
    tests = ["tests/unit/test_repository.py", "tests/notebooks/test_chapters.py", "tests/network/test_constraints.py"]
    code = f"import sys; sys.path.insert(0, {str(copy)!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    wanted = "address or colab or configuration or bootstrap or step"
    command = [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", "-k", wanted, *tests]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("wrong", ["", "name", "a/b/c", "https://github.com/a/b", "a b/c"])
def test_what_is_no_address_is_refused(tmp_path, wrong):
    with pytest.raises(SystemExit, match="OWNER/NAME"):
        rename(tmp_path, wrong)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [True, False])
def test_packages_hold_weights_or_none(tmp_path, weights):
    pytest.importorskip("hatchling")
    try:
        tree = distribution.copy_tracked(tmp_path, weights)
    except subprocess.CalledProcessError:
        pytest.skip("not in a git checkout")
    wheel, source = distribution.build(tree, tmp_path / "dist")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith(".safetensors") for name in names) == weights
    assert any(re.search(r"dist-info/licenses/LICENSE$", name) for name in names)
    terms = [name for name in names if name.endswith("dist-info/licenses/mffrepro/weights/LICENCES.md")]
    assert len(terms) == weights, "the weights come with their licences"
    (metadata,) = (name for name in names if name.endswith("dist-info/METADATA"))
    described = zipfile.ZipFile(wheel).read(metadata).decode()
    assert ("mffrepro/weights/LICENCES.md" in described) == weights
    stated = re.search(r"^License-Expression: (.*)$", described, re.MULTILINE)[1]
    assert stated == ("MIT AND LicenseRef-mffrepro-weights" if weights else "MIT")
    assert source.stat().st_size < distribution.MOST_BYTES
    with tarfile.open(source) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    assert held - {"PKG-INFO"} == {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}


def small_project(folder: Path) -> Path:
    """The project with an empty package."""
    tree = folder / "tree"
    (tree / "mffrepro").mkdir(parents=True)
    (tree / "data_manifests").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    (tree / "mffrepro" / "__init__.py").write_text("")
    return tree


def test_a_package_that_is_too_large_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("hatchling")
    monkeypatch.setattr(distribution, "MOST_BYTES", 10)
    with pytest.raises(SystemExit, match="a package may have"):
        distribution.build(small_project(tmp_path), tmp_path / "dist")
    assert not list((tmp_path / "dist").glob("*"))


def test_only_what_this_build_made_is_tried(tmp_path):
    """A folder may hold an older version, or a build of another kind."""
    pytest.importorskip("hatchling")
    tree, target = small_project(tmp_path), tmp_path / "dist"
    target.mkdir()
    (target / "mffrepro-0.0.1-py3-none-any.whl").write_text("old")
    assert [path.name.partition("-")[2] for path in distribution.build(tree, target)] == [
        f"{mffrepro.__version__}-py3-none-any.whl",
        f"{mffrepro.__version__}.tar.gz",
    ]
    assert len(list(target.iterdir())) == 3


def test_builds_with_and_without_weights_do_not_replace_each_other():
    assert distribution.target_of(weights=True) == ROOT / "dist"
    assert distribution.target_of(weights=False) == ROOT / "dist" / "no-weights"


def test_what_only_extras_need_is_listed_and_marked(tmp_path, monkeypatch):
    there = ["numpy"]
    monkeypatch.setattr(distribution, "environment_with_lister", lambda folder: tmp_path / "lister")
    monkeypatch.setattr(distribution, "install", lambda python, words: there.append(words))

    def inventory(lister, python, path):
        return {"components": [{"name": name, "version": "1", "licenses": [{"expression": "MIT"}]} for name in there]}

    monkeypatch.setattr(distribution, "inventory", inventory)
    distribution.list_components(Path("a.whl"), tmp_path / "python", tmp_path, tmp_path)
    extras = ",".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    scopes = {part["name"]: part["scope"] for part in json.loads((tmp_path / "sbom.json").read_text())["components"]}
    assert scopes == {"numpy": "required", f"a.whl[{extras}]": "optional"}
    assert "| numpy | 1 | MIT | always |" in (tmp_path / "licences.md").read_text()


def test_licences_are_read_from_all_ways_in_which_they_are_stated():
    stated = [
        {"license": {"id": "MIT"}},
        {"license": {"name": "declared license file: LICENSE"}},
        {"license": {"name": "BSD License\nRedistribution and use"}},
    ]
    assert distribution.licence_of({"licenses": stated}) == "MIT; BSD License"
    assert distribution.licence_of({"licenses": [{"expression": "MIT OR Apache-2.0"}]}) == "MIT OR Apache-2.0"
    assert distribution.licence_of({}) == ""
