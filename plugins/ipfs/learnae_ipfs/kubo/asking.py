"""How a call is made: a request, a reply of a known shape, and what the daemon's words mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from learnae.errors import NotFoundError, UnavailableError, UsageError, WorldError
from learnae_ipfs.kubo import replies, wire
from learnae_ipfs.kubo.answers import RefusedError, SlowError
from learnae_ipfs.kubo.rpc import Rpc
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.values import Endpoint

MAX_REPLY_BYTES = 4 * 2**20
MAX_LIST_BYTES = 32 * 2**20
MAX_LINE_BYTES = 2**20
MAX_TEXT = 1_000
MAX_TEXTS = 64

NOT_HERE = r"not found|could not find|deadline exceeded|no providers|failed to find any peer|could not resolve"
"""How Kubo says that nobody has something, or that it did not find it in time."""

_TROUBLE = (
    r"no space left|quota|input/output|read-only|permission denied|too many open|datastore|closed|shutting down|canceled|"
    r"cancelled|offline|online|out of memory"
)
"""How it says that it cannot do anything now; all the rest is about the content."""

_T = TypeVar("_T")


class Asker:
    """Makes calls of one daemon.

    Attributes:
        rpc: Its RPC interface.
        timeout_s: How long an ordinary call may take.

    Raises:
        ConfigError: The address cannot be used.
    """

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        self.rpc, self.timeout_s = Rpc(endpoint, timeout_s=timeout_s), timeout_s

    def ask(
        self,
        path: str,
        *arguments: str,
        stop: Stop,
        options: Mapping[str, str] | None = None,
        file: bytes | None = None,
        give_up_s: float | None = None,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> bytes:
        """Make a call, and return the whole answer; see ``Rpc.ask``."""
        with self.rpc.ask(path, *arguments, stop=stop, options=options, file=file, give_up_s=give_up_s) as answer:
            return answer.read(max_bytes)

    def reply(
        self,
        kind: type[_T],
        path: str,
        *arguments: str,
        stop: Stop,
        options: Mapping[str, str] | None = None,
        file: bytes | None = None,
        give_up_s: float | None = None,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> _T:
        """Make a call, and return the answer in its shape; see ``Rpc.ask``."""
        data = self.ask(path, *arguments, stop=stop, options=options, file=file, give_up_s=give_up_s, max_bytes=max_bytes)
        found = read_reply(kind, data)
        if found is None:
            raise self.nonsense(path)
        return found

    def did(self, expected: str, path: str, *arguments: str, stop: Stop, options: Mapping[str, str] | None = None) -> bool:
        """Make a call, and say whether it did something; the daemon's words match ``expected`` if there was nothing to do."""
        try:
            self.ask(path, *arguments, stop=stop, options=options)
        except RefusedError as exc:
            if exc.says(expected):
                return False
            raise
        return True

    @contextmanager
    def looking_for(self, what: str, stop: Stop, *, wrong: type[WorldError] = NotFoundError) -> Iterator[None]:
        """Tell content that is not there, or is not what it should be, from a daemon that does not answer.

        Raises:
            NotFoundError: The daemon answers, and has not found it.
            UnavailableError: It does not answer, or cannot do anything.
            WorldError: ``wrong``, where the daemon says that it cannot do anything with such content.
        """
        try:
            yield
        except SlowError as exc:
            self.reply(replies.Version, "version", stop=stop)
            raise NotFoundError(f"nobody has {what} now") from exc
        except RefusedError as exc:
            if exc.says(NOT_HERE):
                raise NotFoundError(f"nobody has {what} now: {exc.reason[:200]}") from exc
            if exc.says("") and not exc.says(_TROUBLE):
                raise wrong(f"{what} is nothing that can be used: {exc.reason[:200]}") from exc
            raise

    def nonsense(self, path: str) -> UnavailableError:
        """Make the error for an answer that has not its shape."""
        return UnavailableError(f"{self.rpc.name} answers {path} as no Kubo does")

    def close(self) -> None:
        """Close the connections that nobody uses; what is under way closes its own."""
        self.rpc.close()


def read_reply(kind: type[_T], data: bytes) -> _T | None:
    """Read an answer, or a line of one; ``None`` if it has another shape."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def plain(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Drop what no address can be, and what is too much."""
    return tuple(text for text in texts or () if is_plain(text))[:MAX_TEXTS]


def is_plain(text: str) -> bool:
    """Say whether a text is short, ASCII, and without anything that moves a cursor."""
    return len(text) <= MAX_TEXT and text.isascii() and text.isprintable()


def checked_cid(cid: str) -> str:
    """Return a content id.

    Raises:
        UsageError: It is none that is used here.
    """
    if not wire.is_cid(cid):
        raise UsageError(f"{cid[:100]!r} is no content id that is used here")
    return cid


def checked_peer(peer: str) -> str:
    """Return a peer id.

    Raises:
        UsageError: It is none.
    """
    if not wire.is_peer_id(peer):
        raise UsageError(f"{peer[:100]!r} is no peer id")
    return peer


def checked_path(path: str) -> str:
    """Return a path of the MFS.

    Raises:
        UsageError: It is not absolute, or leads upwards.
    """
    if not path.startswith("/") or any(part in {".", ".."} for part in path.split("/")):
        raise UsageError(f"{path[:100]!r} is no absolute path of the MFS")
    return path
