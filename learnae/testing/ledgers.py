"""What the exams of transports and of storages share: a ledger for one exam, closed after it, and bytes to send over it."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from learnae.testing.moments import run_within


class Closable(Protocol):
    """A transport or a storage."""

    async def aclose(self) -> None:
        """End it."""


T = TypeVar("T", bound=Closable)


class ExamLedger(Generic[T]):
    """Remembers what an exam opens.

    Args:
        connect: Opens a transport or storage for an owner, 64 hexadecimal digits.
    """

    def __init__(self, connect: Callable[[str], T]) -> None:
        self._connect = connect
        self._opened: list[T] = []

    def open(self, owner: str) -> T:
        """Open one for an owner."""
        opened = self._connect(owner)
        self._opened.append(opened)
        return opened

    async def aclose(self) -> None:
        """Close all."""
        for opened in self._opened:
            await opened.aclose()


def examine(
    folder: Path,
    connect: Callable[[Path], Callable[[str], T]],
    exam: Callable[[ExamLedger[T]], Coroutine[Any, Any, None]],
    *,
    deadline_s: float,
    promise: str,
) -> None:
    """Run one exam against a new ledger, and close what it opened.

    Args:
        folder: The ledger's folder, made if it is not there.
        connect: Opens the ledger in a folder.
        exam: What to run.
        deadline_s: How long it may take.
        promise: What did not happen if time runs out.

    Raises:
        AssertionError: A promise is broken, or time ran out.
    """
    folder.mkdir(exist_ok=True)

    async def run() -> None:
        ledger = ExamLedger(connect(folder))
        try:
            await exam(ledger)
        finally:
            await ledger.aclose()

    run_within(deadline_s, run(), promise)


def content(number: int, size: int) -> bytes:
    """Make bytes that are like no others of the exam, and in which every byte value occurs if there are enough of them."""
    pattern = bytes((number + index) % 256 for index in range(256))
    return (number.to_bytes(4, "little") + pattern * (size // 256 + 1))[:size]
