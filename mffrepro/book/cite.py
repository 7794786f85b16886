"""Write the pages that say how to cite the book and under which terms its parts may be used."""

import json
import re
from pathlib import Path

from mffrepro.book.layout import BookError
from mffrepro.data.manifests import manifest, manifest_names
from mffrepro.runtime import REPOSITORY

#: Keys of the five papers in the bibliography, in the order of the chapters.
PAPERS = ("tlcnn", "tlcolor", "li2018icacs", "cnnwt", "ma2022gacn")
#: Parts of the rendered pages that come from elsewhere.
PARTS = {
    "sphinx-book-theme, pydata-sphinx-theme, Sphinx": "BSD-3-Clause and BSD-2-Clause",
    "MathJax": "Apache-2.0",
    "icons of Font Awesome Free": "CC BY 4.0",
    "photographs that come with scikit-image": "public domain, or as its list of data says",
}


def citation(root: Path) -> str:
    """Write how to cite the software and the five papers, to be copied.

    Args:
        root: The checkout, with ``CITATION.cff`` and ``book/references.bib``.

    Raises:
        BookError: A paper is missing from the bibliography.
    """
    import yaml

    facts = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    software = {
        "author": "{" + " and ".join(one["name"] for one in facts["authors"]) + "}",
        "title": facts["title"],
        "version": facts["version"],
        "url": f"https://github.com/{REPOSITORY}",
        "note": "State the commit, which stands in the provenance of each chapter",
    }
    fields = "\n".join(f"  {name} = {{{value}}}," for name, value in software.items())
    entries = _entries((root / "book" / "references.bib").read_text(encoding="utf-8"))
    if missing := [key for key in PAPERS if key not in entries]:
        raise BookError(f"book/references.bib lacks the entry {missing[0]}; add it")
    return "\n".join(
        ["## The software", "", "```bibtex", "@software{mffrepro,", fields, "}", "```", "", "## The five papers", ""]
        + [f"```bibtex\n{entries[key]}\n```\n" for key in PAPERS]
    )


def _entries(bibliography: str) -> dict[str, str]:
    """Split a BibTeX file into its entries by key."""
    parts = re.split(r"\n(?=@)", bibliography)
    return {found[1]: part.strip() for part in parts if (found := re.match(r"@\w+\{([^,]+),", part))}


def licences_of_weights(weights: Path) -> str:
    """Write the list of licences that is installed with the weights.

    Args:
        weights: Folder of the shipped weights and their cards.
    """
    said = (
        "The code of mffrepro is under the MIT licence. The weights have the licences that their cards name, called",
        "LicenseRef-mffrepro-weights in the metadata of the package; *as this package* means the MIT licence.",
    )
    return "\n".join(["# Licences of the weights", "", *said, "", *_terms(weights)]) + "\n"


def _terms(weights: Path) -> list[str]:
    """Write the table of what each card says on its licence."""
    terms: dict[str, list[str]] = {}
    for path in sorted(weights.glob("*.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        terms.setdefault(card["licence"], []).append(card["name"])
    rows = [f"| {licence} | {', '.join(f'`{name}`' for name in names)} |" for licence, names in terms.items()]
    return ["| licence | weights |", "|---|---|", *rows]


def licences(weights: Path) -> str:
    """Write the terms of code, weights, data sets and parts of the pages.

    Args:
        weights: Folder of the shipped weights and their cards.
    """
    lines = ["## Weights trained here", "", *_terms(weights)]
    lines += ["", "## Data sets and published weights", "", "They are fetched on request, and are no part of the package.", ""]
    lines += ["| name | title | licence |", "|---|---|---|"]
    lines += [f"| `{name}` | {manifest(name).title} | {manifest(name).licence} |" for name in manifest_names()]
    lines += ["", "## Parts of these pages", "", "| part | licence |", "|---|---|"]
    return "\n".join([*lines, *(f"| {part} | {licence} |" for part, licence in PARTS.items())]) + "\n"
