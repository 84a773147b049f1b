"""Small files of this peer's own, which nobody else on the machine may read, and which are whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def read_private(file: Path, *, max_bytes: int) -> bytes | None:
    """Read a file; ``None`` if there is none.

    Raises:
        OSError: It cannot be read.
        ValueError: It has more than ``max_bytes``.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except FileNotFoundError:
        return None
    if len(content) > max_bytes:
        raise ValueError(f"{file} has more than {max_bytes} bytes")
    return content


def write_private(file: Path, content: bytes) -> None:
    """Write a file, readable for its owner alone, so that whoever reads it sees the whole of it or what was there before.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    temporary = file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
