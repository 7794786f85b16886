"""Move the project to another address: in badges, buttons, bootstraps, workflows and the constant that they repeat.

python tests/release/rename.py OWNER/NAME
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def current(root: Path) -> str:
    """The address that the package names."""
    return re.search(r'^REPOSITORY = "(.+)"$', (root / "mffrepro" / "runtime.py").read_text(), re.MULTILINE)[1]


def site(address: str) -> str:
    """Where GitHub publishes the pages of a repository."""
    return "{}.github.io/{}".format(*address.split("/"))


def rename(root: Path, new: str) -> list[Path]:
    """Replace the address in all tracked files; return those that changed."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*/[\w.-]+", new):
        sys.exit(f"{new!r} is no address of a repository; give OWNER/NAME")
    before = current(root)
    old = re.compile(rf"(?<![\w.-]){re.escape(before)}(?![\w-])")
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    changed = []
    for path in (root / name for name in listed.split("\0") if name):
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        if (renamed := old.sub(new, text.replace(site(before), site(new)))) != text:
            path.write_text(renamed, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the new address: make rename TO=OWNER/NAME")
    for path in rename(ROOT, sys.argv[1]):
        print(path.relative_to(ROOT))
