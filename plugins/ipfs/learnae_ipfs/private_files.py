"""Small files of this peer's own, which nobody else on the machine may read, and which are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

_IN_ITS_PLACE = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO})
"""What systems say of a link that is not followed, and of a pipe that nobody reads."""


def open_regular(file: Path, flags: int) -> int:
    """Open a regular file, and nothing else that may lie in its place: no link is followed, and no pipe is waited for.

    Args:
        file: The file; one that is made is readable for its owner alone.
        flags: As ``os.open`` takes them.

    Returns:
        A descriptor that programs started later do not inherit.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    try:
        descriptor = os.open(file, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        if exc.errno in _IN_ITS_PLACE:
            raise OSError(errno.EINVAL, "it is no regular file", str(file)) from exc
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    os.set_blocking(descriptor, True)
    return descriptor


def read_private(file: Path, *, max_bytes: int) -> bytes | None:
    """Read a file; ``None`` if there is none.

    Raises:
        OSError: It cannot be read, or is no regular file.
        ValueError: It has more than ``max_bytes``.
    """
    try:
        descriptor = open_regular(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"{file} has more than {max_bytes} bytes")
    return content


def write_private(file: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file, readable for its owner alone, so that whoever reads it sees the whole of it or what was there before.

    A link in its place is replaced, not followed.

    Args:
        file: The file.
        content: All of it.
        durable: Whether it survives a loss of power; that may take a while.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    temporary = file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if durable:
                os.fsync(descriptor)
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
