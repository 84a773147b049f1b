"""What the RPC interface of a private daemon asks of whoever uses it: another token for each start."""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path

from learnae.errors import UnavailableError
from learnae_ipfs.layout import TOKEN
from learnae_ipfs.private_files import read_private, write_private

_TOKEN = re.compile(r"[0-9a-f]{64}")


def new_token(folder: Path) -> str:
    """Make the token of a daemon that is about to start, and write it down for whoever uses it; none is used twice.

    Whoever takes the port of a daemon that was killed may be told the old one, and can do nothing with it.

    Raises:
        UnavailableError: It cannot be written.
    """
    token, file = secrets.token_hex(32), folder / TOKEN
    try:
        write_private(file, token.encode())
    except OSError as exc:
        raise UnavailableError(f"{file} cannot be written: {exc.strerror}") from exc
    return token


def read_token(folder: Path) -> str | None:
    """Return the bearer token of a folder's daemon; ``None`` if there is none, or none that could be used."""
    with contextlib.suppress(OSError, ValueError):
        token = (read_private(folder / TOKEN, max_bytes=1_000) or b"").decode("ascii").strip()
        return token if _TOKEN.fullmatch(token) else None
    return None
