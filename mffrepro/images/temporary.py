"""Temporary names beside a target, for what is renamed to it once it is complete."""

import glob
import os
import platform
import re
import secrets
import shutil
import zlib
from pathlib import Path

#: Stands for this machine in the names: others may share the folder.
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"


def temporary_beside(path: Path) -> Path:
    """Return an unused hidden name in the folder of a target.

    What a killed process left of the same target is removed.

    Args:
        path: The file or folder that will be complete.
    """
    _remove_leftovers(path)
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.{secrets.token_hex(4)}")


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files and folders of a target whose process, on this machine, has ended."""
    if os.name != "posix":  # elsewhere asking for a process can end it
        return
    name = re.compile(re.escape(f".{path.name}.{_HOST}-") + r"(\d+)\.\w+")
    for other in path.parent.glob(f".{glob.escape(path.name)}.{_HOST}-*"):
        if not (match := name.fullmatch(other.name)) or _is_alive(int(match[1])):
            continue
        if other.is_dir() and not other.is_symlink():
            shutil.rmtree(other, ignore_errors=True)
        else:
            other.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
