"""An external shuffle: more rows than memory holds, put into the order of their keys by way of files."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.typing import NDArray

from learnae.data.assignment import Keys, key_order
from learnae.data.rows import Raw
from learnae.errors import StateError

BUCKETS = 256
"""Files that rows are dealt out to; one at a time is read back into memory and sorted."""

HELD_BYTES = 1 << 19
"""So much is held in memory before it goes to files: a small table never touches the disk."""

_PREFIX = "shuffle-"


class Spool:
    """Rows on their way into an order that depends on nothing but the rows.

    Memory: ``HELD_BYTES``, what one call brings, and the largest bucket, which is about a 256th of all rows. Only a table in
    which one row makes up much of the whole has a larger one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._columns = 0
        self._held: dict[Path, list[bytes]] = {}
        self._held_bytes = 0

    def add(self, raw: Raw, keys: Keys) -> None:
        """Take rows in.

        Raises:
            StateError: They cannot be written.
        """
        self._columns = raw.shape[1]
        record = np.dtype([("key", np.uint64, (2,)), ("row", np.float32, (self._columns,))])
        records = np.empty(len(raw), dtype=record)
        records["key"] = keys[:, 1:]
        records["row"] = raw
        self._append("rows", records, keys)

    def leave_out(self, keys: Keys) -> None:
        """Take note that each of these rows is to be left out once.

        Raises:
            StateError: They cannot be written.
        """
        self._append("known", np.ascontiguousarray(keys[:, 1:]), keys)

    def ordered(self) -> Iterator[Raw]:
        """Yield all rows in order, a bucket at a time.

        Raises:
            StateError: They cannot be read back.
        """
        record = np.dtype([("key", np.uint64, (2,)), ("row", np.float32, (self._columns,))])
        for bucket in range(BUCKETS):
            records = np.frombuffer(self._read("rows", bucket), dtype=record)
            if not len(records):
                continue
            keys = records["key"]
            order = key_order(np.column_stack([keys[:, :1], keys]))
            known = np.frombuffer(self._read("known", bucket), dtype=np.uint64).reshape(-1, 2)
            if len(known):
                order = order[_not_known(keys[order], known)]
            if len(order):
                yield records["row"][order]

    def _append(self, kind: str, records: NDArray[np.generic], keys: Keys) -> None:
        buckets = (keys[:, 1] >> np.uint64(56)).astype(np.intp)
        order = np.argsort(buckets, kind="stable")
        bounds = np.searchsorted(buckets[order], np.arange(BUCKETS + 1))
        for bucket in np.flatnonzero(np.diff(bounds)):
            data = records[order[bounds[bucket] : bounds[bucket + 1]]].tobytes()
            self._held.setdefault(self._path(kind, int(bucket)), []).append(data)
            self._held_bytes += len(data)
        if self._held_bytes > HELD_BYTES:
            self._write()

    def _write(self) -> None:
        try:
            for path, held in self._held.items():
                # Opened for each chunk: systems differ in how many files a process may hold open.
                with path.open("ab") as file:
                    file.writelines(held)
        except OSError as exc:
            raise StateError(f"{self._folder}: cannot shuffle rows here: {exc.strerror or exc}; free some space") from exc
        self._held, self._held_bytes = {}, 0

    def _read(self, kind: str, bucket: int) -> bytes:
        path = self._path(kind, bucket)
        held = b"".join(self._held.get(path, ()))
        try:
            return path.read_bytes() + held
        except FileNotFoundError:
            return held
        except OSError as exc:
            raise StateError(f"{self._folder}: cannot read shuffled rows: {exc.strerror or exc}") from exc

    def _path(self, kind: str, bucket: int) -> Path:
        return self._folder / f"{kind}-{bucket:03d}"


@contextmanager
def opened_spool(folder: Path) -> Iterator[Spool]:
    """Open a spool in a folder of one's own, and remove its files afterwards; what a crash left there goes first.

    Raises:
        StateError: The folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(stale)
        inner = Path(mkdtemp(prefix=_PREFIX, dir=folder))
    except OSError as exc:
        raise StateError(f"{folder}: cannot shuffle rows here: {exc.strerror or exc}") from exc
    try:
        yield Spool(inner)
    finally:
        shutil.rmtree(inner, ignore_errors=True)


def _not_known(keys: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Say which rows remain when each known key takes away one row of that key."""
    left = Counter(map(bytes, known))
    remains = np.ones(len(keys), dtype=np.bool_)
    for index, key in enumerate(map(bytes, keys)):
        if left[key] > 0:
            left[key] -= 1
            remains[index] = False
    return remains
