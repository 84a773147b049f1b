"""The log of a private daemon: the daemon appends to it, and whoever uses the daemon keeps it small."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from learnae_ipfs.private_files import open_regular, write_private

MAX_LOG_BYTES = 1_000_000
"""Of a log that has more, the last so many bytes are put aside as ``daemon.log.1``, and it begins anew."""


def open_log(log: Path) -> int:
    """Open it to append to it; how it is shortened relies on that. Return a descriptor.

    Raises:
        OSError: It cannot be written, or is no regular file.
    """
    return open_regular(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def shorten(log: Path) -> int:
    """Put a large log aside, also while a daemon writes to it: what it says in that moment may be lost.

    Returns:
        Its size now, in bytes.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    try:
        descriptor = open_regular(log, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        with contextlib.suppress(BlockingIOError):  # another user of the daemon is at it
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = os.fstat(descriptor).st_size
            if size > MAX_LOG_BYTES:
                last = os.pread(descriptor, MAX_LOG_BYTES, size - MAX_LOG_BYTES)
                with contextlib.suppress(OSError):  # on a full disk, room counts more than old words
                    write_private(log.with_name(f"{log.name}.1"), last, durable=False)
                os.ftruncate(descriptor, 0)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
