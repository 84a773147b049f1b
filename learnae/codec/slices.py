"""Dataslices as files."""

from typing import TYPE_CHECKING

import numpy as np

from learnae.codec.tensors import Spec, decode_tensors, encode_tensors, first_not_finite, tensor_header
from learnae.errors import BadContentError, UsageError
from learnae.values.choices import Task
from learnae.values.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = "rows"
MOST_HEADER_BYTES = 256


def encode_slice(raw: "NDArray[np.float32]") -> bytes:
    """Write the canonical bytes of a dataslice: safetensors with one tensor, ``rows``.

    Args:
        raw: float32 ``[rows, features + 1]``: unscaled features in the manifest's order, then the target (for classification
            the class index). At least one row.

    Raises:
        UsageError: Another dtype or shape, or a value that is not finite.
    """
    if raw.dtype != np.float32 or raw.ndim != 2 or len(raw) == 0:
        raise UsageError(f"a dataslice is float32 [rows, features + 1], not {raw.dtype} {list(raw.shape)}")
    if first_not_finite({ROWS: raw}) is not None:
        raise UsageError("a dataslice holds only finite values")
    return encode_tensors({ROWS: raw})


def decode_slice(data: bytes, manifest: Manifest) -> "NDArray[np.float32]":
    """Read a dataslice from a stranger's bytes.

    Returns:
        float32 ``[rows, features + 1]``, as ``encode_slice`` takes it, writable: 1 to ``slice_size`` rows, finite values,
        targets that are indices of classes where the task is classification.

    Raises:
        BadContentError: Anything else, whatever the bytes.
    """
    if len(data) > largest_slice(manifest):
        raise BadContentError(f"dataslice: {len(data)} bytes where at most {largest_slice(manifest)} are allowed")
    try:
        found = decode_tensors(data, max_header_bytes=MOST_HEADER_BYTES)
    except ValueError as exc:
        raise BadContentError(f"dataslice: {exc}") from exc
    if list(found) != [ROWS]:
        raise BadContentError(f"dataslice: its tensors are {sorted(found)[:4]}, not ['{ROWS}']")
    rows, columns = found[ROWS], len(manifest.features) + 1
    if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != columns or not 1 <= len(rows) <= manifest.slice_size:
        raise BadContentError(f"dataslice: {rows.dtype} {list(rows.shape)}, not float32 [1 to {manifest.slice_size}, {columns}]")
    if first_not_finite(found) is not None:
        raise BadContentError("dataslice: a value is not finite")
    targets = rows[:, -1]
    if manifest.task is not Task.REGRESSION and not np.isin(targets, np.arange(len(manifest.classes), dtype=np.float32)).all():
        raise BadContentError(f"dataslice: a target is not the index of one of the {len(manifest.classes)} classes")
    return rows


def largest_slice(manifest: Manifest) -> int:
    """Return how many bytes a dataslice of ``slice_size`` rows has, the largest valid one, before it is sealed."""
    full = Spec(ROWS, (manifest.slice_size, len(manifest.features) + 1), "float32")
    return len(tensor_header([full])) + full.data_bytes
