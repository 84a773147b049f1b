"""What a peer said last in each of its slots, and what of it has to be said again because its epoch ended."""

from collections import OrderedDict
from dataclasses import dataclass

MAX_SLOTS = 4096
"""More than that, and those that were posted longest ago are not posted again."""


@dataclass(frozen=True, slots=True)
class Said:
    """The latest message of a slot, and the epoch in which it was posted last."""

    message: bytes
    epoch: int


class Slots:
    """Remembers the latest message of each slot."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, Said] = OrderedDict()

    def posted(self, slot: str, message: bytes, epoch: int) -> None:
        """Note that a message was posted as the latest of its slot."""
        self._latest[slot] = Said(message, epoch)
        self._latest.move_to_end(slot)
        while len(self._latest) > MAX_SLOTS:
            self._latest.popitem(last=False)

    def posted_again(self, slot: str, message: bytes, epoch: int) -> None:
        """Note that a message was posted again, unless another one took its place meanwhile."""
        said = self._latest.get(slot)
        if said is not None and said.message == message:
            self.posted(slot, message, epoch)

    def due(self, epoch: int) -> list[tuple[str, bytes]]:
        """Return what was last posted in another epoch, the oldest first: in a later one, where a wrong clock was put right."""
        return [(slot, said.message) for slot, said in self._latest.items() if said.epoch != epoch]
