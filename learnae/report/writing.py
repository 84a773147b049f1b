"""Writes a report's files: all made before the first is written, each whole or not at all."""

import os
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from learnae.errors import OperatorError, UsageError
from learnae.report.history import History
from learnae.report.spreadsheets import peers_csv, series_csv
from learnae.report.summarising import summarise
from learnae.report.tables import as_text


class Format(StrEnum):
    """The kinds of file that a report can be written as."""

    TXT = "txt"
    """``report.txt``: the table."""
    CSV = "csv"
    """``peers.csv``, a row per peer, and ``series.csv``, scores and ledgers over time."""
    PNG = "png"
    """``report.png``: the picture."""
    JSON = "json"
    """``report.json``: the whole summary."""


def write_report(
    histories: Sequence[History],
    out: Path,
    *,
    formats: Collection[Format | str] = tuple(Format),
    threshold: int | None = None,
    title: str | None = None,
) -> list[Path]:
    """Write a report into a folder, which is made if it is not there; files of an earlier report are replaced.

    Args:
        histories: At least one.
        out: The folder.
        formats: What to write, of ``txt``, ``csv``, ``png`` and ``json``.
        threshold: The session's overuse threshold, for the overshoot.
        title: The picture's title; by default one that counts the peers.

    Returns:
        The files, in the order of ``Format``.

    Raises:
        ConfigError: Matplotlib is missing and a picture was asked for; nothing was written.
        OperatorError: The folder cannot be written.
        UsageError: No history, or a format that is none.
    """
    summary = summarise(histories, threshold=threshold)
    made: dict[str, bytes] = {}
    for kind in sorted({_format(name) for name in formats}, key=list(Format).index):
        match kind:
            case Format.TXT:
                made["report.txt"] = as_text(summary).encode()
            case Format.CSV:
                made["peers.csv"] = peers_csv(summary).encode()
                made["series.csv"] = series_csv(histories).encode()
            case Format.PNG:
                from learnae.report.overview import render_overview  # noqa: PLC0415 - NumPy is for figures only

                made["report.png"] = render_overview(histories, summary, title=title)
            case Format.JSON:
                made["report.json"] = msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
    return [write_atomically(out / name, data) for name, data in made.items()]


def write_atomically(path: Path, data: bytes) -> Path:
    """Write a file so that nobody ever meets half of it; missing folders are made.

    Raises:
        OperatorError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise OperatorError(f"cannot write {path}: {exc.strerror or exc}; choose another folder") from exc
    return path


def _format(name: Format | str) -> Format:
    try:
        return Format(name)
    except ValueError as exc:
        raise UsageError(f"no report format {name!r}; there are: {', '.join(Format)}") from exc
