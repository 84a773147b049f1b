"""Faults on a schedule: what goes wrong with which message or call is written down, not left to luck."""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum

from learnae.errors import NotFoundError, UnavailableError, UsageError
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.values.ids import Locator


class Fault(StrEnum):
    """What may happen to one message or one call."""

    LOST = "lost"
    """It never arrives; a file cannot be found."""
    DUPLICATED = "duplicated"
    """It arrives twice."""
    REORDERED = "reordered"
    """It arrives after the one that follows it. Messages only."""
    DELAYED = "delayed"
    """It arrives after the next three; a file is found at the second asking."""
    DAMAGED = "damaged"
    """One bit of it is wrong."""
    TRUNCATED = "truncated"
    """The second half of it is missing."""
    UNAVAILABLE = "unavailable"
    """The call raises ``UnavailableError`` and does nothing."""


Schedule = Mapping[int, Fault]
"""Which message or call, counted from 0, meets which fault; the others meet none."""

_AFTER = {Fault.REORDERED: 1, Fault.DELAYED: 3}


def draw_schedule(seed: int, *, length: int, share: float, faults: Sequence[Fault] = tuple(Fault)) -> dict[int, Fault]:
    """Draw a schedule.

    Args:
        seed: Equal seeds give equal schedules.
        length: How many messages or calls it covers.
        share: The probability that one of them meets a fault, 0 to 1.
        faults: Which ones to draw from.
    """
    draw = random.Random(seed)  # noqa: S311  # luck on purpose, and repeatable
    return {index: draw.choice(faults) for index in range(length) if draw.random() < share}


def spoil(data: bytes, fault: Fault) -> bytes:
    """Return the bytes as this fault leaves them: one bit flipped in the middle, the first half, or untouched."""
    match fault:
        case Fault.DAMAGED if data:
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        case Fault.TRUNCATED:
            return data[: len(data) // 2]
        case _:
            return data


class _Line:
    """Messages on their way: applies the schedule to what enters, in order."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._entered = 0
        self._late: list[tuple[int, str, bytes]] = []

    @property
    def fault(self) -> Fault | None:
        """The fault that the next message meets."""
        return self._schedule.get(self._entered)

    def enter(self, slot: str, message: bytes) -> list[tuple[str, bytes]]:
        """Let a message enter; return what comes out now."""
        fault = self.fault
        index = self._entered
        self._entered += 1
        match fault:
            case Fault.LOST:
                out = []
            case Fault.DUPLICATED:
                out = [(slot, message)] * 2
            case Fault.REORDERED | Fault.DELAYED:
                out = []
                self._late.append((index + _AFTER[fault], slot, message))
            case Fault.DAMAGED | Fault.TRUNCATED:
                out = [(slot, spoil(message, fault))]
            case Fault.UNAVAILABLE | None:
                out = [(slot, message)]
        out += [(late_slot, late) for due, late_slot, late in self._late if due <= index]
        self._late = [entry for entry in self._late if entry[0] > index]
        return out

    def skip(self) -> None:
        """Count a call that did nothing."""
        self._entered += 1


class FaultyTransport:
    """A ``Transport`` that mistreats another one's messages on a schedule. Everything that is not scheduled passes untouched.

    A message that is held back and followed by too few others never arrives: then it was lost.

    Args:
        inner: The transport underneath; closed with this one.
        published: Faults of the messages published, by the number of the call.
        received: Faults of the messages received, by their number.
    """

    def __init__(self, inner: Transport, published: Schedule | None = None, received: Schedule | None = None) -> None:
        self.max_message_bytes = inner.max_message_bytes
        self._inner = inner
        self._out = _Line(published or {})
        self._in = _Line(received or {})
        self._arrived: deque[bytes] = deque()

    async def publish(self, slot: str, message: bytes) -> None:
        """Publish a message, or do to it what the schedule says."""
        if self._out.fault is Fault.UNAVAILABLE:
            self._out.skip()
            text = "the transport is unavailable, as scheduled"
            raise UnavailableError(text)
        for out_slot, out in self._out.enter(slot, message):
            await self._inner.publish(out_slot, out)

    async def receive(self) -> bytes:
        """Receive a message, as the schedule lets it through."""
        while not self._arrived:
            if self._in.fault is Fault.UNAVAILABLE:
                self._in.skip()
                text = "the transport is unavailable, as scheduled"
                raise UnavailableError(text)
            message = await self._inner.receive()
            self._arrived.extend(out for _, out in self._in.enter("", message))
        return self._arrived.popleft()

    async def aclose(self) -> None:
        """End the transport underneath."""
        await self._inner.aclose()


class FaultyStorage:
    """A ``Storage`` that mistreats another one's files on a schedule. Everything that is not scheduled passes untouched.

    With ``DAMAGED`` and ``TRUNCATED``, ``get`` returns wrong bytes, as a storage that breaks its promise would: whoever fetches
    compares digests. With the same faults, ``put`` stores wrong bytes beside the right ones and is otherwise untouched.

    Args:
        inner: The storage underneath; closed with this one.
        puts: Faults of calls of ``put``, by their number.
        gets: Faults of calls of ``get``, by their number.

    Raises:
        UsageError: A schedule holds ``REORDERED``: files have no order.
    """

    def __init__(self, inner: Storage, puts: Schedule | None = None, gets: Schedule | None = None) -> None:
        self.scheme = inner.scheme
        self.max_file_bytes = inner.max_file_bytes
        self._inner = inner
        self._puts = dict(puts or {})
        self._gets = dict(gets or {})
        if Fault.REORDERED in {*self._puts.values(), *self._gets.values()}:
            text = "files have no order, so that none can be reordered; use delayed"
            raise UsageError(text)
        self._put_calls = 0
        self._get_calls = 0
        self._hidden: set[Locator] = set()

    async def put(self, data: bytes) -> Locator:
        """Store a file, or do to it what the schedule says."""
        fault = self._puts.get(self._put_calls)
        self._put_calls += 1
        match fault:
            case Fault.UNAVAILABLE:
                text = "the storage is unavailable, as scheduled"
                raise UnavailableError(text)
            case Fault.DUPLICATED:
                await self._inner.put(data)
            case Fault.DAMAGED | Fault.TRUNCATED:
                await self._inner.put(spoil(data, fault))
        locator = await self._inner.put(data)
        match fault:
            case Fault.LOST:
                await self._inner.release(locator)
            case Fault.DELAYED:
                self._hidden.add(locator)
        return locator

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Fetch a file, as the schedule lets it through."""
        fault = self._gets.get(self._get_calls)
        self._get_calls += 1
        if fault is Fault.UNAVAILABLE:
            text = "the storage is unavailable, as scheduled"
            raise UnavailableError(text)
        if fault in {Fault.LOST, Fault.DELAYED} or locator in self._hidden:
            self._hidden.discard(locator)
            text = f"{locator} cannot be found, as scheduled"
            raise NotFoundError(text)
        data = await self._inner.get(locator, max_bytes=max_bytes)
        return data if fault is None else spoil(data, fault)

    async def release(self, locator: Locator) -> None:
        """Release a file of the storage underneath."""
        await self._inner.release(locator)

    async def aclose(self) -> None:
        """End the storage underneath."""
        await self._inner.aclose()
