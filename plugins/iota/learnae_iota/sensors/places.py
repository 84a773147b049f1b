"""Where a reader stands in a stream, and how that is written down."""

import hashlib
import re
from dataclasses import dataclass

from learnae.errors import DamagedError
from learnae_iota.sensors.heads import Head

_STREAM_DIGITS = 16
_POSITION = re.compile(rf"1:([0-9a-f]{{{_STREAM_DIGITS}}}):([0-9]{{1,15}}):([0-9]{{1,6}}):([9A-Z]{{81}})\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader stands in a stream.

    Attributes:
        stream: Which one: see ``stream_of``.
        index: The number of the packet that comes next.
        offset: How many of its readings were read already.
        root: Its root.
    """

    stream: str
    index: int
    offset: int
    root: str

    def __str__(self) -> str:
        """Write it as an opaque position."""
        return f"1:{self.stream}:{self.index}:{self.offset}:{self.root}"


def stream_of(head: Head) -> str:
    """Return what tells a stream from another one of that name: 16 hexadecimal digits, of its key and its first root."""
    return hashlib.sha256(f"{head.key}/{head.first_root}".encode()).hexdigest()[:_STREAM_DIGITS]


def start_of(head: Head) -> Place:
    """Return the place that a head tells of."""
    return Place(stream_of(head), head.index, 0, head.root)


def parse_place(position: str, head: Head) -> Place:
    """Read a position; the empty one is the beginning.

    Raises:
        DamagedError: It is none, or none of this stream.
    """
    if position == "":
        return Place(stream_of(head), 0, 0, head.first_root)
    found = _POSITION.match(position)
    if found is None or found[1] != stream_of(head) or (found[2].strip("0") == "" and found[4] != head.first_root):
        raise DamagedError(
            f"{position[:120]!r} is no position in the stream of sensor {head.sensor} with the key {head.key[:16]}"
        )
    return Place(found[1], int(found[2]), int(found[3]), found[4])
