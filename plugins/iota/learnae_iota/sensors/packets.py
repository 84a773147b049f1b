"""Packets: readings as a message of a channel, signed by the sensor's key for their place in its stream, sealed where need be."""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from learnae.errors import BadContentError, TooLargeError
from learnae.interfaces.sensors import Cell, Reading
from learnae_iota.sensors.admission import SensorKey
from learnae_iota.sensors.envelopes import Count, from_message, parse, read_envelope, to_message, write_envelope
from learnae_iota.sensors.sessions import MAX_MESSAGE_BYTES, SensorSession

MAX_READINGS = 10_000
"""In one packet."""

MAX_NUMBER = 1e300


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Readings with the same columns; ``null`` stands for something that is no reading."""

    columns: Annotated[tuple[str, ...], Meta(max_length=65536)]
    rows: Annotated[tuple[tuple[Cell, ...] | None, ...], Meta(max_length=MAX_READINGS)]


class SensorPacket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a message holds.

    Attributes:
        index: The packet's number in the stream.
        first: How many readings came before it.
        parts: Its readings.
        end: Whether nothing will follow.
    """

    learnae: Literal["packet"] = "packet"
    version: Literal[1] = 1
    index: Count
    first: Count
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_READINGS)] = ()
    end: bool = False


def write_packet(
    readings: Sequence[Reading | None],
    *,
    index: int,
    first: int,
    end: bool,
    root: str,
    next_root: str,
    key: SensorKey,
    session: SensorSession,
) -> str:
    """Write a packet as trytes for its place: between this root and the next one.

    Raises:
        TooLargeError: It is too large for a message; put fewer readings into it.
    """
    body = SensorPacket(index=index, first=first, parts=_parts(readings), end=end)
    data = write_envelope(body, key, _about(session, root, next_root))
    sealed = session.seal(data, f"packet/{key.public}/{index}")
    if len(sealed) > MAX_MESSAGE_BYTES or len(readings) > MAX_READINGS:
        raise TooLargeError(
            f"a packet of {len(readings)} readings, {len(sealed)} bytes; {MAX_MESSAGE_BYTES} go into one:"
            " choose fewer --instances-per-packet"
        )
    return to_message(sealed)


def read_packet(trytes: str, *, index: int, root: str, next_root: str, key: str, session: SensorSession) -> SensorPacket:
    """Read a message that a channel's signature already vouched for.

    Raises:
        BadContentError: It is no packet, or not of this place.
        ForgedError: The sensor's key did not sign it, or it is not sealed with the session's secret.
    """
    data = session.open(from_message(trytes, MAX_MESSAGE_BYTES), f"packet/{key}/{index}")
    envelope = read_envelope(data)
    envelope.verify(key, _about(session, root, next_root))
    packet = parse(envelope.body, SensorPacket)
    if packet.index != index:
        raise BadContentError(f"packet {packet.index} in the place of packet {index}")
    if sum(len(part.rows) for part in packet.parts) > MAX_READINGS:
        raise BadContentError(f"a packet of more than {MAX_READINGS} readings")
    return packet


def readings_of(packet: SensorPacket) -> list[Reading | None]:
    """Return the readings; a row that does not fit its columns is none."""
    found: list[Reading | None] = []
    for part in packet.parts:
        usable = len(set(part.columns)) == len(part.columns)
        found += [_reading(part.columns, row) if usable and row is not None else None for row in part.rows]
    return found


def is_cell(value: object) -> bool:
    """Tell whether a value can be sent: text, a number, a truth value or nothing."""
    if isinstance(value, str):
        return value.isascii() or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in value)  # halves that UTF-8 cannot carry
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63
    return value is None or isinstance(value, bool) or (isinstance(value, float) and abs(value) <= MAX_NUMBER)


def _reading(columns: tuple[str, ...], row: tuple[Cell, ...]) -> Reading | None:
    if len(row) != len(columns) or not all(map(is_cell, row)):
        return None
    return dict(zip(columns, row, strict=True))


def _parts(readings: Sequence[Reading | None]) -> tuple[Part, ...]:
    groups = groupby(readings, key=_columns)
    return tuple(
        Part(columns or (), tuple(None if reading is None else tuple(reading.values()) for reading in group))
        for columns, group in groups
    )


def _columns(reading: Reading | None) -> tuple[str, ...] | None:
    return None if reading is None else tuple(reading)


def _about(session: SensorSession, root: str, next_root: str) -> str:
    return f"packet/{session.codename}/{root}/{next_root}"
