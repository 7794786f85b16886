"""Pages on how to cite, and on licences."""

import json
import re
from pathlib import Path

import pytest
import yaml

from mffrepro.book.cite import PAPERS, citation, licences
from mffrepro.book.layout import BookError
from mffrepro.data.manifests import manifest_names
from mffrepro.runtime import REPOSITORY

ROOT = Path(__file__).parents[2]


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
