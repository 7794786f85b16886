"""Say in Markdown what a renewed lock changes: versions, and recorded numbers that come out otherwise with them.

    python tests/network/lock_changes.py OLD NEW [--dataset gacn26 --stacks 3]

OLD and NEW are lock files; the numbers are measured with the packages that are installed.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

import mffrepro as mff
from mffrepro.benchmarks import drift, read_record
from mffrepro.data import Dataset

#: Methods and metrics that together touch every numerical library, in seconds.
METHODS = ("average", "lp", "dtcwt", "gff", "dsift", "gacn", "tlcnn", "ifcnn")
METRICS = ("qabf", "qg", "qy", "mi", "qncie", "qcb", "viff", "fmi_dct")


def pins(text: str) -> dict[str, str]:
    """Package -> pinned version, or versions for several platforms with a comma."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!-]+)", text, re.MULTILINE):
        found.setdefault(name, []).append(version)
    return {name: ", ".join(dict.fromkeys(versions)) for name, versions in found.items()}


def versions(old: str, new: str) -> pd.DataFrame:
    """The packages whose versions differ, with both; empty where one side lacks the package."""
    before, after = pins(old), pins(new)
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return pd.DataFrame([{"package": n, "before": before.get(n, ""), "after": after.get(n, "")} for n in names])


def numbers(dataset: str, stacks: int) -> pd.DataFrame:
    """The recorded values of some methods and metrics on the first stacks that come out otherwise now."""
    data = mff.load(dataset)
    some = Dataset(data.name, {name: lambda name=name: data[name] for name in data.names[:stacks]})
    return drift(mff.benchmark(list(METHODS), some, list(METRICS), progress=False), read_record(dataset))


def table(frame: pd.DataFrame, nothing: str) -> str:
    """A table in Markdown."""
    if frame.empty:
        return nothing
    lines = [list(frame.columns), ["---"] * frame.shape[1], *frame.astype(object).values.tolist()]
    return "\n".join("| " + " | ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--dataset", default="gacn26")
    parser.add_argument("--stacks", type=int, default=3)
    given = parser.parse_args()
    print("## Versions\n\n" + table(versions(given.old.read_text(), given.new.read_text()), "No version changes."))
    print(f"\n## Recorded numbers of {given.dataset}\n")
    print(table(numbers(given.dataset, given.stacks), f"Equal on the first {given.stacks} stacks."))


if __name__ == "__main__":
    main()
