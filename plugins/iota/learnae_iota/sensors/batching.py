"""Divides readings into packets, none of which is too large for a message."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from learnae.interfaces.sensors import Reading
from learnae_iota.sensors.feeding import LineInput
from learnae_iota.sensors.sessions import MAX_MESSAGE_BYTES

MAX_PACKET_BYTES = 200_000
"""Of readings as a packet holds them: with one more it would be longer, or there is only one."""

MAX_READING_BYTES = MAX_MESSAGE_BYTES - 2_000
"""Of one reading as a packet holds it: what is around it, signature and seal are shorter."""

_PART_BYTES = len('{"columns":,"rows":[]},')


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings for one packet.

    Attributes:
        readings: In their order.
        input: The position after them, as ``InputPosition`` in JSON.
        end: Whether the sensor is to say that nothing follows.
    """

    readings: tuple[Reading | None, ...]
    input: str = ""
    end: bool = False


def batches(
    source: LineInput, *, size: int, now_s: Callable[[], float], wait: Callable[[], bool], patience_s: float
) -> Iterator[Batch]:
    """Divide readings into packets.

    Args:
        source: Gives them.
        size: The most in one packet.
        now_s: Seconds that only grow.
        wait: Waits a moment for more; false to end.
        patience_s: How long readings wait for a packet to be full.
    """
    waiting: list[Reading] = []
    filled, since, position = 0, 0.0, ""
    for found in source.readings():
        if found is not None:
            written = _written(found, waiting)
            if waiting and filled + written > MAX_PACKET_BYTES:
                yield Batch(tuple(waiting), position)
                waiting, filled, written = [], 0, _written(found, [])
            if written > MAX_READING_BYTES:
                source.leave_out(f"a packet would have {written} bytes, and {MAX_READING_BYTES} go into one")
                continue
            since = since if waiting else now_s()
            waiting.append(found)
            filled, position = filled + written, source.position
        full = len(waiting) == size or filled >= MAX_PACKET_BYTES
        if full or (found is None and waiting and now_s() >= since + patience_s):
            yield Batch(tuple(waiting), source.position)
            waiting, filled = [], 0
        elif found is None and not wait():
            return
    if waiting:
        yield Batch(tuple(waiting), source.position)


def _written(reading: Reading, before: list[Reading]) -> int:
    """Return how many bytes a packet grows by, at most, if a reading follows others in it."""
    rows = len(msgspec.json.encode(tuple(reading.values()))) + 1
    if before and tuple(before[-1]) == tuple(reading):
        return rows
    return rows + len(msgspec.json.encode(tuple(reading))) + _PART_BYTES
