"""Which daemons of the session are known, how well, and which to dial next. Pure: time and luck come in as values.

Anybody can claim to be of the session, so that what is known is bounded, and who proved more is never crowded out by who proved
less: the operator's own bootstrap addresses, then daemons that were met, then those that somebody met tells of, then those that
only say so themselves. Nobody's word fills it: whoever tells of others has room for so many who were never met, and who cannot be
reached again and again is forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from learnae_ipfs.transport.hearsay import believed
from learnae_ipfs.transport.letters import MAX_ADDRESSES, MAX_PEERS, Whereabouts, mark

MAX_KNOWN = 512
MAX_CONNECTED = 48
"""From so many connected daemons of the session on, only the bootstrap ones are dialled: everybody is a few steps away."""

LATELY_S = 1_800.0
"""For how long a daemon that was met is worth telling others about."""

FORGOTTEN_S = 7_200.0
"""After how long a daemon that was met, and is gone, is forgotten."""

MAX_VAIN = 8
"""After so many vain attempts a daemon that was never met is forgotten, until somebody tells of it again."""

LATELY_MET_S = 600.0
NEAR_S, FAR_S = 20.0, 300.0
"""The longest time between two attempts to dial a daemon that is a bootstrap one or was met lately, and any other."""


class Trust(IntEnum):
    """How a daemon is known; less is better."""

    BOOTSTRAP = 0
    MET = 1
    TOLD = 2
    FOUND = 3


@dataclass(slots=True)
class Known:
    """What is known of one daemon.

    Attributes:
        peer: Its libp2p peer id.
        trust: How it is known.
        teller: Who told of it first, where that is how it is known.
        kinds: Whether it is shared, as far as anybody said: ``False``, ``True``, or both.
        private: Whether its own mailbox said that it is not: then nobody else is asked.
        good: The address at which it was dialled last.
        declared: The addresses that it gives itself.
        rumours: Addresses that others give.
        connected: Whether it is, as of the last look.
        met_s: When it was connected last.
        read_s: When its mailbox was read last.
        failures: How often in a row it could not be dialled.
        again_s: When it may be dialled again.
    """

    peer: str
    trust: Trust
    teller: str | None = None
    kinds: set[bool] = field(default_factory=set)
    private: bool = False
    good: str | None = None
    declared: tuple[str, ...] = ()
    rumours: tuple[str, ...] = ()
    connected: bool = False
    met_s: float | None = None
    read_s: float | None = None
    failures: int = 0
    again_s: float = 0.0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to dial it, the best first."""
        good = (self.good,) if self.good is not None else ()
        return tuple(dict.fromkeys((*good, *self.declared, *self.rumours)))[:MAX_ADDRESSES]


