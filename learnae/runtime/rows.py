"""The operator's own rows, from a file to dataslices on the shelf."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learnae.codec.seal import Seal
from learnae.data.rows import BadRows, read_raw
from learnae.machine.events import CutSlice
from learnae.machine.memory import KnownSlice
from learnae.performing.rows import cut_rows
from learnae.performing.shelf import Shelf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learnae.values.manifest import Manifest


@dataclass(frozen=True, slots=True)
class OwnRows:
    """What the operator's file came to.

    Attributes:
        validation: float32 ``[rows, features + 1]``, unscaled.
        slices: Those that were cut now; earlier ones are known already.
        rows: Rows read.
        skipped: Bad rows left out.
        first_skipped: What was wrong with the first of them.
    """

    validation: NDArray[np.float32]
    slices: tuple[CutSlice, ...]
    rows: int
    skipped: int
    first_skipped: str | None


def cut_own_rows(
    path: Path,
    manifest: Manifest,
    *,
    seal: Seal,
    shelf: Shelf,
    known: tuple[KnownSlice, ...],
    spool: Path,
    skip_bad_rows: bool,
    with_evaluation: bool,
) -> OwnRows:
    """Read the operator's file and put what is new in it on the shelf.

    Args:
        path: CSV, gzipped CSV or Parquet.
        manifest: The session's terms.
        seal: Makes the digests.
        shelf: Where dataslices go.
        known: Own slices that were cut at earlier starts.
        spool: A folder for temporary files.
        skip_bad_rows: Leave bad rows out instead of stopping.
        with_evaluation: Also cut the validation rows into evaluation slices, because the peer shares.

    Raises:
        DataError: A bad row, or no rows for training or validation.
        StateError: The disk is full.
    """
    bad_rows = BadRows(skip=skip_bad_rows)
    done = cut_rows(
        read_raw(path, manifest, bad_rows=bad_rows),
        manifest,
        seal=seal,
        shelf=shelf,
        known=known,
        spool=spool,
        with_evaluation=with_evaluation,
    )
    return OwnRows(done.validation, done.slices, done.rows, bad_rows.skipped, bad_rows.first)
