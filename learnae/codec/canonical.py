"""One byte string for each value: the JSON that msgspec writes, fields in declared order, no white space.

Digests and signatures are taken over these bytes, so nothing that means the same may be spelt differently.
"""

from typing import Any, TypeVar

import msgspec

from learnae.errors import BadContentError, UsageError

T = TypeVar("T")


def encode(value: Any) -> bytes:  # noqa: ANN401 - whatever msgspec can encode: structs and tuples of them
    """Write the canonical bytes of a struct, or of a tuple of structs.

    A number that is not finite becomes ``null``, as in all JSON, and ``decode`` refuses it: check before.

    Raises:
        UsageError: A text that UTF-8 cannot carry (a lone surrogate).
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as exc:
        raise UsageError(f"a text cannot be written as UTF-8: {exc}; replace {exc.object!r}") from exc


def decode(data: bytes, type: type[T], *, max_bytes: int, what: str) -> T:  # noqa: A002 - msgspec's word
    """Read canonical bytes, and no others.

    Refused are, beside what msgspec refuses (wrong types, unknown or missing fields, numbers out of range, bad UTF-8):
    duplicate keys, white space, other field orders, other spellings of numbers and texts, left-out defaults, too deep nesting.

    Args:
        data: Bytes from a stranger.
        type: What they must be.
        max_bytes: More bytes are refused before they are parsed.
        what: What they should have been, for the message: ``"hashlist"``.

    Raises:
        BadContentError: They are anything else; never another exception.
    """
    if len(data) > max_bytes:
        raise BadContentError(f"{what}: {len(data)} bytes where at most {max_bytes} are allowed")
    try:
        value = msgspec.json.decode(data, type=type)
    # msgspec's errors and bad UTF-8 are ValueErrors; the other comes from a tower of brackets.
    except (ValueError, RecursionError) as exc:
        raise BadContentError(f"{what}: {exc}") from exc
    if msgspec.json.encode(value) != data:
        raise BadContentError(
            f"{what}: valid, but not in canonical form (white space, duplicate keys, another spelling or order)"
        )
    return value
