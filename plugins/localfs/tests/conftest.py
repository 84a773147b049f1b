"""A shared folder, and what a stranger can put there."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from learnae_localfs.frames import write_frame
from learnae_localfs.layout import Place
from learnae_localfs.mailbox import Mailbox

ALICE, BOB, MALLORY = "a1" * 32, "b2" * 32, "e5" * 32


@dataclass
class Clock:
    """Monotonic seconds that pass when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Shared:
    """A shared folder, written to by hand, and a mailbox that looks into it."""

    place: Place
    clock: Clock
    mailbox: Mailbox

    def folder(self, owner: str, kind: str = "messages") -> Path:
        path = self.place.root / "learnae" / "v1" / self.place.rendezvous / kind / owner
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, owner: str, name: str, message: bytes) -> Path:
        path = self.folder(owner) / name
        path.write_bytes(write_frame(message))
        return path

    def look(self) -> list[bytes]:
        """Look at everything once."""
        found: list[bytes] = []
        done = False
        while not done:
            batch, done = self.mailbox.next_batch()
            found += batch
        return sorted(found)


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    place, clock = Place(tmp_path, "7" * 64), Clock()
    return Shared(place, clock, Mailbox(place, BOB, max_message_bytes=1_048_576, clock=clock))
