"""Orders carried out on the spot: nothing waits in a simulation, so a coroutine must end at its first step."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from learnae.errors import UsageError, WorldError

T = TypeVar("T")


def carry_out(job: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end.

    Raises:
        UsageError: It waits for something.
    """
    try:
        job.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    job.close()
    raise UsageError(f"{job!r} waits for something; in a simulation every answer must be there at once")


class InlinePace:
    """A pace without threads and time-outs."""

    async def compute(self, job: Callable[[], T]) -> T:
        """Run a job."""
        return job()

    async def decode(self, job: Callable[[], T]) -> T:
        """Run a job."""
        return job()

    async def within(self, fetch: Awaitable[T]) -> T:
        """Take the answer of a remote operation."""
        return await fetch

    async def first(self, attempts: Sequence[Callable[[], Awaitable[T]]]) -> T:
        """Make attempts until one succeeds."""
        for attempt in attempts[:-1]:
            try:
                return await attempt()
            except WorldError:
                continue
        return await attempts[-1]()
