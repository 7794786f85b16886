"""Build what is published, and try it where nothing else is installed (``make dist``).

    python tests/release/distribution.py [--no-weights]

Into ``dist``: wheel, source archive, a list of all components (CycloneDX), those of the extras marked as optional, and a table of
their licences. ``--no-weights`` leaves out the trained weights, some of which may not be used commercially, and with them the
licence that differs from that of the code; what it builds has the same file names, so it goes to ``dist/no-weights``.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_BYTES = 30_000_000
LISTER = "cyclonedx-bom>=7,<8"


def copy_tracked(folder: Path, weights: bool) -> Path:
    """Copy what git tracks, as committed; nothing that lies about can get into a package."""
    archive = folder / "tracked.tar"
    subprocess.run(["git", "-C", str(ROOT), "archive", "--format=tar", "-o", str(archive), "HEAD"], check=True)
    tree = folder / "tree"
    with tarfile.open(archive) as file:
        file.extractall(tree, filter="data")
    if not weights:
        for path in (tree / "mffrepro" / "weights").iterdir():
            path.unlink()
        (tree / "mffrepro" / "weights" / "README.md").write_text(
            'This build holds no trained weights; `weights="published"` fetches the authors\'.\n'
        )
        project = tree / "pyproject.toml"
        text = project.read_text().replace(" AND LicenseRef-mffrepro-weights", "").replace(', "mffrepro/weights/LICENCES.md"', "")
        project.write_text(text)
        readme = tree / "README.md"
        terms = re.compile(r"The weights in the package have.*?same holds for these weights\.", re.DOTALL)
        text, found = terms.subn("This build holds no weights.", readme.read_text())
        assert found == 1, "README.md states the licences of the weights in other words"
        readme.write_text(text)
    return tree


def target_of(weights: bool) -> Path:
    """The folder of a build: file names do not say whether weights are inside."""
    return ROOT / "dist" if weights else ROOT / "dist" / "no-weights"


def build(tree: Path, target: Path) -> list[Path]:
    """Build wheel and source archive, and put them into a folder that may hold others."""
    new = tree.with_name("new")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(new)], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    built = sorted(new.glob("*.whl")) + sorted(new.glob("*.tar.gz"))
    for path in built:
        if path.stat().st_size > MOST_BYTES:
            sys.exit(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; a package may have {MOST_BYTES / 1e6:.0f}")
    target.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.move(path, target / path.name)) for path in built]


def install(python: Path, words: str) -> None:
    """Install something into an environment, with the locked versions of its dependencies."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    lock = python.parents[1] / "versions.txt"  # without hashes, so that they only constrain
    lock.write_text("".join(line.removesuffix(" \\") + "\n" for line in lines if line[:1].isalnum()))
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", words, "--constraint", str(lock)], check=True)


def try_in_new_environment(package: Path, folder: Path, weights: bool) -> Path:
    """Install a package with the locked versions of its dependencies and use it from an empty folder; return the interpreter."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install(python, str(package))
    empty = folder / "empty"
    empty.mkdir()
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MFFREPRO_MIRROR", "MFFREPRO_CACHE")}
    check = [str(python), "-I", str(Path(__file__).with_name("use.py")), "weights" if weights else "no-weights"]
    subprocess.run(check, cwd=empty, env=clean, check=True)
    return python


def environment_with_lister(folder: Path) -> Path:
    """Install the program that lists components; return it."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", LISTER], check=True)
    return folder / "bin" / "cyclonedx-py"


def inventory(lister: Path, python: Path, path: Path) -> dict:
    """List what an environment holds, by way of a file."""
    command = [str(lister), "environment", "--output-reproducible", "--gather-license-texts", str(python), "-o", str(path)]
    subprocess.run(command, check=True)
    return json.loads(path.read_text())


def list_components(package: Path, python: Path, folder: Path, target: Path) -> list[dict]:
    """Write the list of components and the table of their licences; return the components.

    The environment holds the package and what it always needs. What its extras need is added, and marked as optional.
    """
    lister = environment_with_lister(folder)
    sbom = target / "sbom.json"
    always = {part["name"] for part in inventory(lister, python, sbom)["components"]}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    install(python, f"{package}[{','.join(extras)}]")
    whole = inventory(lister, python, sbom)
    for part in whole["components"]:
        part["scope"] = "required" if part["name"] in always else "optional"
    sbom.write_text(json.dumps(whole, indent=2) + "\n")
    need = {"required": "always", "optional": "by extras"}
    rows = sorted((part["name"], part["version"], licence_of(part), need[part["scope"]]) for part in whole["components"])
    lines = ["| package | version | licence | needed |", "| --- | --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in rows)]
    (target / "licences.md").write_text("\n".join(lines) + "\n")
    return whole["components"]


def licence_of(component: dict) -> str:
    """The licences of a component in words, empty where it states none."""
    said = []
    for each in component.get("licenses", []):
        licence = each.get("license", {})
        words = each.get("expression") or licence.get("id") or licence.get("name", "")
        if not words.startswith("declared license file"):
            said.append(words.splitlines()[0] if words else "")
    return "; ".join(dict.fromkeys(filter(None, said)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-weights", action="store_true")
    given = parser.parse_args()
    weights = not given.no_weights
    target = target_of(weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(copy_tracked(folder, weights), target)
        pythons = []
        for number, package in enumerate(built):
            pythons.append(try_in_new_environment(package, folder / f"environment{number}", weights))
            print(f"{package.name}: {package.stat().st_size / 1e6:.1f} MB, installs and works", flush=True)
        components = list_components(built[0], pythons[0], folder / "lister", target)
    silent = [part["name"] for part in components if not licence_of(part)]
    print(f"{len(components)} components; licence not stated: {', '.join(silent) or 'none'}")


if __name__ == "__main__":
    main()
