"""Find the git checkout that this package runs from, and say where numbers of this run come from."""

import json
import subprocess
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mffrepro.data.manifests import manifest_folder
from mffrepro.errors import DataError


def checkout() -> Path:
    """Find the git checkout that this package runs from.

    Raises:
        DataError: It runs from somewhere else.
    """
    root = manifest_folder().parent
    if not ((root / ".git").exists() and (root / "pyproject.toml").exists()):
        raise DataError(f"{root} is not a git checkout; clone the repository and run pip install -e . in it")
    return root


def origin(device: str) -> dict[str, str]:
    """Describe where numbers of this run come from: commit, device and date.

    Args:
        device: The machine in words.

    Raises:
        DataError: The package is not in a git checkout.
    """
    return {"commit": _commit(), "device": device, "date": time.strftime("%Y-%m-%d", time.gmtime())}


def _commit() -> str:
    """Return the short hash of the commit; a plus says that the package differed from it."""
    return _git("rev-parse", "--short=10", "HEAD") + "+" * bool(_git("status", "--porcelain", "--", "mffrepro"))


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(checkout()), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise DataError(
            f"git cannot tell the commit of this checkout ({type(error).__name__}); install git, or commit once"
        ) from None


def installed_commit() -> str:
    """Return the commit that this package comes from, as far as it is known.

    A checkout says so itself. Where pip installed the package from a repository, pip noted it; else it is ``"unknown"``.
    """
    try:
        return _commit()
    except DataError:
        pass
    try:
        noted = distribution("mffrepro").read_text("direct_url.json") or "{}"
    except PackageNotFoundError:
        noted = "{}"
    return json.loads(noted).get("vcs_info", {}).get("commit_id", "unknown")[:10]
