"""Files in a folder where anybody may have put anything: no link is followed, nothing but a regular file is read.

All paths below the operator's folder are walked one step at a time, relative to an open folder, so that a link put there between
a look and a step leads nowhere.
"""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from learnae.errors import TooLargeError, UnavailableError
from learnae_localfs.layout import TEMPORARY

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_STALE_S = 3600.0

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the folder is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a symbolic link is in the way, and none is followed here",
    errno.ENOTDIR: "something that is no folder, perhaps a symbolic link, is in the way",
    errno.EISDIR: "a folder is in the way",
    errno.ESTALE: "the network mount lost it",
    errno.ENOENT: "it is not there; is it mounted?",
}


def reason(error: OSError) -> str:
    """Say in plain words why something failed."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


@contextlib.contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn an ``OSError`` into an ``UnavailableError`` which says what was tried, and why it failed."""
    try:
        yield
    except OSError as exc:
        message = f"cannot {action}: {reason(exc)}"
        raise UnavailableError(message) from exc


@contextlib.contextmanager
def opened_folder(root: Path, parts: Sequence[str] = ()) -> Iterator[int]:
    """Open a folder below the root for reading.

    Raises:
        UnavailableError: The root itself cannot be opened.
        FileNotFoundError: Some part is not there.
        OSError: Some part is no folder, or cannot be read.
    """
    with explained(f"open the folder {root}"):
        folder = os.open(root, _FOLDER)
    try:
        for part in parts:
            folder = _step(folder, part)
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def made_folder(root: Path, shared: Sequence[str], own: str, *, fsync: bool) -> Iterator[int]:
    """Open an own folder for writing, and make it and what lies between it and the root where that is missing.

    The shared folders between get the root's permissions, so that whoever may write to the root may take part.

    Raises:
        UnavailableError: The root itself cannot be opened.
        OSError: Some part is no folder, or cannot be made.
    """
    with explained(f"open the folder {root}"):
        folder = os.open(root, _FOLDER)
    try:
        mode = stat.S_IMODE(os.fstat(folder).st_mode)
        for part in shared:
            folder = _step(folder, part, make=mode, fsync=fsync)
        folder = _step(folder, own, make=0, fsync=fsync)
        yield folder
    finally:
        os.close(folder)


def _step(folder: int, name: str, *, make: int | None = None, fsync: bool = False) -> int:
    """Go from an open folder to one below it, and close the first if that works.

    Args:
        folder: An open folder.
        name: Of the one below.
        make: The permissions of a new one, 0 for the usual ones; with ``None``, none is made.
        fsync: Whether a new one is to be durable.
    """
    try:
        below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if make is None:
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o777, dir_fd=folder)
        below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        if make:
            with contextlib.suppress(OSError):  # a file system without permissions, or another made it
                os.fchmod(below, make)
        if fsync:
            os.fsync(folder)
    os.close(folder)
    return below


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file as a folder lists it.

    Attributes:
        mark: Changes when the file does, as far as the file system tells: modification time in ns, size in bytes, inode.
    """

    name: str
    mark: tuple[int, int, int]


def list_files(folder: int, *, at_most: int) -> Iterator[Entry]:
    """Go over the regular files of an open folder, without links, in no order; at most so many names are looked at."""
    for name, status in _look(folder, at_most):
        if stat.S_ISREG(status.st_mode):
            yield Entry(name, (status.st_mtime_ns, status.st_size, status.st_ino))


def list_folders(folder: int, *, at_most: int) -> Iterator[Entry]:
    """Go over the folders in an open folder, without links, in no order; at most so many names are looked at."""
    for name, status in _look(folder, at_most):
        if stat.S_ISDIR(status.st_mode):
            yield Entry(name, (status.st_mtime_ns, status.st_size, status.st_ino))


def _look(folder: int, at_most: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for _, entry in zip(range(at_most), entries, strict=False):
            if entry.name.startswith("."):
                continue
            with contextlib.suppress(OSError):  # gone since, or not ours to look at
                yield entry.name, entry.stat(follow_symlinks=False)


def open_file(folder: int, name: str) -> int:
    """Open a regular file for reading, whatever else somebody put there under this name.

    Raises:
        FileNotFoundError: Nothing, or nothing but a link, a pipe, a device or a folder is there.
        OSError: It cannot be read.
    """
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError as exc:
        if exc.errno in {errno.ELOOP, errno.EMLINK, errno.ENXIO}:
            raise FileNotFoundError(errno.ENOENT, "no regular file", name) from exc
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "no regular file", name)
    return file


def read_file(folder: int, name: str, *, max_bytes: int) -> bytes:
    """Read a whole regular file.

    Raises:
        TooLargeError: It has more than ``max_bytes``; nothing was read, or it grew meanwhile.
        FileNotFoundError: Nothing, or no regular file, is there.
        OSError: It cannot be read.
    """
    with os.fdopen(open_file(folder, name), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > max_bytes else file.read(size + 1)
    if size > max_bytes or len(data) > max_bytes:
        message = f"{name} has {max(size, len(data))} bytes, more than the {max_bytes} allowed"
        raise TooLargeError(message)
    return data


def write_file(folder: int, name: str, *parts: bytes, fsync: bool) -> None:
    """Write a file so that a reader sees the whole of it or what was there before, whenever this process dies.

    Raises:
        OSError: It cannot be written; nothing is left.
    """
    temporary = f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
    file = os.open(temporary, _CREATE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.writelines(parts)
            stream.flush()
            if fsync:
                os.fsync(file)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    if fsync:
        os.fsync(folder)


def remove_temporaries(folder: int) -> None:
    """Remove from an own folder what an earlier process left half-written when it died; failing to is no error.

    What this very process is writing stays, unless it is so old that it must be an earlier process's with the same number.
    """
    mine = f"{TEMPORARY}{os.getpid()}-"
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(TEMPORARY):
                continue
            age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
            if age_s > _STALE_S or not entry.name.startswith(mine):
                os.unlink(entry.name, dir_fd=folder)
