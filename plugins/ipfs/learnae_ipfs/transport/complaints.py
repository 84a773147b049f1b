"""What a daemon that answers does not do: noticed when it lasts, said once, and said once more when it is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from learnae.errors import ConfigError
from learnae_ipfs.kubo.answers import RefusedError, SlowError

REFUSALS = (RefusedError, SlowError, ConfigError)
"""What is raised where the daemon answers, and does not do it: it cannot, not now, not in time, or not for us."""

IN_A_ROW = 5
"""What fails more seldom is the weather of a network."""

_T = TypeVar("_T")


class Complaints:
    """Counts failures by what they prevent.

    Args:
        tell: Takes a sentence for the operator.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._failures: Counter[str] = Counter()
        self._told: set[str] = set()

    def __call__(self, what: str, failure: Exception | None) -> None:
        """Take note of how something went.

        Args:
            what: What it is for, such as ``finding others``.
            failure: Why it did not work; ``None`` if it did.
        """
        if failure is None:
            del self._failures[what]
            if what in self._told:
                self._told.discard(what)
                self._tell(f"{what} works again")
            return
        self._failures[what] += 1
        lasting = self._failures[what] >= IN_A_ROW or isinstance(failure, ConfigError | OSError)
        if lasting and what not in self._told:
            self._told.add(what)
            self._tell(f"{what} does not work now, and is tried again and again: {failure}")


async def together(jobs: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Do several things at once; the first error ends the others and is raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
