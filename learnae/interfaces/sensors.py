"""Readings of small sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from learnae.values.ids import SensorId

Cell = str | int | float | bool | None
Reading = dict[str, Cell]
"""One reading: column to value, unchecked. Columns beyond the manifest's are ignored by the reader."""


@dataclass(frozen=True, slots=True)
class Packet:
    """Readings that follow a position in a sensor's stream.

    Attributes:
        readings: In the order of the stream; ``None`` stands for something there that is no reading at all. Every reader of
            the stream gets the same sequence, however it is divided into packets.
        position: Where to go on, opaque to the caller, at most 1,000 characters; durable across restarts.
        ended: The sensor said that nothing will follow.
        first: How many readings of the stream come before these, where the source knows. One whose streams can lose what is old
            has to: readers cut dataslices at fixed numbers, and those after a gap are the same for all of them too. ``None``
            stands for a stream without gaps. It never goes back.
    """

    readings: tuple[Reading | None, ...]
    position: str
    ended: bool = False
    first: int | None = None


class SensorSource(Protocol):
    """Finds sensors and reads their streams; each stream is append-only and the same for every reader."""

    async def sensors(self) -> Sequence[SensorId]:
        """List the streams that can be read now, sorted; at most 10,000.

        Raises:
            UnavailableError: The source does not answer.
        """

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        """Return what follows a position; empty, with the same position, if nothing does yet. Idempotent.

        Args:
            sensor: One of ``sensors()``.
            position: ``""`` for the beginning, else the ``position`` of an earlier packet of this stream.
            max_readings: The most readings to return; at least 1. Memory used is bounded by it.

        A reading that is only half there is not returned and not skipped. Several streams may be read at once. Where nothing came
        several times in a row, nothing may be said to have come yet without a look, for at most ten seconds. What takes longer
        than some seconds returns what it has: a caller that loses patience loses all of it.

        Raises:
            NotFoundError: There is no such sensor now.
            DamagedError: The position does not fit the stream any more: it was cut or replaced.
            UnavailableError: The source does not answer.
        """

    async def aclose(self) -> None:
        """End it; idempotent."""
