"""The life of a shared node: from being started by the first who uses it to the end of the last."""

import asyncio
import contextlib
import fcntl
import logging
import os
from pathlib import Path

import msgspec

from learnae.errors import OperatorError
from learnae_iota.serving.development import DevelopmentNode, serve_until_signalled
from learnae_iota.serving.embedded import LEDGER, NODE, USERS, Whereabouts
from learnae_iota.serving.settings import NodeSettings

LOOK_S = 0.5
"""Seconds between two looks whether anybody is left."""


def main(folder: str, settings: str) -> None:
    """Run the node; write one line to stdout when it is there, or cannot be."""
    logging.basicConfig(level=logging.WARNING)
    told = msgspec.json.decode(settings, type=NodeSettings)
    place = Path(folder)
    file = os.open(place / NODE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(msgspec.json.encode(Whereabouts("", told)))
        return
    os.ftruncate(file, 0)
    try:
        node = DevelopmentNode.open(place / LEDGER, told, port=0)
    except OperatorError as exc:
        _say(msgspec.json.encode(Whereabouts("", told, str(exc))))
        return
    there = msgspec.json.encode(Whereabouts(node.url, told))
    os.pwrite(file, there, 0)
    _say(there)
    asyncio.run(_serve(node, place))


async def _serve(node: DevelopmentNode, folder: Path) -> None:
    looking = asyncio.create_task(_stop_when_alone(node, folder))
    await serve_until_signalled(node)
    looking.cancel()


async def _stop_when_alone(node: DevelopmentNode, folder: Path) -> None:
    """Stop the node when nobody uses it, and let nobody begin to before it has ended: the lock is held until then."""
    file = os.open(folder / USERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    while True:
        await asyncio.sleep(LOOK_S)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            node.stop()
            return


def _say(line: bytes) -> None:
    """Write a line to whoever waits for it, and leave stdout."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, line + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.close(nothing)
