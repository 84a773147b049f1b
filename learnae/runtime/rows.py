"""The operator's own rows: assigned to validation or training, cut into dataslices on the shelf."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from learnae.codec.seal import Seal
from learnae.codec.slices import decode_slice, encode_slice
from learnae.data.rows import BadRows, read_raw
from learnae.data.slicing import cut, split_and_cut
from learnae.errors import BadContentError, NotFoundError
from learnae.machine.events import CutSlice
from learnae.machine.memory import KnownSlice
from learnae.performing.shelf import Shelf

if TYPE_CHECKING:
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
    cut_slices: list[CutSlice] = []

    def put(raw: NDArray[np.float32], *, evaluation: bool) -> None:
        data = encode_slice(raw)
        digest = seal.digest(data)
        shelf.put(digest, data)
        cut_slices.append(CutSlice(digest, len(raw), evaluation))

    chunks = read_raw(path, manifest, bad_rows=bad_rows)
    training = (item for item in known if not item.evaluation)
    with split_and_cut(chunks, manifest, spool=spool, known=_on_shelf(training, shelf, manifest)) as assigned:
        for raw in assigned.slices:
            put(raw, evaluation=False)
    if with_evaluation:
        evaluated = {row.tobytes() for raw in _on_shelf((i for i in known if i.evaluation), shelf, manifest) for row in raw}
        fresh = [row for row in assigned.validation if row.tobytes() not in evaluated]
        if fresh:
            for raw in cut(np.stack(fresh), manifest.slice_size):
                put(raw, evaluation=True)
    return OwnRows(assigned.validation, tuple(cut_slices), assigned.rows, bad_rows.skipped, bad_rows.first)


def _on_shelf(known: Iterator[KnownSlice], shelf: Shelf, manifest: Manifest) -> Iterator[NDArray[np.float32]]:
    for item in known:
        try:
            yield decode_slice(shelf.get(item.digest), manifest)
        except (NotFoundError, BadContentError):
            continue  # It is cut again from the rows.
