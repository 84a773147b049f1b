"""Finds the sensors of a session by their heads. Anybody may have written what it finds."""

import threading
from collections.abc import Collection
from dataclasses import dataclass

from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.heads import HEAD_TRANSACTIONS, OTHERS, Head, heads_of, heads_query, is_possible, others_stream
from learnae_iota.sensors.sessions import SensorSession
from learnae_iota.sensors.telling import Once
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetches
from learnae_iota.tangle.watching import Watch

MAX_SENSORS = 10_000
NOTABLE = 100
"""Messages that were passed over, after which the operator hears of it."""


@dataclass(slots=True)
class Passed:
    """What was passed over.

    Attributes:
        heads: Under the session's tag, and no heads of it.
        strangers: Heads of sensors that are not admitted.
        rivals: Heads with the name of another sensor, or the key of another stream.
    """

    heads: int = 0
    strangers: int = 0
    rivals: int = 0


class Discovery:
    """Finds the sensors of a session. Any number of threads may use it; one looks at a time.

    Args:
        tangle: Where they are.
        session: Whose.
        admission: Says which of them count.
        known: Heads that were found earlier.
        tell: Says things to the operator.

    Attributes:
        passed: What was passed over.
    """

    def __init__(
        self, tangle: Fetches, session: SensorSession, admission: Admission, *, known: Collection[Head] = (), tell: Once
    ) -> None:
        self._tangle, self._session, self._admission, self._tell = tangle, session, admission, tell
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._heads: dict[str, Head] = {head.sensor: head for head in known if is_possible(head, session)}
        self._refused: dict[str, Head] = {}  # of strangers, by key: they may be admitted later
        self._watches: dict[str, Watch] = {}  # by address
        self.passed = Passed()

    @property
    def heads(self) -> list[Head]:
        """The latest heads of the admitted sensors that were found so far, by name."""
        with self._lock:
            found = [self._heads[name] for name in sorted(self._heads)]
        return [head for head in found if self._admits(head)]

    @property
    def strangers(self) -> list[Head]:
        """Heads of sensors that are not admitted."""
        with self._lock:
            return [self._refused[key] for key in sorted(self._refused)]

    def admitted(self, sensor: str) -> Head | None:
        """Return the latest head of an admitted sensor that was found; ``None`` if there is none."""
        with self._lock:
            head = self._heads.get(sensor)
        return head if head is not None and self._admits(head) else None

    def discover(self, stop: Stop | None = None) -> None:
        """Look for heads where those of now lie.

        Raises:
            UnavailableError: No node answers.
            StoppedError: It was stopped.
        """
        with self._turn:
            changed = self._admission.refresh()
            addresses = self._session.addresses(self._tangle.now_ms(stop=stop))
            self._watches = {} if changed else {each: self._watches[each] for each in addresses if each in self._watches}
            for address in addresses:
                self._look(address, stop)
            with self._lock:
                for head in [head for head in self._refused.values() if self._admits(head)]:
                    del self._refused[head.key]
                    self._meet(head)
                nobody = not self._heads and not self._refused
            if nobody and others_stream(self._tangle, self._session, stop):
                self._tell(OTHERS)

    def _look(self, address: str, stop: Stop | None) -> None:
        watch = self._watches.setdefault(address, Watch(heads_query(address, self._session), HEAD_TRANSACTIONS))
        found = watch.look(self._tangle, stop)
        if found.cut:
            self._tell("more is tagged with this session's name than a node returns; a sensor may be found late")
        heads = list(heads_of(found.bundles, self._session))
        with self._lock:
            for head in heads:
                if head is not None:
                    self._meet(head)
                    continue
                self.passed.heads += 1
                if self.passed.heads == NOTABLE:
                    self._tell(f"{NOTABLE} messages under this session's tag are no heads of its sensors; they are passed over")
        watch.pass_over(found)

    def _admits(self, head: Head) -> bool:
        return self._admission.admits(head.key, sealed=self._session.sealed)

    def _meet(self, head: Head) -> None:
        known = self._heads.get(head.sensor)
        if not self._admits(head):
            self.passed.strangers += 1
            self._tell("there are sensors in this session that are not admitted; `learnae sensor list` shows them")
            if len(self._refused) < MAX_SENSORS:
                self._refused[head.key] = head
        elif known is not None and self._admits(known) and (known.key, known.first_root) != (head.key, head.first_root):
            self.passed.rivals += 1
            self._tell(
                f"sensor {head.sensor}: the key {head.key[:16]} claims the name, or began another stream;"
                f" that of {known.key[:16]}, which was seen first, is read"
            )
        elif known is None and len(self._heads) >= MAX_SENSORS:
            self._tell(f"more than {MAX_SENSORS} sensors; the others are left out")
        elif known is None or known.key != head.key or head.index >= known.index:
            if known is not None and (known.key, known.first_root) != (head.key, head.first_root):
                self._tell(
                    f"sensor {head.sensor}: the key {head.key[:16]} began another stream under this name; a peer that read that"
                    f" of {known.key[:16]} reads no second one: let it stream under another --sensor name"
                )
            self._heads[head.sensor] = head
