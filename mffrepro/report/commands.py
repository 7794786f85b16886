"""Run commands of the package as a reader would, and show what they print."""

import shlex
import subprocess
import sys
from pathlib import Path

from mffrepro.errors import OptionError


def run_command(line: str, folder: Path, *, code: int = 0) -> str:
    """Run a command of mffrepro in a folder.

    Args:
        line: As typed into a shell: ``"mffrepro fuse near.jpg far.jpg -o fused.png"``; no pipes and no patterns of file names.
        folder: Where it runs.
        code: The exit code that it must have.

    Returns:
        The line after a dollar sign, then what it prints: notes first, then results.

    Raises:
        OptionError: The line is no command of mffrepro, or ends with another exit code.
    """
    program, *arguments = shlex.split(line)
    if program != "mffrepro":
        raise OptionError(f"{program} is not run here; give a line that begins with mffrepro")
    done = subprocess.run(
        [sys.executable, "-m", "mffrepro", *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != code:
        raise OptionError(f"{line!r} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return "\n".join(text for text in (f"$ {line}", done.stderr.strip(), done.stdout.strip()) if text)
