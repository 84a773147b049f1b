"""The exam for transports."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

from learnae.errors import UnavailableError, UsageError
from learnae.interfaces.transport import Transport
from learnae.testing.faults import Fault, FaultyTransport
from learnae.testing.ledgers import ExamLedger, content, examine
from learnae.testing.moments import moments, skip

Open = Callable[[str], Transport]
_Ledger = ExamLedger[Transport]
"""Opens a transport on the exam's ledger for an author, who is named by 64 hexadecimal digits."""

_PAUSE_S = 0.02
ALICE, BOB, CAROL = "a1" * 32, "b2" * 32, "c3" * 32


def slot(number: int) -> str:
    """Name the slot of this number: 64 hexadecimal digits."""
    return f"{number:064x}"


class TransportExam(ABC):
    """Examines a transport: every promise of ``learnae.interfaces.transport.Transport`` that can be tested from outside.

    Derive a class whose name begins with ``Test``, say how to open transports, and let pytest find it::

        from pathlib import Path

        from learnae.testing.transport import Open, TransportExam

        from pigeons import Loft, Pigeons


        class TestPigeons(TransportExam):
            def connect(self, folder: Path) -> Open:
                loft = Loft(folder)  # one ledger for all transports of one test
                return lambda owner: Pigeons(loft, owner)

    Attributes:
        keeps: Whether the ledger keeps the latest message of each author and slot for those who come later. Where it does not,
            messages may be lost, so the exam publishes again until one arrives.
        deadline_s: How long one test may take.
        again_s: After how many seconds without news a message is published again.
    """

    keeps = True
    deadline_s = 60.0
    again_s = 1.0

    @abstractmethod
    def connect(self, folder: Path) -> Open:
        """Make a new ledger, and return what opens transports on it.

        Args:
            folder: Empty, the test's own.
        """

    def test_carries_messages_byte_for_byte(self, tmp_path: Path) -> None:
        """Publish messages of many sizes, the largest among them."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            sizes = [1, 2, 255, 4096, 65_536, min(alice.max_message_bytes, 1_048_576)]
            sizes += [alice.max_message_bytes] if alice.max_message_bytes <= 2**24 else []
            for number, size in enumerate(sizes):
                if size <= alice.max_message_bytes:
                    await self._arrives(alice, bob, slot(number), content(number, size))

        self._run(tmp_path, exam)

    def test_refuses_what_it_cannot_carry(self, tmp_path: Path) -> None:
        """Publish a message that is too large, and to slots that are none; nothing of it may arrive."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            await _refused(alice, slot(1), bytes(alice.max_message_bytes + 1))
            for wrong in (
                "",
                "x",
                "0" * 63,
                "0" * 65,
                "g" * 64,
                "../" + "0" * 61,
                "0" * 63 + "\n",
                "\u0660" * 64,
            ):
                await _refused(alice, wrong, b"refused")
            seen = await self._arrives(alice, bob, slot(2), b"good")
            assert seen <= {b"good"}, "something that publish refused arrived"

        self._run(tmp_path, exam)

    def test_published_again_it_still_arrives(self, tmp_path: Path) -> None:
        """Publish the same bytes twice, then other bytes in the same slot."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            await self._publish(alice, slot(1), b"same")
            await self._publish(alice, slot(1), b"same")
            seen = await self._arrives(alice, bob, slot(1), b"other")
            assert seen <= {b"same", b"other"}

        self._run(tmp_path, exam)

    def test_what_is_kept_reaches_latecomers(self, tmp_path: Path) -> None:
        """Publish in many slots and in one slot twice; who opens later gets the latest of each."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            latest = {content(number, 100 + number) for number in range(20)}
            await self._publish(alice, slot(0), b"outdated")
            for number in range(20):
                await self._publish(alice, slot(number), content(number, 100 + number))
            await alice.aclose()
            seen = await self._collect(ledger.open(BOB), latest)
            assert seen <= latest | {b"outdated"}, "something arrived that nobody published"

        self._run_if_kept(tmp_path, exam)

    def test_another_author_replaces_nothing(self, tmp_path: Path) -> None:
        """Publish in one slot as two authors; both messages stay."""

        async def exam(ledger: _Ledger) -> None:
            await self._publish(ledger.open(ALICE), slot(1), b"Alice's")
            await self._publish(ledger.open(BOB), slot(1), b"Bob's")
            await self._collect(ledger.open(CAROL), {b"Alice's", b"Bob's"})

        self._run_if_kept(tmp_path, exam)

    def test_an_author_who_comes_back_replaces_its_own(self, tmp_path: Path) -> None:
        """Close a transport and open it again as the same author: latest wins across both."""

        async def exam(ledger: _Ledger) -> None:
            first = ledger.open(ALICE)
            await self._publish(first, slot(1), b"before")
            await self._publish(first, slot(2), b"kept")
            await first.aclose()
            await self._publish(ledger.open(ALICE), slot(1), b"after")
            await self._collect(ledger.open(BOB), {b"after", b"kept"})

        self._run_if_kept(tmp_path, exam)

    def test_cancelled_receive_loses_nothing(self, tmp_path: Path) -> None:
        """Cancel ``receive`` at many moments; every kept message comes all the same."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            expected = {content(number, 50) for number in range(60)}
            for number in range(60):
                await self._publish(alice, slot(number), content(number, 50))
            bob = ledger.open(BOB)
            seen: set[bytes] = set()
            for patience in moments():
                task = asyncio.ensure_future(bob.receive())
                await patience
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, UnavailableError):
                    seen.add(await task)
            await self._collect(bob, expected - seen)

        self._run_if_kept(tmp_path, exam)

    def test_cancelled_publish_leaves_nothing_in_part(self, tmp_path: Path) -> None:
        """Cancel ``publish`` at many moments; what arrives is whole."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            size = min(alice.max_message_bytes, 262_144)
            possible = set()
            for number, patience in enumerate(moments()):
                message = content(number, size)
                possible.add(message)
                task = asyncio.ensure_future(alice.publish(slot(number % 3), message))
                await patience
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, UnavailableError):
                    await task
            seen = await self._arrives(alice, bob, slot(9), b"last")
            assert seen <= possible | {b"last"}, "part of a message arrived"

        self._run(tmp_path, exam)

    def test_the_latest_word_stays_the_latest(self, tmp_path: Path) -> None:
        """Publish right after a call in the same slot that was cancelled; who comes later gets the later word."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            size = min(alice.max_message_bytes, 65_536)
            latest = set()
            for number, patience in enumerate(moments()):
                task = asyncio.ensure_future(alice.publish(slot(number), content(number, size)))
                await patience
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, UnavailableError):
                    await task
                latest.add(b"%d is the latest" % number)
                await self._publish(alice, slot(number), b"%d is the latest" % number)
            await alice.aclose()
            await self._collect(ledger.open(BOB), latest)

        self._run_if_kept(tmp_path, exam)

    def test_many_at_once(self, tmp_path: Path) -> None:
        """Publish as three authors at the same time, while a fourth receives."""

        async def exam(ledger: _Ledger) -> None:
            authors = [ledger.open(owner) for owner in (ALICE, BOB, CAROL)]
            reader = ledger.open("d4" * 32)
            expected = {content(100 * index + number, 2_000) for index in range(3) for number in range(15)}
            async with asyncio.TaskGroup() as tasks:
                for index, author in enumerate(authors):
                    for number in range(15):
                        tasks.create_task(self._publish(author, slot(number), content(100 * index + number, 2_000)))
                seen = tasks.create_task(self._collect(reader, expected))
            assert seen.result() <= expected, "something arrived that nobody published"

        self._run_if_kept(tmp_path, exam)

    def test_faults_are_survived(self, tmp_path: Path) -> None:
        """Mistreat what is published in every way; publishing again gets it through."""
        for fault in Fault:

            async def exam(ledger: _Ledger, fault: Fault = fault) -> None:
                alice, bob = FaultyTransport(ledger.open(ALICE), published={1: fault, 3: fault}), ledger.open(BOB)
                messages = {slot(number): content(number, 500) for number in range(6)}
                for number, message in messages.items():
                    with contextlib.suppress(UnavailableError):
                        await alice.publish(number, message)
                seen: set[bytes] = set()
                for number, message in messages.items():
                    seen |= await self._arrives(alice, bob, number, message, seen)
                spoilt = seen - set(messages.values())
                assert not spoilt or fault in {Fault.DAMAGED, Fault.TRUNCATED}, f"{fault}: what arrived is what nobody sent"

            self._run(tmp_path / fault, exam)

    def test_closing_twice_is_harmless(self, tmp_path: Path) -> None:
        """Close transports that were never used, and used ones, twice."""

        async def exam(ledger: _Ledger) -> None:
            unused, used = ledger.open(ALICE), ledger.open(BOB)
            await self._publish(used, slot(1), b"message")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await used.receive()
            for transport in (unused, used, unused, used):
                await transport.aclose()

        self._run(tmp_path, exam)

    async def _publish(self, transport: Transport, number: str, message: bytes) -> None:
        """Publish, again and again while the ledger is unavailable."""
        while True:
            try:
                return await transport.publish(number, message)
            except UnavailableError:
                await asyncio.sleep(_PAUSE_S)

    async def _arrives(
        self, sender: Transport, receiver: Transport, number: str, message: bytes, seen: Collection[bytes] = ()
    ) -> set[bytes]:
        """Publish until the message was received; return everything received, and what was seen before."""
        received = set(seen)
        while message not in received:
            await self._publish(sender, number, message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.again_s):
                    while message not in received:
                        received.add(await _receive(receiver))
        return received

    async def _collect(self, receiver: Transport, expected: Collection[bytes]) -> set[bytes]:
        """Receive until everything expected has come; return everything received."""
        received: set[bytes] = set()
        while not received.issuperset(expected):
            received.add(await _receive(receiver))
        return received

    def _run_if_kept(self, folder: Path, exam: Callable[[_Ledger], Coroutine[Any, Any, None]]) -> None:
        if not self.keeps:
            skip("the ledger keeps no messages")
        self._run(folder, exam)

    def _run(self, folder: Path, exam: Callable[[_Ledger], Coroutine[Any, Any, None]]) -> None:
        examine(folder, self.connect, exam, deadline_s=self.deadline_s, promise="a message that must arrive did")


async def _refused(transport: Transport, number: str, message: bytes) -> None:
    try:
        await transport.publish(number, message)
    except UsageError:
        return
    text = f"publish took {len(message)} bytes for the slot {number!r} without a UsageError"
    raise AssertionError(text)


async def _receive(transport: Transport) -> bytes:
    """Receive, again and again while the ledger is unavailable."""
    while True:
        try:
            message = await transport.receive()
        except UnavailableError:
            await asyncio.sleep(_PAUSE_S)
            continue
        assert len(message) <= transport.max_message_bytes, "a message arrived that is larger than max_message_bytes"
        return message
