"""The queue of passes over dataslices, indexed by number and by slice."""

from bisect import bisect_left, insort
from collections.abc import Callable

from learnae.machine.memory import QueuedPass
from learnae.machine.notebook import Notebook
from learnae.values.ids import Digest


class Passes:
    """Every change of table ``queue`` goes through here."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._by_number: dict[int, list[Digest]] = {}
        self._left: dict[Digest, int] = {}
        for queued in notebook.memory.queue.values():
            self._index(queued)

    def _index(self, queued: QueuedPass) -> None:
        insort(self._by_number.setdefault(queued.number, []), queued.slice)
        self._left[queued.slice] = self._left.get(queued.slice, 0) + 1

    def add(self, digest: Digest, number: int) -> None:
        """Queue a pass, if it is not queued already."""
        key = _key(digest, number)
        if key not in self._notebook.memory.queue:
            queued = QueuedPass(digest, number)
            self._notebook.put("queue", key, queued)
            self._index(queued)

    def drop(self, digest: Digest, number: int) -> bool:
        """Take a pass off the queue; return whether it was there."""
        key = _key(digest, number)
        if key not in self._notebook.memory.queue:
            return False
        self._notebook.remove("queue", key)
        slices = self._by_number[number]
        del slices[bisect_left(slices, digest)]
        self._left[digest] -= 1
        if not self._left[digest]:
            del self._left[digest]
        return True

    def is_queued(self, digest: Digest) -> bool:
        """Say whether any pass over a slice is queued."""
        return digest in self._left

    def slices(self) -> tuple[Digest, ...]:
        """Return the slices over which passes are queued."""
        return tuple(self._left)

    def is_any(self, may_begin: Callable[[Digest, int], bool]) -> bool:
        """Say whether any pass is queued that may begin."""
        return any(may_begin(queued.slice, queued.number) for queued in reversed(self._notebook.memory.queue.values()))

    def choose(self, most: int, may_begin: Callable[[Digest, int], bool]) -> tuple[QueuedPass, ...]:
        """Choose passes at random among those with the lowest number that may begin, each over another slice."""
        chosen: dict[Digest, QueuedPass] = {}
        for number in sorted(self._by_number):
            if len(chosen) == most:
                break
            left = [digest for digest in self._by_number[number] if digest not in chosen and may_begin(digest, number)]
            while left and len(chosen) < most:
                digest = left.pop(self._notebook.draw(len(left)))
                chosen[digest] = QueuedPass(digest, number)
        return tuple(chosen.values())


def _key(digest: Digest, number: int) -> str:
    return f"{digest}/{number}"
