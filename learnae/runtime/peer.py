"""A running peer: events queue up, the core takes them one by one, orders become tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from learnae.codec.messages import decode_message
from learnae.errors import ForgedError, WorldError
from learnae.machine import effects, events
from learnae.machine.events import FileKind
from learnae.performing.assembling import Assembled
from learnae.performing.ingestion import Ingestion, Taken
from learnae.performing.ledgers import Ledgers
from learnae.performing.store import SensorState
from learnae.runtime.ignoring import IgnoredMessages
from learnae.runtime.latest import Latest
from learnae.runtime.measuring import Measuring
from learnae.runtime.pace import ThreadPace
from learnae.runtime.trouble import Trouble
from learnae.values.choices import Phase
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.journal import AnyFact, Notice, PeerStopped
from learnae.values.scores import Score

LEAVING_TIMEOUT_S = 5.0
"""How long a stopping peer waits for its last announcements to be taken."""

POLL_INTERVAL_S = 1.0
"""How often sensors are looked at, and how long to wait before listening again after a failure."""

MOST_ARRIVED = 1_024
"""How many events may wait to be taken in; whoever has more waits."""

MOST_HEARD = 256
"""How many announcements may wait to be taken in: a flood of them waits on the ledger, and costs no memory here."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: In a few words: ``converged``, ``interrupted``, …
        peer: The own id.
        session: The session's id.
        cycle: Work cycles ended, in all runs together.
        model: The own model.
        score: Its score on the own validation rows, if it has one.
    """

    reason: str
    peer: PeerId
    session: SessionId
    cycle: int
    model: Digest
    score: Score | None


@dataclass(frozen=True, slots=True)
class _Arrived:
    """An event on the queue, with sensors' states that become durable with it; ``None`` for the announcements that were heard.

    ``has_room``: it takes one of the places on the queue, which is free again once it was taken off.
    """

    event: events.Event | None
    sensors: tuple[tuple[SensorId, SensorState], ...] = ()
    taken: asyncio.Event | None = None
    has_room: bool = True


class Peer:
    """Runs one machine over real ledgers until it is told to stop."""

    def __init__(
        self,
        assembled: Assembled,
        ledgers: Ledgers,
        pace: ThreadPace,
        ingestions: tuple[Ingestion, ...] = (),
        *,
        note: Callable[[AnyFact], None],
    ) -> None:
        """Make a peer.

        Args:
            assembled: Its parts.
            ledgers: Where messages come from; whoever opened them closes them.
            pace: How it waits; closed at the end of ``run``.
            ingestions: Of the sensors to read.
            note: Writes a fact to the journal.
        """
        self._session = assembled.session
        self._machine = assembled.machine
        self._core = assembled.core
        self._performer = assembled.performer
        self._pace = pace
        self._transport = ledgers.transport
        self._ingestions = ingestions
        self._note = note
        self._ignored = IgnoredMessages(note, time.monotonic)
        network = assembled.settings.network
        self._measuring = Measuring(
            ledgers,
            lambda: self._machine.announced_model,
            interval_s=network.measure_interval_s,
            timeout_s=network.fetch_timeout_s,
            note=note,
        )
        self._stop_when_converged = assembled.settings.peer.until == "converged"
        # Orders' answers wait for room on the queue; a stop and a failure never do.
        self._arrived: asyncio.Queue[_Arrived | BaseException] = asyncio.Queue()
        self._room = asyncio.Semaphore(MOST_ARRIVED)
        self._heard: list[events.Heard] = []
        self._taken = asyncio.Event()
        self._outbox: Latest[str, effects.Announce] = Latest()
        self._models: Latest[FileKind, effects.StoreModel] = Latest()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reason = "asked to"
        self._is_stopping = False

    def stop(self, reason: str) -> None:
        """Ask the peer to stop; call it in the event loop. Work in flight is lost, nothing else."""
        if not self._is_stopping:
            self._is_stopping = True
            self._reason = reason
            self._arrived.put_nowait(_Arrived(events.StopRequested(reason), has_room=False))

    def hurry(self) -> None:
        """Leave without waiting for last announcements and for a training step under way; call it in the event loop."""
        self._pace.hurry()

    async def run(self, first: tuple[events.Event, ...]) -> Outcome:
        """Run until stopped.

        Args:
            first: Events to begin with, ``Started`` first.

        Raises:
            StateError: The state cannot be written.
            HaltedError: Another process signs with this peer's key.
        """
        for event in first:
            self._arrived.put_nowait(_Arrived(event, has_room=False))
        self._spawn(self._listen())
        self._spawn(self._send(self._outbox))
        self._spawn(self._send(self._models))
        self._spawn(self._measuring.watch_traffic())
        self._spawn(self._measuring.watch_holders())
        for ingestion in self._ingestions:
            self._spawn(self._ingest(ingestion))
        try:
            while self._machine.phase is not Phase.STOPPED:
                await self._turn()
            await self._leave()
        finally:
            await self._cancel()
            self._ignored.sum_up()
            await self._pace.aclose()
        outcome = Outcome(
            self._reason,
            self._session.peer,
            self._session.id,
            self._machine.cycle,
            self._machine.own.model,
            self._machine.own.score,
        )
        self._note(PeerStopped(outcome.reason, outcome.cycle, outcome.score))
        return outcome

    async def _turn(self) -> None:
        arrived = await self._next()
        if isinstance(arrived, BaseException):
            raise arrived
        if arrived.has_room:
            self._room.release()
        if arrived.event is None:
            heard, self._heard = self._heard, []
            self._taken.set()
            orders = self._core.hear(heard)
        else:
            orders = self._core.step(arrived.event, arrived.sensors)
        if arrived.taken is not None:
            arrived.taken.set()
        for order in orders:
            match order:
                case effects.Announce(signed=signed):
                    self._outbox.put(signed.announcement.subject, order)
                case effects.StoreModel():
                    self._models.put(FileKind.MODEL, order)
                case effects.KeepOnly():
                    await self._performer.perform(order)
                case _:
                    self._spawn(self._perform(order))
        if self._stop_when_converged and self._machine.phase is Phase.FINISHED:
            self.stop("converged")

    async def _next(self) -> _Arrived | BaseException:
        now_s = time.monotonic()
        due_s = self._machine.wake_at(now_s)
        try:
            async with asyncio.timeout(None if due_s is None else due_s - now_s):
                return await self._arrived.get()
        except TimeoutError:
            return _Arrived(events.TimePassed(), has_room=False)

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self._arrived.put_nowait(failure)

    async def _perform(self, order: effects.Effect) -> None:
        event = await self._performer.perform(order)
        if event is not None:
            await self._arrive(_Arrived(event))

    async def _arrive(self, arrived: _Arrived) -> None:
        await self._room.acquire()
        self._arrived.put_nowait(arrived)

    async def _send(self, orders: Latest[Any, effects.Announce] | Latest[Any, effects.StoreModel]) -> None:
        """Carry orders out one after the other, so that of two on one subject the later one comes later.

        One that is overtaken while it waits is never carried out: only the latest matters to anybody.
        """
        while True:
            order = await orders.take()
            try:
                await self._perform(order)
            finally:
                orders.done()

    async def _listen(self) -> None:
        manifest, trouble = self._session.manifest, Trouble("cannot listen now", self._note)
        while True:
            try:
                message = await self._transport.receive()
            except WorldError as exc:
                trouble.came(exc)
                await asyncio.sleep(POLL_INTERVAL_S)
                continue
            trouble.passed()
            self._ignored.pass_time()
            try:
                signed = decode_message(message, self._session.seal, session=self._session.id, limits=manifest.limits)
            except ForgedError as exc:
                self._ignored.add(str(exc), len(message))
                continue
            self._heard.append(events.Heard(signed))
            if len(self._heard) == 1:
                self._taken.clear()
                await self._arrive(_Arrived(None))
            elif len(self._heard) >= MOST_HEARD:
                await self._taken.wait()

    async def _ingest(self, ingestion: Ingestion) -> None:
        trouble = Trouble("cannot read sensors now", self._note)
        while True:
            try:
                async with aclosing(ingestion.poll(self._pace)) as found:
                    async for taken in found:
                        await self._take_in(taken)
            except WorldError as exc:
                trouble.came(exc)
            else:
                trouble.passed()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _take_in(self, taken: Taken) -> None:
        """Hand over what a sensor sent, and wait until it is durable."""
        if taken.notice:
            self._note(Notice(taken.notice))
        done = asyncio.Event()
        await self._arrive(_Arrived(taken.events[0], ((taken.sensor, taken.state),), done))
        for event in taken.events[1:]:
            await self._arrive(_Arrived(event))
        await done.wait()

    async def _leave(self) -> None:
        """Let the last announcements go out, and measure once more."""
        last, hurried = asyncio.create_task(self._finish()), asyncio.create_task(self._pace.hurried())
        self._tasks |= {last, hurried}
        await asyncio.wait({last, hurried}, timeout=LEAVING_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if last.done():
            await last

    async def _finish(self) -> None:
        await asyncio.gather(self._outbox.join(), self._measuring.measure_last())

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LEAVING_TIMEOUT_S)
