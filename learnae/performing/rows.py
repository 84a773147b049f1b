"""A peer's own rows: assigned to validation or training, cut into dataslices on the shelf."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from learnae.codec.seal import Seal
from learnae.codec.slices import decode_slice, encode_slice
from learnae.data.slicing import cut, split_and_cut
from learnae.errors import BadContentError, NotFoundError
from learnae.machine.events import CutSlice
from learnae.machine.memory import KnownSlice
from learnae.performing.shelf import Shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learnae.values.manifest import Manifest


@dataclass(frozen=True, slots=True)
class CutRows:
    """What a peer's rows came to.

    Attributes:
        validation: float32 ``[rows, features + 1]``, unscaled.
        slices: Those that were cut now; earlier ones are known already.
        rows: Rows read.
    """

    validation: NDArray[np.float32]
    slices: tuple[CutSlice, ...]
    rows: int


def cut_rows(
    chunks: Iterable[NDArray[np.float32]],
    manifest: Manifest,
    *,
    seal: Seal,
    shelf: Shelf,
    known: tuple[KnownSlice, ...],
    spool: Path,
    with_evaluation: bool,
    needs_training: bool = True,
    go_on: Callable[[], None] = lambda: None,
) -> CutRows:
    """Put what is new in a peer's rows on the shelf.

    Args:
        chunks: float32 ``[rows, features + 1]`` each, unscaled, as ``learnae.data.rows.read_raw`` yields them.
        manifest: The session's terms.
        seal: Makes the digests.
        shelf: Where dataslices go.
        known: Own slices that were cut at earlier starts.
        spool: A folder for temporary files.
        with_evaluation: Also cut the validation rows into evaluation slices, because the peer shares.
        needs_training: Whether some row must be for training: not where sensors bring more.
        go_on: Called before every chunk and every slice; what it raises ends the work half-way, which leaves no damage.

    Raises:
        DataError: No rows for training or validation.
        StateError: The disk is full.
    """
    cut_slices: list[CutSlice] = []

    def watched() -> Iterator[NDArray[np.float32]]:
        for chunk in chunks:
            go_on()
            yield chunk

    def put(raw: NDArray[np.float32], *, evaluation: bool) -> None:
        go_on()
        data = encode_slice(raw)
        digest = seal.digest(data)
        shelf.put(digest, data)
        cut_slices.append(CutSlice(digest, len(raw), evaluation))

    training = (item for item in known if not item.evaluation)
    earlier = _on_shelf(training, shelf, manifest)
    with split_and_cut(watched(), manifest, spool=spool, known=earlier, needs_training=needs_training) as assigned:
        for raw in assigned.slices:
            put(raw, evaluation=False)
    if with_evaluation:
        evaluated = {row.tobytes() for raw in _on_shelf((i for i in known if i.evaluation), shelf, manifest) for row in raw}
        fresh = [row for row in assigned.validation if row.tobytes() not in evaluated]
        if fresh:
            for raw in cut(np.stack(fresh), manifest.slice_size):
                put(raw, evaluation=True)
    return CutRows(assigned.validation, tuple(cut_slices), assigned.rows)


def _on_shelf(known: Iterable[KnownSlice], shelf: Shelf, manifest: Manifest) -> Iterator[NDArray[np.float32]]:
    for item in known:
        try:
            yield decode_slice(shelf.get(item.digest), manifest)
        except (NotFoundError, BadContentError):
            continue  # It is cut again from the rows.
