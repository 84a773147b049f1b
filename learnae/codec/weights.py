"""Models as files, and a framework's optimiser state."""

from typing import TYPE_CHECKING, Any

from learnae.codec.tensors import Spec, decode_tensors, encode_tensors, first_not_finite, tensor_header
from learnae.errors import BadContentError, DamagedError
from learnae.values.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learnae.values.arrays import Weights

MOST_HEADER_BYTES = 2**24
"""For arrays whose names nobody knows beforehand."""


def encode_weights(weights: "Weights") -> bytes:
    """Write the canonical bytes of a model: safetensors as ``learnae.codec.tensors`` fixes it. Equal weights, equal bytes.

    Raises:
        UsageError: A dtype or a name that the format cannot carry.
    """
    return encode_tensors(weights)


def decode_weights(data: bytes, manifest: Manifest) -> "dict[str, NDArray[Any]]":
    """Read a model from a stranger's bytes.

    Returns:
        Exactly the manifest's paths, shapes and dtypes, in the manifest's order; writable, finite.

    Raises:
        BadContentError: Anything else, whatever the bytes.
    """
    header = tensor_header(_specs(manifest))
    size = weights_size(manifest)
    if len(data) != size:
        raise BadContentError(f"model: {len(data)} bytes, where this session's models have {size}")
    # The whole header is known beforehand, so a stranger's is compared, and parsed only if there is nothing new in it.
    if not data.startswith(header):
        raise BadContentError("model: names, shapes, dtypes or their order are not the manifest's")
    try:
        found = decode_tensors(data, max_header_bytes=len(header))
    except ValueError as exc:
        raise BadContentError(f"model: {exc}") from exc
    if (name := first_not_finite(found)) is not None:
        raise BadContentError(f"model: {name!r} holds a value that is not finite")
    return {parameter.path: found[parameter.path] for parameter in manifest.parameters}


def weights_size(manifest: Manifest) -> int:
    """Return the size in bytes of every valid model of a session, before it is sealed."""
    specs = _specs(manifest)
    return len(tensor_header(specs)) + sum(spec.data_bytes for spec in specs)


def encode_arrays(arrays: "Weights") -> bytes:
    """Write arrays of one's own under any names, such as an optimiser's state.

    Raises:
        UsageError: A dtype or a name that the format cannot carry.
    """
    return encode_tensors(arrays)


def decode_arrays(data: bytes) -> "dict[str, NDArray[Any]]":
    """Read what ``encode_arrays`` wrote: writable arrays; values that are not finite are kept, for a resume must be exact.

    Raises:
        DamagedError: The bytes are anything else.
    """
    try:
        return decode_tensors(data, max_header_bytes=MOST_HEADER_BYTES)
    except ValueError as exc:
        raise DamagedError(f"stored arrays: {exc}") from exc


def _specs(manifest: Manifest) -> list[Spec]:
    return [Spec(parameter.path, parameter.shape, parameter.dtype) for parameter in manifest.parameters]
