"""Blocking calls side by side."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from learnae.errors import UnavailableError

_T = TypeVar("_T")


class Lanes:
    """Makes so many calls at a time, each in a thread. The threads begin when they are needed.

    Args:
        number: How many.
    """

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, "learnae-iota")

    def together(self, calls: Iterable[Callable[[], _T]]) -> list[_T]:
        """Return what the calls return, in their order; where one fails, those that have not begun do not begin.

        Raises:
            UnavailableError: The lanes are closed.
        """
        waiting = list(calls)
        if len(waiting) == 1:
            return [waiting[0]()]
        try:
            futures = [self._pool.submit(call) for call in waiting]
        except RuntimeError as exc:
            raise UnavailableError("the tangle was closed") from exc
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """Begin no more calls; those that are under way end when they end. Idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)
