"""The manifest as bytes and as a file, and what must hold in one."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from learnae.codec import canonical
from learnae.codec.digests import plain_digest
from learnae.codec.files import FOR_ALL, create, read_small
from learnae.codec.slices import largest_slice
from learnae.codec.tensors import RESERVED
from learnae.codec.weights import weights_size
from learnae.errors import BadContentError, ConfigError, TooLargeError, UsageError
from learnae.values.announcements import PROTOCOL
from learnae.values.choices import Judge, Task
from learnae.values.ids import SessionId
from learnae.values.manifest import Manifest

MOST_FILE_BYTES = 2**25
LEAST_SCALE = 1e-30
"""Below, float32 arithmetic makes zero or infinity of it."""


def encode_manifest(manifest: Manifest) -> bytes:
    """Write the canonical bytes of a manifest.

    Raises:
        UsageError: A text in it cannot be written as UTF-8.
    """
    return canonical.encode(manifest)


def session_id(manifest: Manifest) -> SessionId:
    """Return the session's id: the unkeyed digest of the manifest's canonical bytes."""
    return SessionId(plain_digest(encode_manifest(manifest)))


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest for people to read, indented; the same one already there is left as it is.

    Raises:
        ConfigError: The manifest contradicts itself, something else is at that path, or the file cannot be written.
    """
    check_manifest(manifest)
    try:
        create(path, msgspec.json.format(encode_manifest(manifest), indent=2) + b"\n", mode=FOR_ALL)
    except FileExistsError as exc:
        if session_id(read_manifest(path)) != session_id(manifest):
            raise ConfigError(f"{path}: another session's manifest is there, and is not overwritten; name another file") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: the manifest cannot be written: {exc}") from exc


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest's file; white space, the order of keys and left-out defaults are free.

    Raises:
        ConfigError: There is none, or it cannot be used; the message names file and key.
    """
    try:
        data = read_small(path, max_bytes=MOST_FILE_BYTES)
        # msgspec takes the last of two equal keys and says nothing.
        json.loads(data, object_pairs_hook=_unique)
        manifest = msgspec.json.decode(data, type=Manifest)
        check_manifest(manifest)
    except FileNotFoundError as exc:
        raise ConfigError(
            f"{path}: there is no such session; name its manifest with --session, or describe one with learnae init"
        ) from exc
    except (OSError, TooLargeError) as exc:
        raise ConfigError(f"{path}: the manifest cannot be read: {exc}") from exc
    except (ValueError, RecursionError, ConfigError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Check that a manifest can be worked with and does not contradict itself.

    Raises:
        ConfigError: It does; the message names the keys.
    """
    try:
        canonical.decode(encode_manifest(manifest), Manifest, max_bytes=MOST_FILE_BYTES, what="manifest")
    except (BadContentError, UsageError) as exc:
        raise ConfigError(str(exc)) from exc
    for complaint in _complaints(manifest):
        raise ConfigError(f"manifest: {complaint}")


def _complaints(manifest: Manifest) -> Iterator[str]:
    """Say what contradicts itself, one key after the other."""
    if manifest.protocol != PROTOCOL:
        yield f"protocol is {manifest.protocol}; this program speaks {PROTOCOL}"
    yield from _about_columns(manifest)
    yield from _about_classes(manifest)
    yield from _about_sizes(manifest)
    if manifest.judge is Judge.LOSS and manifest.min_gain <= 0:
        yield "min_gain is 0; with judge = loss it must be above, or rounding keeps the session alive for ever"


def _about_columns(manifest: Manifest) -> Iterator[str]:
    count = len(manifest.features)
    if len(set(manifest.features)) != count:
        yield "features: a column is named twice"
    if manifest.target in manifest.features:
        yield f"target: {manifest.target!r} is among the features"
    for key, values in (("centre", manifest.centre), ("scale", manifest.scale)):
        if len(values) != count:
            yield f"{key} has {len(values)} values for {count} features"
    for feature, scale in zip(manifest.features, manifest.scale, strict=False):
        if abs(scale) < LEAST_SCALE:
            yield f"scale of {feature!r} is {scale}; it must be at least {LEAST_SCALE} in size, and never zero"


def _about_classes(manifest: Manifest) -> Iterator[str]:
    count = len(manifest.classes)
    match manifest.task:
        case Task.BINARY if count != 2:
            yield f"classes: {count} for a binary task; there must be 2"
        case Task.MULTICLASS if count < 2:
            yield f"classes: {count} for a multiclass task; there must be at least 2"
        case Task.REGRESSION if count:
            yield f"classes: {count} for a regression; there must be none"
    if len(set(manifest.classes)) != count:
        yield "classes: one is named twice"


def _about_sizes(manifest: Manifest) -> Iterator[str]:
    paths = [parameter.path for parameter in manifest.parameters]
    if len(set(paths)) != len(paths):
        yield "parameters: a path is named twice"
    if RESERVED in paths:
        yield f"parameters: {RESERVED!r} cannot be a path"
    most = manifest.limits.model_bytes
    for parameter in manifest.parameters:
        # NumPy refuses an empty array whose other axes are too long, so an axis of length zero counts as one.
        if math.prod(max(axis, 1) for axis in parameter.shape) > most:
            yield f"parameters: {parameter.path!r} of shape {list(parameter.shape)} exceeds limits.model_bytes, {most}"
    if weights_size(manifest) > most:
        yield f"parameters: a model takes {weights_size(manifest)} bytes; limits.model_bytes is {most}"
    if (size := largest_slice(manifest)) > manifest.limits.slice_bytes:
        yield f"slice_size: {manifest.slice_size} rows take {size} bytes; limits.slice_bytes is {manifest.limits.slice_bytes}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, and refuse one that has a key twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} is there twice")
        found[key] = value
    return found
