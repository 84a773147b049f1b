"""Several nodes of one tangle: whoever answers is used, whoever does not is passed over for a while."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from learnae.errors import ConfigError, DamagedError, TooLargeError, UnavailableError
from learnae_iota.clock import milliseconds
from learnae_iota.nodes.node import Node, NodeInfo
from learnae_iota.stopping import Stop

REST_S = 30.0
"""How long a node that failed is asked last; twice as long each time that it fails again, up to sixteen times."""

FRESH_S = 60.0
"""How long what a node said of itself is believed."""

CLOCK_TOLERANCE_MS = 60_000
"""By how much two clocks may differ before ours is corrected; nodes refuse what is 600,000 ms ahead of theirs."""

_MOST_RESTS = 16
_PASSED_OVER = (UnavailableError, DamagedError, TooLargeError)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a node.

    Attributes:
        name: How errors call it.
        info: What it said; ``None`` if it did not answer.
        trouble: What is wrong with it, a sentence; empty if nothing is.
        ahead_ms: By how much its clock is ahead of ours, in milliseconds; 0 within the tolerance.
        is_other: Whether it is of another tangle than the first that answered.
    """

    name: str
    info: NodeInfo | None
    trouble: str = ""
    ahead_ms: int = 0
    is_other: bool = False


class Nodes:
    """Nodes of one tangle, each of which is as good as the others. Any number of threads may use them.

    Args:
        nodes: At least one, the preferred first.
        clock: Milliseconds since 1970.
        monotonic: Seconds that only grow.
        tell: Takes a sentence for the operator, in any thread.

    Raises:
        ConfigError: There is no node.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        clock: Callable[[], int] = milliseconds,
        monotonic: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not nodes:
            raise ConfigError("no node is given; give the URL of one, such as http://127.0.0.1:14265")
        self._places = [_Place(node) for node in nodes]
        self._clock, self._monotonic, self._tell = clock, monotonic, tell
        self._lock = threading.Lock()
        self._last = self._places[0]
        self._coordinator = ""

    def first(self, work: Callable[[Node], _T], *, writes: bool = False, stop: Stop | None = None) -> _T:
        """Return what ``work`` returns with the first node with which it does.

        A node that fails is passed over, and asked last for a while; so is one of another tangle than the first that answered,
        and the operator hears of it. Nodes that do not know the ledger as it is now come last, or, where something is to be
        written, not at all.

        Args:
            work: May be called with several nodes, one after the other; what an earlier one took stays there.
            writes: Whether something is to be written.
            stop: Ends it early.

        Raises:
            UnavailableError: It failed with all of them; the message says how.
            StoppedError: It was stopped.
        """
        stop, troubles = stop or Stop(), []
        now = self._monotonic()
        behind: list[_Place] = []
        for place in sorted(self._places, key=lambda place: place.rests_until > now):
            try:
                look = self._known(place, stop)
                if look.trouble:
                    troubles.append(look.trouble)
                    behind.append(place)
                    continue
                result = work(place.node)
            except _PASSED_OVER as exc:
                troubles.append(self._failed(place, exc, stop))
            else:
                place.rests, self._last = 0, place
                return result
        for place in [] if writes else behind:
            try:
                return work(place.node)
            except _PASSED_OVER as exc:
                troubles.append(self._failed(place, exc, stop))
        raise UnavailableError("; ".join(dict.fromkeys(troubles)))

    def each(self, work: Callable[[Node], _T], *, stop: Stop | None = None) -> list[_T]:
        """Return what ``work`` returns with every node that says now that it knows the ledger as it is.

        Others are passed over, and so are those that failed a short while ago.

        Raises:
            UnavailableError: There is none; the message says why.
            StoppedError: It was stopped.
        """
        stop, troubles, results = stop or Stop(), [], list[_T]()
        now = self._monotonic()
        for place in self._places:
            if place.rests_until > now:
                troubles.append(f"{place.node.name} failed, and is asked again later")
                continue
            try:
                look = self._looked(place, stop)
                if look.trouble:
                    troubles.append(look.trouble)
                else:
                    results.append(work(place.node))
            except _PASSED_OVER as exc:
                troubles.append(self._failed(place, exc, stop))
        if not results:
            raise UnavailableError("; ".join(dict.fromkeys(troubles)))
        return results

    def look(self, stop: Stop | None = None) -> tuple[Look, ...]:
        """Look at every node now.

        Raises:
            StoppedError: It was stopped.
        """
        looks = []
        for place in self._places:
            try:
                looks.append(self._looked(place, stop or Stop()))
            except _PASSED_OVER as exc:
                looks.append(Look(place.node.name, None, str(exc), is_other=place.is_other))
        return tuple(looks)

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970: by the last node that worked where its clock says something else."""
        return self._clock() + self._last.ahead_ms

    def close(self) -> None:
        """Close all; idempotent."""
        for place in self._places:
            place.node.close()

    def _failed(self, place: "_Place", error: Exception, stop: Stop) -> str:
        stop.check()
        place.rests = min(max(2 * place.rests, 1), _MOST_RESTS)
        place.rests_until = self._monotonic() + place.rests * REST_S
        place.look = None
        return str(error)

    def _known(self, place: "_Place", stop: Stop) -> Look:
        look = place.look
        if look is None or look.trouble or self._monotonic() >= place.looked_at + FRESH_S:
            return self._looked(place, stop)
        return look

    def _looked(self, place: "_Place", stop: Stop) -> Look:
        before = self._clock()
        info = place.node.info(stop)
        ahead_ms = info.time_ms - (before + self._clock()) // 2 if info.time_ms else 0
        trouble = ""
        if not info.synced:
            trouble = f"{place.node.name} is not synchronised: it has milestone {info.milestone} of {info.latest_milestone}"
        with self._lock:
            other = bool(info.coordinator) and self._coordinator not in {"", info.coordinator}
            news, place.is_other = other and not place.is_other, other
            self._coordinator = self._coordinator or info.coordinator
        if other:
            text = f"{place.node.name} is of another tangle than the others: it follows another coordinator"
            if news:
                self._tell(f"{text}; it is passed over")
            raise UnavailableError(text)
        with self._lock:
            place.ahead_ms = ahead_ms if abs(ahead_ms) > CLOCK_TOLERANCE_MS else 0
            place.looked_at = self._monotonic()
            place.look = look = Look(place.node.name, info, trouble, place.ahead_ms)
        return look


@dataclass(slots=True)
class _Place:
    """What is remembered of a node."""

    node: Node
    look: Look | None = None
    looked_at: float = 0.0
    rests: int = 0
    rests_until: float = 0.0
    ahead_ms: int = 0
    is_other: bool = False