class Directory:
    """The daemons that are known, at most ``MAX_KNOWN``.

    Args:
        interval_s: The shortest time between two attempts to dial one.
        clock: Monotonic seconds.
        draw: For choosing among equals, so that a crowd does not always stand before the same one.
    """

    def __init__(self, *, interval_s: float, clock: Callable[[], float], draw: random.Random) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._draw = draw
        self._known: dict[str, Known] = {}
        self.own = ""
        """The own daemon's peer id."""

        self.is_machine_only = False
        """Whether the own daemon can be reached from its own machine only, so that others there may be dialled."""

    def __iter__(self) -> Iterator[Known]:
        return iter(tuple(self._known.values()))

    def get(self, peer: str) -> Known | None:
        """Return what is known of a daemon."""
        return self._known.get(peer)

    def learn(self, where: Whereabouts, trust: Trust, *, itself: bool = False, teller: str | None = None) -> None:
        """Take note of a daemon.

        Args:
            where: Who it is and where it may be, checked.
            trust: How this is known. Of the addresses, only those of bootstrap daemons are taken as they are.
            itself: Whether it is what the daemon's own mailbox says.
            teller: Whose mailbox says it, if that is somebody else's.
        """
        if where.peer == self.own:
            return
        known = self._known.get(where.peer)
        if known is None:
            if not self._has_room(trust, teller):
                return
            known = self._known[where.peer] = Known(where.peer, trust, teller)
        known.trust = min(known.trust, trust)
        if itself and not where.shared:
            known.kinds, known.private = {False}, True
        elif not known.private:
            known.kinds.add(where.shared)
        addresses = where.addresses
        if trust is not Trust.BOOTSTRAP:
            met = known.met_s is not None
            addresses = believed(addresses, machine=self.is_machine_only, names=itself and met)
        if itself:
            known.declared = addresses
        elif trust is not Trust.FOUND or known.trust is Trust.FOUND:
            known.rumours = tuple(dict.fromkeys((*addresses, *known.rumours)))[:MAX_ADDRESSES]

    def recall(self, peer: str, address: str) -> None:
        """Take note of a daemon that was reached at this address in an earlier run."""
        if peer != self.own and (peer in self._known or self._has_room(Trust.MET, None)):
            known = self._known.setdefault(peer, Known(peer, Trust.MET))
            known.kinds.add(False)
            known.rumours = tuple(dict.fromkeys((*known.rumours, address)))[:MAX_ADDRESSES]

    def see(self, neighbours: Mapping[str, str | None]) -> list[Known]:
        """Take note of who is connected.

        Args:
            neighbours: Peer ids; where we dialled it, with the address.

        Returns:
            Those that are connected now and were not before.
        """
        now_s = self._clock()
        new = []
        back = False
        for known in list(self._known.values()):
            if known.peer not in neighbours:
                if known.connected:
                    known.connected, known.again_s = False, now_s  # it broke just now: try at once
                if known.met_s is not None and now_s - known.met_s > FORGOTTEN_S and known.trust is not Trust.BOOTSTRAP:
                    del self._known[known.peer]
                continue
            if not known.connected:
                new.append(known)
                back = back or known.failures > 0
            known.connected, known.met_s, known.failures = True, now_s, 0
            known.trust = min(known.trust, Trust.MET)
            known.good = neighbours[known.peer] or known.good
        if back:  # the network is back: whoever was met is tried again without waiting
            for known in self._known.values():
                if known.trust <= Trust.MET and not known.connected:
                    known.again_s = min(known.again_s, now_s + self._draw.uniform(0, 1))
        return new

    def read(self, peer: str) -> None:
        """Note that a daemon's mailbox was read: it belongs to the session as far as anybody can tell."""
        known = self._known.get(peer)
        if known is not None:
            known.read_s = self._clock()

    def due(self, *, at_most: int) -> list[Known]:
        """Choose whom to dial now: at most so many of those who were met, of those told of, and of those found."""
        now_s = self._clock()
        least = (
            Trust.FOUND
            if sum(known.connected and known.read_s is not None for known in self._known.values()) < MAX_CONNECTED
            else Trust.BOOTSTRAP
        )
        unconnected = (known for known in self._known.values() if not known.connected and known.trust <= least)
        waiting = [known for known in unconnected if known.again_s <= now_s]
        self._draw.shuffle(waiting)
        waiting.sort(key=lambda known: known.trust)
        chosen: list[Known] = []
        for lane in ((Trust.BOOTSTRAP,), (Trust.MET,), (Trust.TOLD,), (Trust.FOUND,)):
            chosen += [known for known in waiting if known.trust in lane][:at_most]
        return chosen

    def failed(self, peer: str) -> None:
        """Note that a daemon could not be dialled: the next attempt waits, ever longer, up to ``NEAR_S`` or ``FAR_S``."""
        known = self._known.get(peer)
        if known is None:
            return
        now_s = self._clock()
        lately = known.met_s is not None and now_s - known.met_s < LATELY_MET_S
        most_s = NEAR_S if lately or known.trust is Trust.BOOTSTRAP else FAR_S
        known.failures += 1
        if known.met_s is None and known.trust > Trust.MET and known.failures >= MAX_VAIN:
            del self._known[peer]
            return
        delay_s = min(self._interval_s * 2 ** min(known.failures - 1, 16), max(most_s, self._interval_s))
        known.again_s = now_s + delay_s * self._draw.uniform(0.8, 1.0)

    def whereabouts(self) -> tuple[Whereabouts, ...]:
        """Return what is worth telling others: daemons met lately whose mailboxes were read, at most ``MAX_PEERS``."""
        now_s = self._clock()
        worth = [
            Whereabouts(known.peer, True in known.kinds, known.addresses)
            for known in self._known.values()
            if known.read_s is not None and known.met_s is not None and now_s - known.met_s < LATELY_S
        ]
        if len(worth) > MAX_PEERS:  # each tells of others, and always of the same
            worth = sorted(worth, key=lambda where: mark(f"{self.own}/{where.peer}".encode()))[:MAX_PEERS]
        return tuple(sorted(worth, key=lambda where: where.peer))

    def remembered(self) -> Sequence[str]:
        """Return addresses at which daemons of the session were reached, with peer ids, those met last first.

        Of one that only ever came to us, it is the first that it gives itself.
        """
        met = [known for known in self._known.values() if known.met_s is not None and known.read_s is not None]
        met.sort(key=lambda known: (-(known.met_s or 0.0), known.peer))
        return [f"{address}/p2p/{known.peer}" for known in met[:MAX_PEERS] for address in known.addresses[:1]]

    def _has_room(self, trust: Trust, teller: str | None) -> bool:
        """Make room for another daemon if need be; say whether there is some."""
        if teller is not None:
            told = [known for known in self._known.values() if known.teller == teller and known.trust is Trust.TOLD]
            if len(told) >= MAX_PEERS:  # of what one mailbox names, what was tried most in vain goes
                del self._known[max(told, key=lambda known: (known.failures, self._draw.random())).peer]
                return True
        if len(self._known) < MAX_KNOWN:
            return True
        candidates = [known for known in self._known.values() if not known.connected and known.trust >= max(trust, Trust.MET)]
        if not candidates:
            return False
        worst = max(candidates, key=lambda known: (known.trust, known.failures, self._draw.random()))
        del self._known[worst.peer]
        return True
