"""Reads journals: bounded, forgiving where a process was killed, strict everywhere else."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from learnae.errors import OperatorError
from learnae.report.history import History, Journal, Naming, merge
from learnae.values.ids import PeerId
from learnae.values.journal import JournalLine, PeerStarted

FILE_NAME = "events.jsonl"
MAX_LINE_BYTES = 1 << 20
MAX_LINES = 2_000_000
MAX_FILES = 10_000
_LATEST = 1e11


def read_histories(
    paths: Iterable[Path],
    *,
    naming: Naming = Naming.ID,
    names: Mapping[PeerId, str] | None = None,
    skip_damaged: bool = False,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_lines: int = MAX_LINES,
) -> tuple[History, ...]:
    """Read journals and make one history per peer, in the natural order of their names.

    Args:
        paths: Journals, or folders that are searched for files called ``events.jsonl``; symbolic links to folders are not
            followed. A file that is found twice is read once.
        naming: What to call the peers.
        names: Names for some of the peers, before ``naming``.
        skip_damaged: Leave out lines that cannot be read, and count them, instead of raising.
        max_line_bytes: A longer line is a damaged one.
        max_lines: The most lines in all files together.

    Raises:
        OperatorError: No journal is there, none holds a line, one cannot be read, there are more lines than allowed, or a
            line is damaged (the message names file and line).
    """
    asked = tuple(paths)
    journals: list[Journal] = []
    left = max_lines
    for path in _find(asked):
        journal = read_journal(path, skip_damaged=skip_damaged, max_line_bytes=max_line_bytes, max_lines=left)
        left -= len(journal.lines)
        journals.append(journal)
    if not any(journal.lines for journal in journals):
        where = ", ".join(str(path) for path in asked) or "no path was given"
        found = f"{len(journals)} file(s) called {FILE_NAME}, all without a whole line" if journals else f"no {FILE_NAME}"
        raise OperatorError(f"nothing to report: {found} ({where}); name the folder of a peer that has run, or one above several")
    return merge(journals, naming=naming, names=names)


def read_journal(
    path: Path, *, skip_damaged: bool = False, max_line_bytes: int = MAX_LINE_BYTES, max_lines: int = MAX_LINES
) -> Journal:
    """Read one journal.

    A line that a killed process left half-written is ignored: the last one, or one that the start of the next process
    follows. The next process ends it before it writes its own, and may be killed between the two.

    Args:
        path: The file.
        skip_damaged: Leave out lines that cannot be read, and count them, instead of raising.
        max_line_bytes: A longer line is a damaged one; memory is bounded by it.
        max_lines: The most lines.

    Raises:
        OperatorError: The file cannot be read, has more lines than allowed, or a line is damaged.
    """
    try:
        with path.open("rb") as stream:
            return _read(path, stream, skip_damaged=skip_damaged, max_line_bytes=max_line_bytes, max_lines=max_lines)
    except OSError as exc:
        raise OperatorError(f"cannot read {path}: {exc.strerror or exc}") from exc


def _read(path: Path, stream: BinaryIO, *, skip_damaged: bool, max_line_bytes: int, max_lines: int) -> Journal:
    decoder = msgspec.json.Decoder(JournalLine)
    lines: list[JournalLine] = []
    damaged = cut = 0
    suspect: _Problem | None = None

    def condemn(problem: _Problem) -> int:
        if not skip_damaged:
            raise OperatorError(f"{path}, line {problem.number}: {problem.reason}; --skip-damaged leaves such lines out")
        return 1

    for number, raw in enumerate(_lines(stream, max_line_bytes), start=1):
        if number > max_lines:
            raise OperatorError(f"{path} has more than the {max_lines} lines that one report may still read; report fewer files")
        if not raw.strip():
            continue
        read = _decode(decoder, raw, number, max_line_bytes)
        if suspect is not None:
            if isinstance(read, JournalLine) and isinstance(read.fact, PeerStarted) and suspect.torn:
                cut += 1
            else:
                damaged += condemn(suspect)
            suspect = None
        if isinstance(read, JournalLine):
            lines.append(read)
        else:
            suspect = read
    if suspect is not None:
        if suspect.torn:
            cut += 1
        else:
            damaged += condemn(suspect)
    return Journal(path=path, lines=tuple(lines), damaged=damaged, cut=cut)


class _Problem(msgspec.Struct, frozen=True):
    """A line that cannot be read; torn: it could be the beginning of a good one."""

    number: int
    reason: str
    torn: bool


def _decode(decoder: msgspec.json.Decoder[JournalLine], raw: bytes, number: int, max_line_bytes: int) -> JournalLine | _Problem:
    if len(raw) > max_line_bytes + 1:
        return _Problem(number, f"longer than {max_line_bytes} bytes", torn=not raw.endswith(b"\n"))
    try:
        line = decoder.decode(raw)
    except msgspec.ValidationError as exc:
        return _Problem(number, f"no event that this version knows: {exc}", torn=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        return _Problem(number, f"no whole line of JSON: {exc}", torn=True)
    if not 0.0 <= line.time <= _LATEST:
        return _Problem(number, f"its time {line.time} is not within 0 to {_LATEST:.0e} seconds", torn=False)
    return line


def _lines(stream: BinaryIO, max_line_bytes: int) -> Iterator[bytes]:
    """Yield lines with their ends; of one that is too long, more than ``max_line_bytes`` + 1 bytes and whether it ends.

    A line without an end is the last: if its rest appears a moment later, the peer is running and has just written it.
    """
    raw = b"\n"
    while raw.endswith(b"\n") and (raw := stream.readline(max_line_bytes + 1)):
        if len(raw) > max_line_bytes and not raw.endswith(b"\n"):
            rest = raw
            while rest and not rest.endswith(b"\n"):
                rest = stream.readline(max_line_bytes)
            raw += b"..\n" if rest else b".."
        yield raw


def _find(paths: Iterable[Path]) -> tuple[Path, ...]:
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise OperatorError(f"cannot read {path}: there is no such file or folder")
        for file in _search(path) if path.is_dir() else (path,):
            if not file.is_file():
                raise OperatorError(f"cannot read {file}: it is neither a file nor a folder")
            found.setdefault(file.resolve(), file)
            if len(found) > MAX_FILES:
                raise OperatorError(f"more than {MAX_FILES} files called {FILE_NAME} under {path}; report fewer at a time")
    return tuple(found.values())


def _search(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders.sort()
        if FILE_NAME in files and (Path(here) / FILE_NAME).is_file():
            yield Path(here) / FILE_NAME
