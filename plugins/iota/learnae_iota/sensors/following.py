"""Finds a session's sensors on the ledger, and reads their streams."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from learnae.errors import NotFoundError
from learnae.interfaces.sensors import Packet
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.discovery import Discovery
from learnae_iota.sensors.heads import Head
from learnae_iota.sensors.places import stream_of
from learnae_iota.sensors.reading import Means, StreamReader
from learnae_iota.sensors.sessions import SensorSession
from learnae_iota.sensors.telling import Once
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetches
from learnae_iota.trinary.kernel import Kernel, choose_kernel


@dataclass(frozen=True, slots=True)
class Counts:
    """What was passed over.

    Attributes:
        heads: Under the session's tag, and no heads of it.
        strangers: Heads of sensors that are not admitted.
        rivals: Heads with the name of another sensor, or the key of another stream.
        messages: At the address of a packet, and not that packet.
    """

    heads: int = 0
    strangers: int = 0
    rivals: int = 0
    messages: int = 0


class Follower:
    """Finds and reads the streams of a session. Any number of threads may use it; of each stream, one reads at a time.

    Args:
        tangle: Where they are.
        session: Whose.
        admission: Says which of them count.
        known: Heads that were found earlier.
        tell: Takes a sentence for the operator, in any thread.
        kernel: Computes; the best that is there without one.
        now_s: Seconds that only grow.
    """

    def __init__(
        self,
        tangle: Fetches,
        session: SensorSession,
        admission: Admission,
        *,
        known: Collection[Head] = (),
        tell: Callable[[str], None] = lambda _: None,
        kernel: Kernel | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        once = Once(tell)
        self._means = Means(tangle, session, once, kernel or choose_kernel(), now_s)
        self._discovery = Discovery(tangle, session, admission, known=known, tell=once)
        self._lock = threading.Lock()
        self._streams: dict[str, StreamReader] = {}

    @property
    def heads(self) -> list[Head]:
        """The latest heads of the admitted sensors that were found so far, by name."""
        return self._discovery.heads

    @property
    def strangers(self) -> list[Head]:
        """Heads of sensors that are not admitted."""
        return self._discovery.strangers

    @property
    def counts(self) -> Counts:
        """What was passed over so far."""
        with self._lock:
            messages = sum(stream.messages for stream in self._streams.values())
        passed = self._discovery.passed
        return Counts(passed.heads, passed.strangers, passed.rivals, messages)

    def discover(self, stop: Stop | None = None) -> list[Head]:
        """Look for heads; return ``heads``.

        Raises:
            UnavailableError: No node answers.
            StoppedError: It was stopped.
        """
        self._discovery.discover(stop)
        return self.heads

    def read(self, sensor: str, position: str, max_readings: int, stop: Stop | None = None) -> Packet:
        """Return what follows a position: see ``SensorSource.read``. After some seconds it returns what it has."""
        head = self._discovery.admitted(sensor)
        if head is None:
            self._discovery.discover(stop)
            head = self._discovery.admitted(sensor)
        if head is None:
            raise NotFoundError(f"no admitted sensor named {sensor[:100]!r}")
        with self._lock:
            stream = self._streams.setdefault(stream_of(head), StreamReader(self._means))
        return stream.read(head, position, max_readings, stop)
