"""Unpacking archives that came from elsewhere without trusting the paths in them."""

import shutil
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from mffrepro.errors import DataError, first_line
from mffrepro.images.temporary import temporary_beside

#: An archive may hold so many bytes, or so many times its own size, whichever is more; photographs hardly shrink in one.
MOST_BYTES, MOST_TIMES = 2**30, 100
#: How members of a zip file may be packed. Of the others Python unpacks 64 kB in one go, which can be a gigabyte, whatever size
#: the member states.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Most members of an archive; MS COCO has 118,000 photographs in one.
MOST_MEMBERS = 200_000
#: Kinds of tar members that hold the name or other facts of the next one, or of all.
DESCRIPTIONS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
#: How many bytes one such member may take in memory, and all together.
LONGEST_DESCRIPTION, MOST_DESCRIBED = 2**16, 2**24


def _limited_member() -> type[tarfile.TarInfo]:
    """Make the class that reads the heads of one archive, and refuses what would fill the memory before it is read."""

    class Member(tarfile.TarInfo):
        members = described = shared = 0

        @classmethod
        def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
            member = super().frombuf(buf, encoding, errors)
            cls.members += 1
            if member.type == tarfile.XGLTYPE:
                cls.shared += member.size
            cls.described += cls.shared + (member.size if member.type in DESCRIPTIONS else 0)  # Python copies what is shared
            if member.type in DESCRIPTIONS and member.size > LONGEST_DESCRIPTION:
                raise ValueError(f"a member has a name of over {LONGEST_DESCRIPTION} letters")
            if cls.members > MOST_MEMBERS or cls.described > MOST_DESCRIBED:
                raise ValueError("it has too many members, or too much is said of them")
            if member.type == tarfile.GNUTYPE_SPARSE:
                raise ValueError("a member is a sparse file")
            return member

        def _proc_gnusparse_10(self, *_: object) -> None:  # Python would read a list of any length
            raise ValueError("a member is a sparse file")

    return Member


def extract(archive: str | Path, folder: str | Path) -> Path:
    """Unpack a zip or tar file into a new folder, whole or not at all.

    It is unpacked under a temporary name beside `folder` and renamed, so a folder that exists is a complete one; nothing
    is done where it exists already.

    Args:
        archive: Zip, or tar with any compression Python knows.
        folder: Where the members go.

    Returns:
        `folder`.

    Raises:
        DataError: Not such an archive, damaged, far larger than it looks, or a member that would leave the folder, is a
            device, or is a link.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(folder)
    try:
        temporary.mkdir()
        _unpack(archive, temporary)
        temporary.rename(folder)
    except DataError:
        raise
    except Exception as error:  # parsers refuse damaged files by errors of many kinds
        if not folder.exists():  # else another process was faster, which is just as well
            reason = first_line(error)
            raise DataError(f"{archive} cannot be unpacked into {folder} ({reason}); check the disk, or fetch it again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        _unpack_zip(archive, folder)
    else:
        _unpack_tar(archive, folder)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        if len(file.infolist()) > MOST_MEMBERS:
            raise DataError(f"{archive} is refused: it has more than {MOST_MEMBERS} members; get it from its owner")
        _check_size(archive, sum(member.file_size for member in file.infolist()))
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            _check_member(member.filename, archive, is_plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
            if member.compress_type not in METHODS:
                raise DataError(f"{archive} is refused: its member {member.filename!r} is not deflated; get it from its owner")
        file.extractall(folder)


def _unpack_tar(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive, tarinfo=_limited_member()) as file:
            size = 0
            for member in file:
                _check_size(archive, size := size + member.size)
                _check_member(member.name, archive, is_plain=member.isreg() or member.isdir())
            file.extractall(folder, filter="data")  # without links, there is no way out of the folder
    except tarfile.ReadError:
        raise DataError(f"{archive} is neither a zip nor a tar file, or is damaged; fetch it again") from None


def _check_size(archive: Path, size: int) -> None:
    if size > max(MOST_BYTES, MOST_TIMES * archive.stat().st_size):
        raise DataError(f"{archive} is refused: it would unpack to {size / 2**30:.0f} GiB; get it from its owner")


def _check_member(path: str, archive: Path, *, is_plain: bool) -> None:
    """Refuse a path that leaves the folder, which Python's own extraction would strip silently, and all but files and folders.

    Links have led out of a folder past the checks of Python itself.
    """
    if leaves_folder(path):
        raise DataError(f"{archive} is refused: its member {path!r} would leave the folder; get it from its owner")
    if not is_plain:
        raise DataError(f"{archive} is refused: its member {path!r} is a link or a device; get it from its owner")


def leaves_folder(path: str) -> bool:
    """Tell whether a path in a foreign file leads out of its folder.

    It is asked for any system, since a backslash is a letter on some.
    """
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    return ".." in posix.parts or ".." in windows.parts or posix.is_absolute() or bool(windows.anchor)
