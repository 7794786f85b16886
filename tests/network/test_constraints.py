"""The worlds that ``make colab`` and ``make oldest`` build hold what the package asks for."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import run_in_colab
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from mffrepro.runtime import OLDEST_TORCH, REPOSITORY

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What the chapters import: some train a network, none exports one.
WANTED = [Requirement(line) for line in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["train"])]


def pinned(world: str) -> dict[str, list[Version]]:
    """Project -> the versions that a file of constraints pins, one for each Python."""
    lines = (ROOT / "tests" / "network" / f"{world}-constraints.txt").read_text().splitlines()
    versions: dict[str, list[Version]] = {}
    for line in (line.partition("#")[0].strip() for line in lines):
        if line:
            requirement = Requirement(line)
            pins = versions.setdefault(canonicalize_name(requirement.name), [])
            pins += [Version(one.version) for one in requirement.specifier]
    return versions


@pytest.mark.parametrize("world", ["colab", "oldest"])
def test_each_dependency_is_pinned_to_a_version_that_the_package_accepts(world):
    pins = pinned(world)
    for requirement in WANTED:
        versions = pins[canonicalize_name(requirement.name)]
        assert versions
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_oldest_are_the_lower_bounds():
    pins = pinned("oldest")
    for requirement in WANTED:
        (bound,) = (Version(one.version) for one in requirement.specifier)
        (version,) = pins[canonicalize_name(requirement.name)]
        assert version.release[: len(bound.release)] == bound.release, requirement


def test_a_chapter_warns_below_the_oldest_torch():
    (version,) = pinned("oldest")["torch"]
    assert version.release[:2] == OLDEST_TORCH


def test_the_redirected_address_is_that_of_the_bootstrap():
    assert run_in_colab.REPOSITORY == REPOSITORY
    assert f"git+https://github.com/{REPOSITORY}@main" in (ROOT / "notebooks" / "00_quickstart.py").read_text()


def test_a_checkout_without_history_is_refused(tmp_path):
    """Git would go on fetching for ever when pip clones from a clone of it."""
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    git = ["git", "-C", str(whole), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", str(whole)], check=True)
    for message in ("first", "second"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], check=True)
    subprocess.run(["git", "clone", "-q", "--depth", "1", whole.as_uri(), str(shallow)], check=True)
    with pytest.raises(SystemExit, match=r"has no history.*--unshallow"):
        run_in_colab.clone_instead(shallow, str(tmp_path))
