"""Named arrays as bytes: safetensors, and of its many spellings exactly one.

The format (https://huggingface.co/docs/safetensors) is eight bytes with the header's length, the header (JSON, one entry a
tensor) and the data. Here larger items come first, then names in order, so that every array stays aligned; the header is
padded with spaces to a multiple of eight; there is no metadata. Equal arrays thus have equal bytes, and an equal digest,
whatever version of the library a peer has.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import safetensors

from learnae.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learnae.values.arrays import Weights

CODES = {
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
}
"""NumPy's name of a dtype to the format's."""
NAMES = {code: name for name, code in CODES.items()}
RESERVED = "__metadata__"
LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Spec:
    """What the header says of one tensor: name, shape and NumPy's name of the dtype, one of ``CODES``."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def item_bytes(self) -> int:
        """Size one item."""
        return np.dtype(self.dtype).itemsize

    @property
    def data_bytes(self) -> int:
        """Size the data; a scalar has one item."""
        return math.prod(self.shape) * self.item_bytes


def tensor_header(specs: Iterable[Spec]) -> bytes:
    """Write everything that comes before the data, which follows in the order of ``in_order``."""
    entries: dict[str, dict[str, Any]] = {}
    offset = 0
    for spec in in_order(specs):
        entries[spec.name] = {"dtype": CODES[spec.dtype], "shape": spec.shape, "data_offsets": (offset, offset + spec.data_bytes)}
        offset += spec.data_bytes
    text = msgspec.json.encode(entries)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def in_order(specs: Iterable[Spec]) -> list[Spec]:
    """Sort tensors as their data lie in the file."""
    return sorted(specs, key=lambda spec: (-spec.item_bytes, spec.name))


def encode_tensors(arrays: "Weights") -> bytes:
    """Write arrays, C order, little endian.

    Raises:
        UsageError: A dtype that is not in ``CODES``, or a name that cannot be one.
    """
    specs = []
    for name, array in arrays.items():
        if array.dtype.name not in CODES:
            raise UsageError(f"array {name!r} is {array.dtype}; what can be written is {', '.join(CODES)}")
        if name == RESERVED:
            raise UsageError(f"an array cannot be called {RESERVED!r}: the format keeps that name for itself")
        specs.append(Spec(name, array.shape, array.dtype.name))
    try:
        parts: list[Any] = [tensor_header(specs)]
    except UnicodeEncodeError as exc:
        raise UsageError(f"the name of an array cannot be written as UTF-8: {exc.object!r}") from exc
    for spec in in_order(specs):
        little = arrays[spec.name].astype(np.dtype(spec.dtype).newbyteorder("<"), copy=False)
        parts.append(np.ascontiguousarray(little).reshape(-1).view(np.uint8))
    return b"".join(parts)


def decode_tensors(data: bytes, *, max_header_bytes: int) -> "dict[str, NDArray[Any]]":
    """Read arrays that ``encode_tensors`` wrote, and no other bytes.

    Args:
        data: Any bytes.
        max_header_bytes: A longer header is refused before it is parsed.

    Returns:
        Writable arrays of their own memory, in the order of the file.

    Raises:
        ValueError: Anything else; never another exception.
    """
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if len(data) < LENGTH_BYTES or length > min(max_header_bytes, len(data) - LENGTH_BYTES):
        raise ValueError(f"cut short, or a header of {length} bytes where at most {max_header_bytes} are allowed")
    try:
        found = {name: _array(view) for name, view in safetensors.deserialize(data)}  # type: ignore[no-untyped-call] # the library's stubs say no types
    except (safetensors.SafetensorError, OverflowError) as exc:
        raise ValueError(f"no safetensors: {exc}") from exc
    # The library leaves room for duplicate keys, other orders, other padding and metadata. One comparison ends all that.
    specs = in_order(Spec(name, array.shape, array.dtype.name) for name, array in found.items())
    if data[: LENGTH_BYTES + length] != tensor_header(specs):
        raise ValueError("valid safetensors, but not in canonical form")
    return {spec.name: found[spec.name] for spec in specs}


def _array(view: Any) -> "NDArray[Any]":  # noqa: ANN401 - the library's own mapping, untyped
    """Turn one tensor of the library's into an array."""
    name = NAMES.get(view["dtype"])
    if name is None:
        raise ValueError(f"a tensor is {view['dtype']}; what can be read is {', '.join(NAMES)}")
    raw: bytearray = view["data"]
    if name == "bool" and max(raw, default=0) > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    # A bytearray is the library's copy and belongs to nobody else, so the array may be written to.
    little = np.frombuffer(raw, dtype=np.dtype(name).newbyteorder("<"))
    return little.reshape(view["shape"]).astype(name, copy=False)


def first_not_finite(arrays: "Weights") -> str | None:
    """Name an array that holds NaN or infinity, if there is one."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return name
    return None
