"""Says things to the operator once."""

import threading
from collections.abc import Callable

_MOST = 10_000


class Once:
    """Says each sentence once, and no more than 10,000. Any number of threads may use it.

    Args:
        tell: Takes a sentence.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._lock, self._told = tell, threading.Lock(), set[str]()

    def __call__(self, text: str) -> None:
        """Say it, unless it was said."""
        with self._lock:
            news = text not in self._told and len(self._told) < _MOST
            if news:
                self._told.add(text)
        if news:
            self._tell(text)
