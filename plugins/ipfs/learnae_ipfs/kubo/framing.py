"""The body of an HTTP answer, read in pieces and without trust: each length has a bound, and the trailer is kept.

Python's own HTTP client drops the trailer, and that is where Kubo says that a stream ended because something failed.
"""

from __future__ import annotations

import http.client
import io
import re

MAX_LINE_BYTES = 8_192
MAX_TRAILERS = 32
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")


class Body:
    """Reads the body of an answer whose headers were read.

    Attributes:
        whole: Whether the end was reached, and the connection can take the next request.
        failure: What the trailer ``X-Stream-Error`` says; empty if nothing failed.
    """

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._source: io.BufferedReader | None = answer.fp  # there is none where nothing follows
        self._chunked = answer.chunked
        self._left = 0 if answer.chunked else answer.length  # bytes until the end of the chunk or the body; None if nobody knows
        self._begun = False
        self.whole = not answer.chunked and answer.length == 0
        self.failure = ""

    def read_into(self, piece: memoryview) -> int:
        """Read at least one byte, and no more than have come; return how many, and 0 after the last.

        Raises:
            OSError: The connection broke, or nothing came within its time-out.
            HTTPException: It ended too early, or is not HTTP.
        """
        if self.whole or self._source is None:
            return 0
        if self._chunked and not self._left and not self._begin_chunk():
            return 0
        room = piece if self._left is None else piece[: self._left]
        count = self._source.readinto1(room)
        if self._left is None:
            self.whole = not count
        elif not count:
            raise http.client.HTTPException("it ends too early")
        else:
            self._left -= count
            self.whole = not self._left and not self._chunked
        return count

    def _begin_chunk(self) -> bool:
        if self._begun and self._line():
            raise http.client.HTTPException("a chunk is longer than it says")
        self._begun = True
        size = _SIZE.fullmatch(self._line())
        if size is None:
            raise http.client.HTTPException("a chunk has no length")
        self._left = int(size[1], 16)
        if not self._left:
            self._read_trailer()
        return not self.whole

    def _read_trailer(self) -> None:
        for _ in range(MAX_TRAILERS):
            name, _, value = self._line().partition(b":")
            if not name:
                self.whole = True
                return
            if name.lower() == b"x-stream-error":
                self.failure = value.strip().decode("utf-8", "replace") or "it does not say why"
        raise http.client.HTTPException("its trailer does not end")

    def _line(self) -> bytes:
        line = b"" if self._source is None else self._source.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise http.client.HTTPException("a line is too long" if len(line) == MAX_LINE_BYTES else "it ends too early")
        return line.rstrip(b"\r\n")
