"""The exam for storages."""

import asyncio
import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UnavailableError, UsageError, WorldError
from learnae.interfaces.storage import Storage
from learnae.testing.faults import Fault, FaultyStorage
from learnae.testing.ledgers import ExamLedger, content, examine
from learnae.testing.moments import moments, skip
from learnae.values.ids import Locator

Open = Callable[[str], Storage]
_Ledger = ExamLedger[Storage]
"""Opens a storage on the exam's ledger for an owner, who is named by 64 hexadecimal digits."""

ALICE, BOB, CAROL = "a1" * 32, "b2" * 32, "c3" * 32
_PAUSE_S = 0.02
_LOCATOR = re.compile(r"[a-z][a-z0-9]{0,15}:[A-Za-z0-9._/-]{1,200}\Z")
_STRANGE = ("", ":", "/", "..", "../../etc/passwd", "x" * 100_000, "\0", "\udcff", "file:///etc/passwd", "http://localhost", "\n")
_LARGEST_TRIED = 2**31


class StorageExam(ABC):
    """Examines a storage: every promise of ``learnae.interfaces.storage.Storage`` that can be tested from outside.

    Derive a class whose name begins with ``Test``, say how to open storages, and let pytest find it::

        from pathlib import Path

        from learnae.testing.storage import Open, StorageExam

        from cellar import Cellar, Shelf


        class TestCellar(StorageExam):
            def connect(self, folder: Path) -> Open:
                cellar = Cellar(folder)  # one ledger for all storages of one test
                return lambda owner: Shelf(cellar, owner)

    Attributes:
        forgets: Whether a file that its only owner released cannot be fetched any more; false where others may cache it.
        outlasts: Whether a file can be fetched while the storage that put it is closed; false where its owner has to be there.
        deadline_s: How long one test may take.
    """

    forgets = True
    outlasts = True
    deadline_s = 60.0

    @abstractmethod
    def connect(self, folder: Path) -> Open:
        """Make a new ledger, and return what opens storages on it.

        Args:
            folder: Empty, the test's own.
        """

    def test_returns_what_was_put(self, tmp_path: Path) -> None:
        """Put files of many sizes; their owner and somebody else fetch them byte for byte."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            for number, size in enumerate((0, 1, 255, 4096, 65_537, 3_000_000)):
                if size <= alice.max_file_bytes:
                    data = content(number, size)
                    locator = await _put(alice, data)
                    for reader in (alice, bob):
                        assert await _found(reader, locator, size) == data, f"a file of {size} bytes came back changed"

        self._run(tmp_path, exam)

    def test_locators_can_be_announced(self, tmp_path: Path) -> None:
        """Look at the form of locators: announcements take no other."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            locator = await _put(alice, b"some bytes")
            assert re.fullmatch(r"[a-z][a-z0-9]{0,15}", alice.scheme), f"{alice.scheme!r} is no scheme"
            assert _LOCATOR.match(locator), f"{locator!r} is no locator"
            assert locator.startswith(f"{alice.scheme}:"), f"{locator!r} does not begin with {alice.scheme}:"

        self._run(tmp_path, exam)

    def test_putting_twice_is_harmless(self, tmp_path: Path) -> None:
        """Put the same bytes twice, as one owner and as two, at once and one after the other."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob, carol = ledger.open(ALICE), ledger.open(BOB), ledger.open(CAROL)
            data = content(1, 50_000)
            locators = {await _put(alice, data), await _put(alice, data)}
            locators.update(await asyncio.gather(*(_put(storage, data) for storage in (alice, alice, bob, bob))))
            for locator in locators:
                assert await _found(carol, locator, len(data)) == data

        self._run(tmp_path, exam)

    def test_refuses_what_it_cannot_take(self, tmp_path: Path) -> None:
        """Put a file that is too large."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            if alice.max_file_bytes >= _LARGEST_TRIED:
                skip("the largest file is too large to try")
            try:
                await alice.put(bytes(alice.max_file_bytes + 1))
            except UsageError:
                return
            message = f"put took {alice.max_file_bytes + 1} bytes without a UsageError"
            raise AssertionError(message)

        self._run(tmp_path, exam)

    def test_reads_no_more_than_allowed(self, tmp_path: Path) -> None:
        """Fetch a file with exactly enough allowance, and with one byte too little."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            data = content(1, 10_000)
            locator = await _put(alice, data)
            for reader in (alice, bob):
                assert await _found(reader, locator, 10_000) == data
                for too_little in (9_999, 1, 0):
                    await _raises(TooLargeError, reader, locator, too_little)

        self._run(tmp_path, exam)

    def test_any_string_is_safe_to_ask_for(self, tmp_path: Path) -> None:
        """Ask for what was never put, and for what is no locator at all."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            locator = await _put(alice, b"some bytes")
            strange = [*_STRANGE, *(f"{alice.scheme}:{rest}" for rest in (*_STRANGE, "0" * 64, "../" * 8 + "etc/passwd"))]
            strange += [f"other{locator}", f"{locator}\n", f"{locator}/..", locator.upper(), locator.replace(":", "")]
            for wrong in strange:
                await _raises(NotFoundError, bob, Locator(wrong), 1_000_000)
                await bob.release(Locator(wrong))
            assert await _found(bob, locator, 100) == b"some bytes"

        self._run(tmp_path, exam)

    def test_release_takes_back(self, tmp_path: Path) -> None:
        """Release a file twice, then put it again."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            locator = await _put(alice, b"some bytes")
            other = await _put(alice, b"other bytes")
            await alice.release(locator)
            await alice.release(locator)
            if self.forgets:
                await _raises(NotFoundError, bob, locator, 100)
                await _raises(NotFoundError, alice, locator, 100)
            assert await _found(bob, other, 100) == b"other bytes", "release removed another file"
            locator = await _put(alice, b"some bytes")
            assert await _found(bob, locator, 100) == b"some bytes", "a file put again after its release was not there"

        self._run(tmp_path, exam)

    def test_release_takes_nothing_from_others(self, tmp_path: Path) -> None:
        """Release a foreign file; and release a file that another owner offers as well."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob, carol = ledger.open(ALICE), ledger.open(BOB), ledger.open(CAROL)
            foreign = await _put(alice, b"Alice's alone")
            await bob.release(foreign)
            assert await _found(carol, foreign, 100) == b"Alice's alone", "a foreign release removed a file"
            alices, bobs = await _put(alice, b"of both"), await _put(bob, b"of both")
            await alice.release(alices)
            assert await _found(carol, bobs, 100) == b"of both", "one owner's release removed another owner's file"

        self._run(tmp_path, exam)

    def test_what_was_put_stays(self, tmp_path: Path) -> None:
        """Close the storage that put a file; and open it again to release it."""

        async def exam(ledger: _Ledger) -> None:
            alice = ledger.open(ALICE)
            locator = await _put(alice, b"some bytes")
            await alice.aclose()
            await alice.aclose()
            bob, again = ledger.open(BOB), ledger.open(ALICE)
            assert await _found(bob, locator, 100) == b"some bytes"
            await again.release(locator)
            if self.forgets:
                await _raises(NotFoundError, bob, locator, 100)

        if not self.outlasts:
            skip("files go with their owner")
        self._run(tmp_path, exam)

    def test_cancelled_put_leaves_nothing_in_part(self, tmp_path: Path) -> None:
        """Cancel ``put`` at many moments; whoever asks gets the whole file or none."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            data = content(1, min(2_000_000, alice.max_file_bytes))
            locator = await _put(alice, data)
            for patience in moments():
                await alice.release(locator)
                task = asyncio.ensure_future(alice.put(data))
                await patience
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, UnavailableError):
                    locator = await task
                with contextlib.suppress(NotFoundError):
                    assert await _get(bob, locator, len(data)) == data, "half a file was there"
            locator = await _put(alice, data)
            assert await _found(bob, locator, len(data)) == data, "put failed after a cancelled one"

        self._run(tmp_path, exam)

    def test_cancelled_get_is_harmless(self, tmp_path: Path) -> None:
        """Cancel ``get`` at many moments."""

        async def exam(ledger: _Ledger) -> None:
            alice, bob = ledger.open(ALICE), ledger.open(BOB)
            data = content(1, min(500_000, alice.max_file_bytes))
            locator = await _put(alice, data)
            for patience in moments():
                task = asyncio.ensure_future(bob.get(locator, max_bytes=len(data)))
                await patience
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, UnavailableError, NotFoundError):
                    assert await task == data
            assert await _found(bob, locator, len(data)) == data

        self._run(tmp_path, exam)

    def test_many_at_once(self, tmp_path: Path) -> None:
        """Put and fetch many files at the same time."""

        async def exam(ledger: _Ledger) -> None:
            owners = [ledger.open(owner) for owner in (ALICE, BOB, CAROL)]
            files = [content(number, 20_000) for number in range(24)]
            locators = await asyncio.gather(*(_put(owners[number % 3], data) for number, data in enumerate(files)))
            fetched = await asyncio.gather(*(_found(owners[number % 2], at, 20_000) for number, at in enumerate(locators)))
            assert fetched == files

        self._run(tmp_path, exam)

    def test_faults_are_survived(self, tmp_path: Path) -> None:
        """Mistreat calls in every way; what is fetched is what was put, and trying again gets it."""
        for fault in Fault:
            if fault is Fault.REORDERED:
                continue

            async def exam(ledger: _Ledger, fault: Fault = fault) -> None:
                alice = FaultyStorage(ledger.open(ALICE), puts={0: fault})
                bob = FaultyStorage(ledger.open(BOB), gets={0: fault})
                data = content(1, 5_000)
                with contextlib.suppress(WorldError):
                    locator = await alice.put(data)
                    first = await bob.get(locator, max_bytes=5_000)
                    assert first == data or fault in {Fault.DAMAGED, Fault.TRUNCATED}, f"{fault}: what was put came back changed"
                locator = await _put(alice, data)
                assert await _found(bob, locator, 5_000) == data, f"{fault}: trying again did not get what was put"

            self._run(tmp_path / fault, exam)

    def test_closing_twice_is_harmless(self, tmp_path: Path) -> None:
        """Close storages that were never used, and used ones, twice."""

        async def exam(ledger: _Ledger) -> None:
            unused, used = ledger.open(ALICE), ledger.open(BOB)
            await _put(used, b"some bytes")
            for storage in (unused, used, unused, used):
                await storage.aclose()

        self._run(tmp_path, exam)

    def _run(self, folder: Path, exam: Callable[[_Ledger], Coroutine[Any, Any, None]]) -> None:
        examine(folder, self.connect, exam, deadline_s=self.deadline_s, promise="a file that was put can be fetched")


async def _put(storage: Storage, data: bytes) -> Locator:
    """Put, again and again while the storage is unavailable."""
    while True:
        try:
            return await storage.put(data)
        except UnavailableError:
            await asyncio.sleep(_PAUSE_S)


async def _get(storage: Storage, locator: Locator, max_bytes: int) -> bytes:
    """Get, again and again while the storage is unavailable."""
    while True:
        try:
            return await storage.get(locator, max_bytes=max_bytes)
        except UnavailableError:
            await asyncio.sleep(_PAUSE_S)


async def _found(storage: Storage, locator: Locator, max_bytes: int) -> bytes:
    """Get, again and again until the file is there: it may take its time from peer to peer."""
    while True:
        try:
            return await _get(storage, locator, max_bytes)
        except (NotFoundError, DamagedError):
            await asyncio.sleep(_PAUSE_S)


async def _raises(error: type[WorldError], storage: Storage, locator: Locator, max_bytes: int) -> None:
    try:
        await _get(storage, locator, max_bytes)
    except error:
        return
    message = f"get({locator[:100]!r}, max_bytes={max_bytes}) did not raise {error.__name__}"
    raise AssertionError(message)
