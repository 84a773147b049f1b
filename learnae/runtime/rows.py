"""The operator's own rows, from a file to dataslices on the shelf."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from learnae.data.rows import BadRows, read_raw
from learnae.errors import LearnaeError
from learnae.performing.assembling import Assembled
from learnae.performing.rows import CutRows
from learnae.runtime.pace import ThreadPace


@dataclass(frozen=True, slots=True)
class OwnRows:
    """What the operator's file came to.

    Attributes:
        cut: Its rows, assigned and cut.
        skipped: Bad rows left out.
        first_skipped: What was wrong with the first of them.
    """

    cut: CutRows
    skipped: int
    first_skipped: str | None


class _AbandonedError(LearnaeError):
    """Nobody waits for the rows any more."""


async def cut_own_rows(path: Path, peer: Assembled, pace: ThreadPace, *, spool: Path, skip_bad_rows: bool) -> OwnRows:
    """Read the operator's file and put what is new in it on the shelf, in a thread: a file may take minutes.

    Cancelled, it ends the thread's work at the next chunk or slice.

    Args:
        path: CSV, gzipped CSV or Parquet.
        peer: Whose rows they are.
        pace: Has the thread.
        spool: A folder for temporary files.
        skip_bad_rows: Leave bad rows out instead of stopping.

    Raises:
        DataError: A bad row, or no rows for training or validation.
        StateError: The disk is full.
    """
    abandoned = threading.Event()

    def go_on() -> None:
        if abandoned.is_set():
            raise _AbandonedError

    def job() -> OwnRows:
        bad_rows = BadRows(skip=skip_bad_rows)
        cut = peer.cut(read_raw(path, peer.session.manifest, bad_rows=bad_rows), spool=spool, go_on=go_on)
        return OwnRows(cut, bad_rows.skipped, bad_rows.first)

    try:
        return await pace.decode(job)
    finally:
        abandoned.set()
