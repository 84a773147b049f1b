"""How the exams keep time: deadlines, and moments to cancel at. Nothing waits longer than it must."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, NoReturn


def run_within(deadline_s: float, exam: Coroutine[Any, Any, None], promise: str) -> None:
    """Run an exam in an event loop of its own.

    Args:
        deadline_s: How long it may take.
        exam: What to run.
        promise: What did not happen if time runs out.

    Raises:
        AssertionError: Time ran out.
    """

    async def run() -> None:
        limit = asyncio.timeout(deadline_s)
        try:
            async with limit:
                await exam
        except TimeoutError as exc:
            if not limit.expired():
                raise
            message = f"{promise}: not within {deadline_s} s"
            raise AssertionError(message) from exc

    asyncio.run(run())


def moments() -> Iterator[Coroutine[Any, Any, None]]:
    """Yield pauses to be awaited, each a little longer: first by turns of the event loop, then by fractions of a millisecond.

    Cancelling after each of them meets a call at every point where it may be suspended.
    """
    for turns in range(12):
        yield _turn(turns)
    for step in range(16):
        yield asyncio.sleep(0.0001 * 1.4**step)


async def _turn(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def skip(reason: str) -> NoReturn:
    """Skip the exam's test."""
    import pytest  # noqa: PLC0415  # whoever runs an exam has it; whoever only uses the faults need not

    pytest.skip(reason)
