"""Resilience and traffic (paper, section 5), as real ledgers count them: for reports; nothing in a session waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

import msgspec

from learnae.errors import WorldError
from learnae.interfaces.abilities import HolderCounter, TrafficMeter
from learnae.performing.ledgers import Ledgers
from learnae.values.announcements import ModelOffer
from learnae.values.ids import Locator
from learnae.values.journal import AnyFact, HoldersCounted, Notice, TrafficMeasured

T = TypeVar("T")
F = TypeVar("F", HoldersCounted, TrafficMeasured)

MOST_HOLDERS = 100
"""How many participants are asked, at most, whether they have a model."""

STEPS = 3
"""A new model is counted once it has been known for a third of the interval: a moment earlier, nobody can have it."""

LAST_TIMEOUT_S = 2.0
"""How long a leaving peer waits for its last measurement."""


class Measuring:
    """Asks ledgers that can tell now and then, and writes what they say to the journal. For one event loop.

    No failure gets out. Of every ledger and kind of measurement the first failure costs a notice, the others nothing.
    """

    def __init__(
        self,
        ledgers: Ledgers,
        announced_model: Callable[[], ModelOffer | None],
        *,
        interval_s: float,
        timeout_s: float,
        note: Callable[[AnyFact], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Make one.

        Args:
            ledgers: Those that have the abilities are asked; one whose transport and storage have one name, or are one object,
                only once about its traffic.
            announced_model: Says which is the own model now, as others know it.
            interval_s: How long to wait between two measurements; 0: nothing is ever measured.
            timeout_s: How long one may take.
            note: Writes a fact to the journal.
            sleep: Waits for so many seconds.
        """
        self._meters = _meters(ledgers) if interval_s else {}
        self._counters = _counters(ledgers) if interval_s else {}
        self._announced_model = announced_model
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._note = note
        self._sleep = sleep
        self._noticed: set[str] = set()
        self._known: ModelOffer | None = None

    async def watch_traffic(self) -> None:
        """Measure what ledgers carry until cancelled, or return at once where none can tell."""
        while self._meters:
            await self._sleep(self._interval_s)
            await self._measure_all()

    async def watch_holders(self) -> None:
        """Count who has the own model until cancelled, or return at once where no storage can tell.

        The latest model that was announced at least a step ago is counted: once, and again each interval.
        """
        counted, steps = None, 0
        while self._counters:
            await self._sleep(self._interval_s / STEPS)
            steps += 1
            known = self._known
            if known is not None and (known.record.digest != counted or steps >= STEPS):
                counted, steps = known.record.digest, 0
                await self._count(known)
            self._known = self._announced_model()

    async def measure_last(self) -> None:
        """Measure once more, of everything what can be had within ``LAST_TIMEOUT_S``; the peer leaves."""
        known = self._known or self._announced_model()
        jobs = [self._measure_all()]
        if known is not None:
            jobs.append(self._count(known))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_TIMEOUT_S):
                await asyncio.gather(*jobs)

    async def _measure_all(self) -> None:
        await asyncio.gather(*(self._measure(name, meter) for name, meter in self._meters.items()))

    async def _measure(self, name: str, meter: TrafficMeter) -> None:
        async def ask() -> TrafficMeasured:
            told = await meter.traffic()
            return _checked(TrafficMeasured(name, told.sent_bytes, told.received_bytes, told.served_blocks, told.neighbours))

        measured = await self._attempt(f"tell what {name} carries", ask)
        if measured is not None:
            self._note(measured)

    async def _count(self, offer: ModelOffer) -> None:
        """Count on every ledger that the model is on; the participants may be the same, so that the most on one counts."""

        async def ask(counter: HolderCounter, locator: Locator) -> HoldersCounted:
            holders = await counter.count_holders(locator, at_most=MOST_HOLDERS)
            return _checked(HoldersCounted("model", offer.record.digest, holders))

        attempts = [
            self._attempt(f"count on {scheme} who has the own model", partial(ask, self._counters[scheme], locator))
            for locator in offer.locators
            if (scheme := locator.partition(":")[0]) in self._counters
        ]
        counts = [count for count in await asyncio.gather(*attempts) if count is not None]
        if counts:
            self._note(max(counts, key=lambda count: count.holders))

    async def _attempt(self, what: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask()
        except TimeoutError:
            reason = f"no answer within {self._timeout_s:g} s"
        except WorldError as exc:
            reason = str(exc)
        except Exception as exc:  # it is a stranger's code, and the session can do without it
            reason = f"{type(exc).__name__}: {exc}"
        if what not in self._noticed:
            self._noticed.add(what)
            self._note(Notice(f"cannot {what} now, trying again without another word: {reason}"))
        return None


def _meters(ledgers: Ledgers) -> dict[str, TrafficMeter]:
    found: dict[str, TrafficMeter] = {}
    named: Iterable[tuple[str, object]] = (
        (ledgers.transport_name, ledgers.transport),
        (ledgers.storage_name, ledgers.storages[0]),
        *((storage.scheme, storage) for storage in ledgers.storages[1:]),
    )
    for name, provider in named:
        if isinstance(provider, TrafficMeter) and name not in found and all(provider is not other for other in found.values()):
            found[name] = provider
    return found


def _counters(ledgers: Ledgers) -> dict[str, HolderCounter]:
    return {storage.scheme: storage for storage in ledgers.storages if isinstance(storage, HolderCounter)}


def _checked(fact: F) -> F:
    """Refuse numbers that a reader of the journal would refuse.

    Raises:
        ValidationError: There are such.
    """
    return msgspec.convert(msgspec.to_builtins(fact), type(fact))
