"""A private daemon that runs already, looked at from outside: it is neither started nor held, and may end meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

from learnae.errors import LearnaeError
from learnae_ipfs.daemon.process import is_alive, read_record
from learnae_ipfs.daemon.repository import Repository
from learnae_ipfs.daemon.tokens import read_token
from learnae_ipfs.kubo import Endpoint, Kubo
from learnae_ipfs.layout import REPOSITORY

_PATIENCE_S = 10.0


async def running_daemon(folder: Path) -> Kubo | None:
    """Return a client of the private daemon that runs in a plugin's folder; ``None`` if none does. Changes nothing.

    The caller closes it.
    """
    try:
        endpoint = await asyncio.to_thread(_endpoint, folder)
    except (OSError, ValueError):
        return None
    if endpoint is None:
        return None
    kubo = Kubo(endpoint, timeout_s=_PATIENCE_S)
    try:
        await kubo.version()
    except LearnaeError:
        await kubo.aclose()
        return None
    return kubo


def _endpoint(folder: Path) -> Endpoint | None:
    repository = Repository(folder.absolute() / REPOSITORY)
    record = read_record(folder / "daemon.json")
    if record is None or not is_alive(record, repository.folder):  # one that was killed leaves its address behind
        return None
    address, token = repository.rpc_address(), read_token(folder)
    return None if address is None or token is None else Endpoint(address, f"Bearer {token}")
