"""Small files of the operator's own: read in bounded memory, created without overwriting anything."""

import os
import stat
from pathlib import Path

from learnae.errors import TooLargeError

OWNER_ONLY = 0o600
FOR_ALL = 0o644


def read_small(path: Path, *, max_bytes: int, private: bool = False) -> bytes:
    """Read a whole regular file.

    Args:
        path: The file.
        max_bytes: The most it may hold; one byte more is the most that is ever read.
        private: Refuse a symbolic link, and a file that anybody but its owner may read or write.

    Raises:
        TooLargeError: It holds more.
        OSError: It cannot be read: ``FileNotFoundError`` if it is not there, ``PermissionError`` if it is not private.
    """
    if private and path.is_symlink():
        raise PermissionError("it is a symbolic link; put the file itself there")
    # A named pipe would block the open for ever, without O_NONBLOCK.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if private else 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no regular file")
        if private and status.st_mode & 0o077:
            raise PermissionError(
                f"its mode is {stat.S_IMODE(status.st_mode):04o}, so that others may use it; type: chmod 600 {path}"
            )
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLargeError(f"{path} holds more than the {max_bytes} bytes that such a file may have")
    return data


def create(path: Path, data: bytes, *, mode: int) -> None:
    """Write a new file durably; on an error or a full disk nothing stays. A crash may leave a part of it.

    Raises:
        OSError: It cannot be written; ``FileExistsError`` if something is there, be it a dangling link.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def create_whole(path: Path, data: bytes, *, mode: int) -> None:
    """Write a new file durably and at once: at any moment it is there whole or not at all, and nothing is overwritten.

    Raises:
        OSError: It cannot be written, or the file system knows no hard links; ``FileExistsError`` if something is there.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    create(draft, data, mode=mode)
    try:
        # A link, unlike a rename, fails where the name is taken: of two processes that start together one wins.
        os.link(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: It cannot be done.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
