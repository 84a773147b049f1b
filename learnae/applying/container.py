"""A model in a file of its own: safetensors, with the session's manifest in the file's metadata.

Every program that reads safetensors reads it. The metadata hold ``learnae.manifest``, the manifest's canonical JSON, and
``learnae.maturity``, the work cycles behind the model. Equal models have equal files.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from learnae.applying.drafts import whole_file
from learnae.codec import canonical
from learnae.codec.manifests import MOST_FILE_BYTES, check_manifest, encode_manifest
from learnae.codec.tensors import LENGTH_BYTES, RESERVED
from learnae.codec.weights import decode_weights, encode_weights, weights_size
from learnae.errors import BadContentError, ConfigError
from learnae.values.manifest import Manifest

if TYPE_CHECKING:
    from learnae.values.arrays import Weights

MANIFEST_KEY = "learnae.manifest"
MATURITY_KEY = "learnae.maturity"
MOST_HEADER_BYTES = 2 * MOST_FILE_BYTES
"""The manifest stands in the header as text within text, which may escape every quotation mark."""

_NO_MODEL = "this is no model that `learnae export` wrote"


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A model and the terms under which it was made.

    Attributes:
        manifest: The session's terms: what goes in, in which order and scale, and what comes out.
        weights: Exactly the manifest's paths, shapes and dtypes; finite.
        maturity: Work cycles behind it (paper, section 4.3).
    """

    manifest: Manifest
    weights: "Weights"
    maturity: int = 0


def write_model(path: Path, model: ExportedModel) -> Path:
    """Write a model's file; whoever looks finds what was there before, or the whole new one.

    Returns:
        The path.

    Raises:
        OperatorError: It cannot be written.
    """
    plain = encode_weights(model.weights)
    length = int.from_bytes(plain[:LENGTH_BYTES], "little")
    tensors = json.loads(plain[LENGTH_BYTES : LENGTH_BYTES + length])
    metadata = {MANIFEST_KEY: encode_manifest(model.manifest).decode(), MATURITY_KEY: str(model.maturity)}
    header = msgspec.json.encode({RESERVED: metadata, **tensors})
    header += b" " * (-len(header) % 8)
    with whole_file(path) as file:
        file.write(len(header).to_bytes(LENGTH_BYTES, "little") + header)
        file.write(memoryview(plain)[LENGTH_BYTES + length :])
    return path


def read_model(path: Path) -> ExportedModel:
    """Read a model's file, whoever wrote it: nothing in it is run, and no more is read than its manifest explains.

    Raises:
        ConfigError: There is none, or it is not what ``write_model`` writes; the message says what is wrong.
    """
    try:
        # A named pipe would block the open for ever, without O_NONBLOCK.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            return _read(path, file)
    except FileNotFoundError as exc:
        raise ConfigError(f"{path}: there is no such file; `learnae export --out {path}` writes one") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: the model cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError, BadContentError) as exc:
        raise ConfigError(f"{path}: {_NO_MODEL}: {exc}") from exc


def _read(path: Path, file: BinaryIO) -> ExportedModel:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: the model cannot be read: it is no regular file")
    length = int.from_bytes(_exactly(file, LENGTH_BYTES), "little")
    if length > MOST_HEADER_BYTES:
        raise ValueError(f"its header claims {length} bytes; at most {MOST_HEADER_BYTES} are allowed")
    header = json.loads(_exactly(file, length), object_pairs_hook=_unique)
    metadata = header.pop(RESERVED, None) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get(MANIFEST_KEY), str):
        raise ValueError(f"its metadata hold no {MANIFEST_KEY}")
    manifest = canonical.decode(metadata[MANIFEST_KEY].encode(), Manifest, max_bytes=MOST_FILE_BYTES, what=MANIFEST_KEY)
    try:
        check_manifest(manifest)
    except ConfigError as exc:
        raise ValueError(str(exc)) from exc
    plain_header = msgspec.json.encode(header)
    plain_header += b" " * (-len(plain_header) % 8)
    data_bytes = status.st_size - LENGTH_BYTES - length
    if LENGTH_BYTES + len(plain_header) + data_bytes != weights_size(manifest):
        raise ValueError("its tensors are not those that its manifest names, or it is cut short")
    # Without the metadata it must be, byte for byte, what peers exchange: one decoder checks names, shapes, dtypes and values.
    plain = len(plain_header).to_bytes(LENGTH_BYTES, "little") + plain_header + _exactly(file, data_bytes)
    maturity = str(metadata.get(MATURITY_KEY, "0"))
    if not (maturity.isascii() and maturity.isdigit() and len(maturity) <= 16):
        raise ValueError(f"{MATURITY_KEY} is {maturity[:40]!r}, which is no count")
    return ExportedModel(manifest, decode_weights(plain, manifest), int(maturity))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it is cut short")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
