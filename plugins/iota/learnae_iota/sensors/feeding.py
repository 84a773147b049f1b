"""What a sensor streams: readings from lines of CSV or JSON, each with the position in the input after it."""

import csv
import hashlib
import json
import os
import select
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from typing import BinaryIO, NoReturn, Protocol

import msgspec

from learnae.errors import DataError, StateError
from learnae.interfaces.sensors import Cell, Reading
from learnae_iota.sensors.packets import MAX_NUMBER, is_cell

MAX_LINE_BYTES = 65_536
MAX_TOLD = 5
"""Lines in a row that are left out and said one by one; after that, their number is said whenever it is ten times as large."""

_CHECKED_BYTES = 256


class Format(StrEnum):
    """How readings are written."""

    AUTO = "auto"
    """JSON lines if the input begins with a brace, else CSV."""
    CSV = "csv"
    """A head line with the columns, then a line for each reading."""
    JSONL = "jsonl"
    """A JSON object of text, numbers, truth values and nulls in each line."""


class InputPosition(msgspec.Struct, frozen=True):
    """How far an input was read: bytes, and a digest of the last ones, so that a file that was replaced is noticed."""

    offset: int = 0
    digest: str = ""


class LineSource(Protocol):
    """Gives pieces of lines."""

    @property
    def at_once(self) -> bool:
        """Whether all that was written before is there at once: nothing now means that it is there no more."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        ...

    def readline(self, most: int) -> bytes:
        """Return up to so many bytes, up to and with the next line feed; nothing if nothing is there now."""
        ...


class FileSource:
    """A file; with ``follow`` more may be written to it at any time."""

    at_once = True

    def __init__(self, file: BinaryIO, *, follow: bool) -> None:
        self._file, self._follow, self.ended = file, follow, False

    def readline(self, most: int) -> bytes:
        """Return a piece: see ``LineSource``."""
        piece = self._file.readline(most)
        self.ended = not piece and not self._follow
        return piece


class PipeSource:
    """A pipe: it is waited for a moment, so that whoever asks stays master of its time."""

    at_once = False

    def __init__(self, descriptor: int, *, moment_s: float = 0.2) -> None:
        self._descriptor, self._moment_s, self._buffer, self.ended = descriptor, moment_s, b"", False

    def readline(self, most: int) -> bytes:
        """Return a piece: see ``LineSource``."""
        if b"\n" not in self._buffer[:most] and len(self._buffer) < most and not self.ended:
            ready, _, _ = select.select([self._descriptor], [], [], self._moment_s)
            if not ready:
                return b""
            data = os.read(self._descriptor, most)
            self.ended = not data
            self._buffer += data
        cut = min(self._buffer.find(b"\n") + 1 or len(self._buffer), most)
        piece, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return piece


class LineInput:
    """Reads an input line by line.

    Args:
        source: Gives the bytes, from the beginning.
        name: How messages call it.
        position: After which to go on; what lies before is passed over.
        style: How it is written.
        columns: What of a reading is taken, and has to be there; all of it where nothing is said.
        tell: Takes a sentence about lines that are left out.

    Raises:
        StateError: The position is none.
    """

    def __init__(
        self,
        source: LineSource,
        name: str,
        *,
        position: str = "",
        style: Format = Format.AUTO,
        columns: Collection[str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._source, self._name, self._style, self._tell = source, name, style, tell
        self._wanted, self._left_out = columns, 0
        self._columns: list[str] | None = None
        self._offset, self._recent = 0, b""  # after the last whole line
        self._ahead, self._half, self._too_long = (0, b""), b"", False  # and in the one after it, if that is too long
        try:
            self._target = msgspec.json.decode(position, type=InputPosition) if position else InputPosition()
        except msgspec.DecodeError as exc:
            raise StateError(f"{name}: {position[:100]!r} is no position in an input") from exc
        self._resumed = not self._target.offset

    @property
    def position(self) -> str:
        """Where it stands, after the last line that was taken."""
        return msgspec.json.encode(InputPosition(self._offset, _digest(self._recent))).decode()

    def leave_out(self, why: str) -> None:
        """Say that the line that was taken last is no reading; of many in a row, not of each."""
        self._left_out += 1
        if self._left_out <= MAX_TOLD:
            self._tell(f"{self._name}: the line that ends at byte {self._offset} is no reading and is left out: {why}"[:300])
        elif str(self._left_out).strip("0") == "1":
            self._tell(f"{self._name}: {self._left_out} lines in a row are no readings and are left out; is it {self._style}?")

    def readings(self) -> Iterator[Reading | None]:
        """Go over the readings that are there; ``None``: nothing more for now.

        Raises:
            DataError: It is not what it was, or its first line does not name columns.
        """
        for line in self._lines():
            if line is None:
                if not self._resumed and self._source.at_once:
                    raise self._replaced()
                yield None
            elif not self._resumed:
                self._resume(line)
            elif (reading := self._taken(line)) is not None:
                yield reading
        if not self._resumed:
            raise self._replaced()

    def _resume(self, line: bytes) -> None:
        if self._columns is None:
            self._begin(line)
        recent, offset = self._recent, self._offset
        if offset == self._target.offset + 1 and line.endswith(b"\n"):  # the last line had no line feed then
            recent, offset = recent[:-1], offset - 1
        if offset > self._target.offset or (offset == self._target.offset and _digest(recent) != self._target.digest):
            raise self._replaced()
        self._resumed = offset == self._target.offset

    def _lines(self) -> Iterator[bytes | None]:
        while True:
            piece = self._source.readline(MAX_LINE_BYTES + 1)
            if not piece:
                if not self._source.ended:
                    yield None
                    continue
                if self._half or self._too_long:
                    yield self._line()
                return
            self._half += piece
            whole = piece.endswith(b"\n")
            if not whole and len(self._half) > MAX_LINE_BYTES:
                self._ahead = self._passed(self._half)
                self._half, self._too_long = b"", True
            if whole:
                yield self._line()

    def _line(self) -> bytes:
        line = self._half
        self._offset, self._recent = self._passed(line)
        if self._too_long:
            line = b"\0"  # which is no reading
        self._half, self._too_long = b"", False
        return line

    def _passed(self, data: bytes) -> tuple[int, bytes]:
        offset, recent = self._ahead if self._too_long else (self._offset, self._recent)
        return offset + len(data), (recent + data)[-_CHECKED_BYTES - 1 :]

    def _begin(self, line: bytes) -> bool:
        """Take the first line that is not empty; return whether it is a head line."""
        text = line.decode("utf-8-sig", "replace").strip("\r\n")
        if not text.strip():
            return True
        if self._style is Format.AUTO:
            self._style = Format.JSONL if text.lstrip().startswith("{") else Format.CSV
        if self._style is Format.JSONL:
            self._columns = []
            return False
        try:
            columns = _cells(text)
        except ValueError:
            columns = []
        if not columns or len(set(columns)) != len(columns) or not all(columns) or "\0" in text:
            raise DataError(f"{self._name}: the first line has to name the columns, each once; it is {text[:100]!r}")
        missing = [name for name in self._wanted or () if name not in columns]
        if missing:
            raise DataError(
                f"{self._name}: its first line names no column {missing[0][:100]!r}; it names {', '.join(columns)[:200]}"
            )
        self._columns = columns
        return True

    def _taken(self, line: bytes) -> Reading | None:
        """Return the reading of a line; ``None`` for a head line, an empty one, and one that is none."""
        if not line.strip() or (self._columns is None and self._begin(line)):
            return None
        try:
            text = line.decode("utf-8-sig").strip("\r\n")
            reading = self._of_it(parse_json(text) if self._style is Format.JSONL else self._row(text))
        except (ValueError, RecursionError) as exc:
            self.leave_out(str(exc))
            return None
        self._left_out = 0
        return reading

    def _of_it(self, reading: Reading) -> Reading:
        if self._wanted is None:
            return reading
        missing = [name for name in self._wanted if name not in reading]
        if missing:
            raise ValueError(f"it has no column {missing[0][:100]!r}")
        return {name: reading[name] for name in self._wanted}

    def _row(self, text: str) -> Reading:
        columns = self._columns or []
        cells = _cells(text)
        if len(cells) != len(columns):
            raise ValueError(f"{len(cells)} cells for {len(columns)} columns")
        if "\0" in text:
            raise ValueError("it is no text")
        return {column: _value(cell) for column, cell in zip(columns, cells, strict=True)}

    def _replaced(self) -> DataError:
        return DataError(
            f"{self._name}: what lay before byte {self._target.offset} is there no more: it was cut or replaced;"
            " stream another file with another --state"
        )


def _digest(recent: bytes) -> str:
    return hashlib.sha256(recent[-_CHECKED_BYTES:]).hexdigest()


def parse_json(text: str) -> Reading:
    """Read a reading that is a JSON object.

    Raises:
        ValueError: It is none.
    """
    value = json.loads(text, object_pairs_hook=_as_reading, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _as_reading(pairs: list[tuple[str, Cell]]) -> Reading:
    reading: Reading = {}
    for key, value in pairs:
        if key in reading or not is_cell(key) or not is_cell(value):
            _refuse(key)
        reading[key] = value
    return reading


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:50]!a} is there twice, or is neither text nor a number, a truth value or null")


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as exc:
        raise ValueError(str(exc)) from exc


def _value(cell: str) -> Cell:
    """Return a number where that is written as the text was, else the text: a class has to be what it was."""
    if not cell:
        return None
    for kind in (int, float):
        try:
            value = kind(cell)
        except ValueError:
            continue
        if str(value) == cell and is_cell(value) and abs(value) <= MAX_NUMBER:
            return value
    return cell
