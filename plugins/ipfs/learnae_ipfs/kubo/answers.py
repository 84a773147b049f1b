"""What a daemon answers to a request: read in bounded pieces, and its failures as errors of ours."""

from __future__ import annotations

import http.client
import math
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from learnae.errors import UnavailableError
from learnae_ipfs.kubo.framing import Body
from learnae_ipfs.kubo.stop import Stop

PIECE_BYTES = 65_536
MAX_SHOWN = 400
FULL_DISK = "the disk is full: free some space, let [keeping] keep less, or type `learnae ipfs gc`"


class RefusedError(UnavailableError):
    """The daemon answered that it cannot do it.

    Attributes:
        status: The HTTP status; 200 if it failed in the middle of an answer.
        reason: What the daemon said.
    """

    def __init__(self, daemon: str, path: str, status: int, reason: str) -> None:
        reason = "".join(character if character.isprintable() else " " for character in reason) or f"HTTP status {status}"
        shown = FULL_DISK if "no space left on device" in reason.lower() else reason[:MAX_SHOWN]
        super().__init__(f"{daemon} refuses {path}: {shown}")
        self.status, self.reason = status, reason

    def says(self, pattern: str) -> bool:
        """Say whether it was Kubo that answered, and with these words (a regular expression)."""
        return self.status in {http.client.OK, http.client.INTERNAL_SERVER_ERROR} and bool(re.search(pattern, self.reason))


class SlowError(UnavailableError):
    """Nothing came within the patience."""


class Line(Protocol):
    """A connection, as an answer needs it."""

    def wait_for_ever(self) -> None:
        """Let no time-out end the reading from now on."""

    def close(self) -> None:
        """Close it."""


class Answer:
    """An answer whose head was read. Leaving it as a context manager keeps the connection, or closes it if anything is unread.

    Args:
        daemon: Which daemon, as errors call it.
        path: The call, the same.
        response: The answer, of the library ``requests``.
        line: The connection.
        keep: Takes the connection for the next request.
        stop: Can end the reading.

    Attributes:
        status: The HTTP status.
        length: How long the daemon says that the content is, in bytes; ``None`` if it does not say.
    """

    def __init__(
        self,
        daemon: str,
        path: str,
        response: Any,  # noqa: ANN401  # it has no types
        *,
        line: Line,
        keep: Callable[[], None],
        stop: Stop,
    ) -> None:
        self._daemon, self._path, self._response, self._line, self._keep, self._stop = daemon, path, response, line, keep, stop
        self._http: http.client.HTTPResponse = response.raw._fp  # urllib3 itself drops the trailer
        self._body = Body(self._http)
        self.status = int(response.status_code)
        length = str(response.headers.get("X-Content-Length", ""))
        self.length = int(length) if length.isascii() and length.isdecimal() and len(length) <= 18 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.hold(None)
        if self._body.whole and not self._http.will_close and not self._stop.asked:
            self._http.close()  # the answer, not the connection
            self._response.raw.release_conn()
            self._keep()
        else:
            self._response.close()
            self._line.close()

    @property
    def failure(self) -> str:
        """What the daemon said, after the last piece, about an answer that it could not complete; empty if it could."""
        return self._body.failure

    def expect_success(self) -> None:
        """Raise ``RefusedError`` if the daemon said at the end that it failed."""
        if self.failure:
            raise RefusedError(self._daemon, self._path, self.status, self.failure)

    def wait_for_ever(self) -> None:
        """Let no patience end the reading from now on."""
        self._line.wait_for_ever()

    def read_into(self, piece: memoryview) -> int:
        """Read at least one byte, and no more than have come; return how many, and 0 after the last.

        Raises:
            SlowError: Nothing came within the patience.
            UnavailableError: The connection broke.
        """
        try:
            return self._body.read_into(piece)
        except (OSError, http.client.HTTPException, ValueError) as exc:  # a closed TLS connection raises ValueError
            raise explained(self._daemon, self._path, exc, self._stop) from exc

    def read_some(self, max_bytes: int) -> bytes:
        """Read to the end, or ``max_bytes``."""
        data, piece = bytearray(), memoryview(bytearray(min(max_bytes, PIECE_BYTES)))
        while len(data) < max_bytes and (count := self.read_into(piece[: max_bytes - len(data)])):
            data += piece[:count]
        return bytes(data)

    def read(self, max_bytes: int) -> bytes:
        """Read to the end.

        Raises:
            RefusedError: The daemon says at the end that it failed.
            UnavailableError: There are more than ``max_bytes``, or the connection broke.
        """
        data = self.read_some(max_bytes + 1)
        if len(data) > max_bytes:
            raise self._too_much()
        self.expect_success()
        return data

    def lines(self, max_line_bytes: int, max_bytes: float = math.inf) -> Iterator[bytes]:
        """Return the lines as they come; longer ones than ``max_line_bytes`` are dropped, endless ones are an error.

        Raises:
            UnavailableError: There are more than ``max_bytes``, a line has no end, or the connection broke.
        """
        pending, dropped, total = bytearray(), 0, 0
        piece = memoryview(bytearray(PIECE_BYTES))
        while count := self.read_into(piece):
            *ends, rest = piece[:count].tobytes().split(b"\n")
            for end in ends:
                pending += end
                if not dropped and len(pending) <= max_line_bytes:
                    yield bytes(pending)
                pending, dropped = bytearray(), 0
            pending += rest
            if len(pending) > max_line_bytes:
                dropped += len(pending)
                pending = bytearray()
            total += count
            if dropped > 16 * max_line_bytes or total > max_bytes:
                raise self._too_much()
        if pending and not dropped:
            yield bytes(pending)

    def _too_much(self) -> UnavailableError:
        return UnavailableError(f"{self._daemon} answers {self._path} with more than it can be")


def explained(daemon: str, path: str, error: BaseException, stop: Stop) -> UnavailableError:
    """Make an error of ours of one that a library or the system raised."""
    if stop.asked:
        return UnavailableError(f"the call {path} of {daemon} was cancelled")
    reason = _innermost(error)
    if isinstance(reason, TimeoutError):
        return SlowError(f"{daemon} does not answer {path} in time")
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return UnavailableError(f"{daemon} does not answer {path}: {text[:MAX_SHOWN] or type(reason).__name__}")


def _innermost(error: BaseException) -> BaseException:
    """Find what the system said, below all that libraries made of it."""
    found, seen = error, {id(error)}
    while (below := error.__cause__ or error.__context__) is not None and id(below) not in seen:
        seen.add(id(below))
        error = below
        if isinstance(error, TimeoutError) or (isinstance(error, OSError) and error.strerror):
            found = error
    return found
