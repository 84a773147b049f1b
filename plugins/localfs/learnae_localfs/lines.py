"""Reads readings from a file of JSON lines, a bounded number of bytes at a time."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from learnae.errors import DamagedError
from learnae.interfaces.sensors import Cell, Reading

MAX_LINE_BYTES = 65_536
END = {"learnae": "end"}
_CHECKED_BYTES = 256
_LARGEST = 1e300
_POSITION = re.compile(r"1:([0-9]{1,15}):([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line of a file.

    Attributes:
        content: Without its line feed; ``None`` if it is longer than 64 KiB.
        end: The offset after its line feed.
    """

    content: bytes | None
    end: int


def write_position(file: BinaryIO, offset: int) -> str:
    """Describe an offset, together with the bytes before it, so that a file that was cut or replaced is noticed."""
    return f"1:{offset}:{_digest_before(file, offset)}"


def read_position(file: BinaryIO, position: str) -> int:
    """Return the offset of a position.

    Raises:
        DamagedError: It is not of this file, or the file is not what it was.
    """
    if position == "":
        return 0
    found = _POSITION.match(position)
    if found is None:
        text = f"{position[:100]!r} is no position in a sensor's file"
        raise DamagedError(text)
    offset = int(found[1])
    if _digest_before(file, offset) != found[2]:
        text = f"what lay before byte {offset} is there no more: the file was cut or replaced"
        raise DamagedError(text)
    return offset


def _digest_before(file: BinaryIO, offset: int) -> str:
    start = max(0, offset - _CHECKED_BYTES)
    file.seek(start)
    return hashlib.sha256(file.read(offset - start)).hexdigest()


def whole_lines(file: BinaryIO, offset: int) -> Iterator[Line]:
    """Go over the lines from an offset on; what follows the last line feed is not there yet."""
    file.seek(offset)
    while True:
        piece = file.readline(MAX_LINE_BYTES + 1)
        offset += len(piece)
        content: bytes | None = piece[:-1]
        while not piece.endswith(b"\n"):
            if not piece:
                return
            content = None
            piece = file.readline(MAX_LINE_BYTES)
            offset += len(piece)
        yield Line(content, offset)


def parse_reading(line: bytes | None) -> Reading | None:
    """Return the reading that a line holds; ``None`` for anything but an object of text, finite numbers, booleans and nulls."""
    if line is None:
        return None
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_as_reading, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _as_reading(pairs: list[tuple[str, Cell]]) -> Reading:
    reading: Reading = {}
    for key, value in pairs:
        if key in reading or not isinstance(value, str | int | float | bool | None):
            _refuse(key)
        if isinstance(value, int | float) and not abs(value) <= _LARGEST:
            _refuse(key)
        f"{key}{value}".encode()  # refuses halves of surrogate pairs, which no UTF-8 can carry on
        reading[key] = value
    return reading


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
