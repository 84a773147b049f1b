"""A running peer: events queue up, the core takes them one by one, orders become tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from learnae.codec.messages import decode_message
from learnae.errors import ForgedError, UnavailableError, WorldError
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.machine import effects, events
from learnae.machine.machine import Machine
from learnae.performing.core import PeerCore
from learnae.performing.ingestion import Ingestion
from learnae.performing.performer import Performer, Session
from learnae.performing.store import SensorState
from learnae.runtime.pace import ThreadPace
from learnae.values.choices import Phase
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.journal import AnyFact, MessageIgnored, Notice, PeerStopped
from learnae.values.scores import Score

LEAVING_TIMEOUT_S = 5.0
"""How long a stopping peer waits for its last announcements to be taken."""

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
    """An event on the queue, with sensors' states that become durable with it; ``None`` for the announcements that were heard."""

    event: events.Event | None
    sensors: tuple[tuple[SensorId, SensorState], ...] = ()
    taken: asyncio.Event | None = None


class Peer:
    """Runs one machine over real ledgers until it is told to stop."""

    def __init__(
        self,
        session: Session,
        *,
        machine: Machine,
        core: PeerCore,
        performer: Performer,
        pace: ThreadPace,
        transport: Transport,
        storages: tuple[Storage, ...],
        ingestions: tuple[Ingestion, ...],
        note: Callable[[AnyFact], None],
        stop_when_converged: bool,
        poll_interval_s: float,
    ) -> None:
        self._session = session
        self._machine = machine
        self._core = core
        self._performer = performer
        self._pace = pace
        self._transport = transport
        self._storages = storages
        self._ingestions = ingestions
        self._note = note
        self._stop_when_converged = stop_when_converged
        self._poll_interval_s = poll_interval_s
        self._arrived: asyncio.Queue[_Arrived | BaseException] = asyncio.Queue()
        self._heard: list[events.Heard] = []
        self._taken = asyncio.Event()
        self._outbox: asyncio.Queue[effects.Announce] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reason = "asked to"
        self._is_stopping = False

    def stop(self, reason: str) -> None:
        """Ask the peer to stop; call it in the event loop. Work in flight is lost, nothing else."""
        if not self._is_stopping:
            self._is_stopping = True
            self._reason = reason
            self._arrived.put_nowait(_Arrived(events.StopRequested(reason)))

    async def run(self, first: tuple[events.Event, ...]) -> Outcome:
        """Run until stopped.

        Args:
            first: Events to begin with, ``Started`` first.

        Raises:
            StateError: The state cannot be written.
            HaltedError: Another process signs with this peer's key.
        """
        for event in first:
            self._arrived.put_nowait(_Arrived(event))
        self._spawn(self._listen())
        self._spawn(self._send())
        for ingestion in self._ingestions:
            self._spawn(self._ingest(ingestion))
        try:
            while self._machine.phase is not Phase.STOPPED:
                await self._turn()
            await self._leave()
        finally:
            await self._cancel()
            self._pace.close()
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
                case effects.Announce():
                    self._outbox.put_nowait(order)
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
            return _Arrived(events.TimePassed())

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
            self._arrived.put_nowait(_Arrived(event))

    async def _send(self) -> None:
        """Announce one after the other, so that of two on one subject the later one comes later."""
        while True:
            order = await self._outbox.get()
            try:
                await self._performer.perform(order)
            finally:
                self._outbox.task_done()

    async def _listen(self) -> None:
        manifest = self._session.manifest
        while True:
            try:
                message = await self._transport.receive()
            except UnavailableError as exc:
                self._note(Notice(f"cannot listen now: {exc}"))
                await asyncio.sleep(self._poll_interval_s)
                continue
            try:
                signed = decode_message(message, self._session.seal, session=self._session.id, limits=manifest.limits)
            except ForgedError as exc:
                self._note(MessageIgnored(str(exc), len(message)))
                continue
            self._heard.append(events.Heard(signed))
            if len(self._heard) == 1:
                self._taken.clear()
                self._arrived.put_nowait(_Arrived(None))
            elif len(self._heard) >= MOST_HEARD:
                await self._taken.wait()

    async def _ingest(self, ingestion: Ingestion) -> None:
        while True:
            try:
                async for taken in ingestion.poll(self._pace):
                    if taken.notice:
                        self._note(Notice(taken.notice))
                    done = asyncio.Event()
                    self._arrived.put_nowait(_Arrived(taken.events[0], ((taken.sensor, taken.state),), done))
                    for event in taken.events[1:]:
                        self._arrived.put_nowait(_Arrived(event))
                    await done.wait()
            except WorldError as exc:
                self._note(Notice(f"cannot read sensors now: {exc}"))
            await asyncio.sleep(self._poll_interval_s)

    async def _leave(self) -> None:
        """Let the last announcements go out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING_TIMEOUT_S):
                await self._outbox.join()

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.aclose()
        for storage in self._storages:
            await storage.aclose()
