"""Pages on how to cite, and on licences. ``python tests/unit/test_book_cite.py`` writes the list of licences anew."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from mffrepro.book.cite import PAPERS, citation, licences, licences_of_weights
from mffrepro.book.layout import BookError
from mffrepro.data.manifests import manifest_names
from mffrepro.runtime import REPOSITORY

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "mffrepro" / "weights"


def test_software_and_papers_can_be_copied():
    page = citation(ROOT)
    blocks = re.findall(r"```bibtex\n(@\w+\{([^,]+),\n.*?\n\})\n```", page, re.DOTALL)
    assert [key for _, key in blocks] == ["mffrepro", *PAPERS]
    assert all(text.count("{") == text.count("}") for text, _ in blocks)
    version = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert f"version = {{{version}}}" in blocks[0][0]
    assert REPOSITORY in blocks[0][0]
    assert "10.1016/j.neucom.2021.10.115" in blocks[-1][0]


def test_a_paper_that_is_missing_is_named(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "CITATION.cff").write_text((ROOT / "CITATION.cff").read_text())
    (tmp_path / "book" / "references.bib").write_text("@misc{tlcnn,\n  title = {A},\n}\n")
    with pytest.raises(BookError, match="lacks the entry tlcolor"):
        citation(tmp_path)


def test_every_weight_and_data_set_has_its_terms():
    weights = ROOT / "mffrepro" / "weights"
    page = licences(weights)
    for path in weights.glob("*.json"):
        facts = json.loads(path.read_text())
        assert re.search(rf"^\| {re.escape(facts['licence'])} \|.*`{re.escape(facts['name'])}`", page, re.MULTILINE)
    for name in manifest_names():
        assert f"| `{name}` |" in page


def test_the_list_of_licences_beside_the_weights_is_that_of_their_cards():
    """It is installed with the weights, whose licence is not that of the code."""
    assert (WEIGHTS / "LICENCES.md").read_text() == licences_of_weights(WEIGHTS)


def test_the_licence_of_the_package_names_weights_beside_code():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT AND LicenseRef-mffrepro-weights"
    assert "LicenseRef-mffrepro-weights" in (WEIGHTS / "LICENCES.md").read_text()
    assert set(project["license-files"]) == {"LICENSE", "mffrepro/weights/LICENCES.md"}


if __name__ == "__main__":
    (WEIGHTS / "LICENCES.md").write_text(licences_of_weights(WEIGHTS))
