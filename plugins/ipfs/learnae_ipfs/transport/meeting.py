"""How daemons of a session find each other and stay connected, without a server and without PubSub.

Each provides a block that only members of the session can derive, and asks for the other providers. Whoever was met tells of
others in its mailbox, and addresses are remembered from run to run, so that no single daemon has to be there. Kubo's own peering
waits up to ten minutes before it dials again; here it is 20 seconds for whoever was met lately.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from learnae.errors import ConfigError, NotFoundError
from learnae_ipfs.addresses import read_multiaddress
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.answers import RefusedError
from learnae_ipfs.kubo.wire import is_peer_id, raw_cid
from learnae_ipfs.names import meeting_block
from learnae_ipfs.remembered import remember, remembered
from learnae_ipfs.transport.complaints import REFUSALS, together
from learnae_ipfs.transport.directory import Directory, Known, Trust
from learnae_ipfs.transport.letters import Whereabouts, dialled, is_dialled

PROVIDE_S = 600.0
"""How often to say again that the meeting block can be had here: who remembers that comes and goes."""

MAX_FIND_S = 60.0
REMEMBER_S = 10.0
DIALS = 6
UNREACHED = NotFoundError("nobody of this session answers there; do both have the same session.json and secret?")
"""How many of each kind, and how many at once, are dialled in one go."""

ADDRESSES = 4
"""At how many addresses one daemon is dialled."""

PROVIDERS = 64
"""How many unknown providers of the block are looked at in one round."""

LOOKED_AT = 16
"""At how many addresses of a provider we look, to choose the best."""

_DIAL_S, _FIND_S = 5.0, 10.0


class Meeting:
    """Looks for the session's daemons, round by round. A round costs two short calls while nothing changes.

    Args:
        directory: Takes what is found out.
        rendezvous: The session's.
        shared: Whether the own daemon is one that several peers may share.
        everybody: Whether whoever is connected may be a daemon of the session: where only LEARNAE's daemons can connect.
        bootstrap: Multiaddresses with peer ids, dialled for ever.
        addresses: The file in which addresses are remembered.
        interval_s: The time between two rounds.
        clock: Monotonic seconds.
        complain: Is told of what the daemon refuses, and with ``None`` that it does not: for each kind of call.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        rendezvous: str,
        shared: bool,
        everybody: bool,
        bootstrap: Sequence[str],
        addresses: Path,
        interval_s: float,
        clock: Callable[[], float],
        complain: Callable[[str, Exception | None], None],
    ) -> None:
        self._directory = directory
        self._blocks = {kind: meeting_block(rendezvous, shared=kind) for kind in (False, True)}
        self._shared, self._everybody = shared, everybody
        self._bootstrap, self._addresses = tuple(bootstrap), addresses
        self._interval_s, self._clock, self._complain = interval_s, clock, complain
        self._began = False
        self._provide_s = self._find_s = self._remember_s = 0.0
        self._find_every_s = interval_s
        self._remembered: Sequence[str] = ()
        self.author: Whereabouts | None = None
        """The own daemon, as of the last round."""

        self.alone = True
        """Whether nobody at all is connected."""

    def begin_again(self) -> None:
        """Say everything again in the next round: the daemon was away."""
        self._provide_s = self._find_s = 0.0
        self._find_every_s = self._interval_s

    async def round(self, kubo: Kubo) -> list[Known]:
        """Look once; return whom we met.

        Raises:
            UnavailableError: The daemon does not answer.
        """
        identity = await kubo.identity()
        self._directory.own = identity.peer
        self._directory.is_machine_only = _is_machine_only(identity.addresses)
        self.author = Whereabouts(identity.peer, self._shared, dialled(identity.addresses, identity.peer))
        if not self._began:
            await self._begin()
        new = await self._look(kubo)
        if await self._dial(kubo):
            new += await self._look(kubo)
        if self.alone:
            self.begin_again()
            return new
        if new:
            self._provide_s = 0.0
        await self._provide(kubo)
        if await self._find(kubo) and await self._dial(kubo):
            new += await self._look(kubo)
        if self._clock() >= self._remember_s:
            self._remember_s = self._clock() + REMEMBER_S
            await self.remember()
        return new

    async def remember(self) -> None:
        """Write down whom we met, for the next run; where that fails, it is done without."""
        addresses = self._directory.remembered()
        if set(addresses) == set(self._remembered):
            return
        try:
            await asyncio.to_thread(remember, self._addresses, addresses)
        except OSError as exc:
            self._complain("remembering addresses", exc)
        else:
            self._remembered = addresses
            self._complain("remembering addresses", None)

    async def _begin(self) -> None:
        self._began = True
        for bare, peer in _daemons(self._bootstrap):
            self._directory.learn(Whereabouts(peer, shared=False, addresses=(bare,)), Trust.BOOTSTRAP)
        for bare, peer in _daemons(await asyncio.to_thread(remembered, self._addresses)):
            self._directory.recall(peer, bare)

    async def _look(self, kubo: Kubo) -> list[Known]:
        """See who is connected."""
        neighbours: dict[str, str | None] = {}
        for neighbour in await kubo.neighbours():
            bare = neighbour.address.removesuffix(f"/p2p/{neighbour.peer}")
            usable = not neighbour.inbound and "/p2p-circuit" not in bare and is_dialled(bare)
            neighbours[neighbour.peer] = (bare if usable else None) or neighbours.get(neighbour.peer)
        self.alone = not neighbours
        if self._everybody:
            for peer in neighbours:
                if self._directory.get(peer) is None and is_peer_id(peer):
                    self._directory.learn(Whereabouts(peer, shared=False), Trust.MET)
        return self._directory.see(neighbours)

    async def _dial(self, kubo: Kubo) -> bool:
        """Dial who is due; say whether somebody answered."""
        room = asyncio.Semaphore(DIALS)

        async def dial(known: Known) -> bool:
            async with room:
                reached = await _reached(kubo, known.peer, known.addresses[:ADDRESSES])
            if known.trust is Trust.BOOTSTRAP:
                self._complain(f"reaching the friend {known.peer}", None if reached else UNREACHED)
            if not reached:
                self._directory.failed(known.peer)
            return reached

        return any(await together(dial(known) for known in self._directory.due(at_most=DIALS)))

    async def _provide(self, kubo: Kubo) -> None:
        if self._clock() < self._provide_s:
            return
        try:
            await kubo.provide(await kubo.put_block(self._blocks[self._shared]))
        except REFUSALS as exc:
            if not (isinstance(exc, RefusedError) and exc.says("failed to find any peer")):  # routing has not met anybody yet
                self._complain("being found by others", exc)
        else:
            self._complain("being found by others", None)
            self._provide_s = self._clock() + PROVIDE_S

    async def _find(self, kubo: Kubo) -> bool:
        """Ask for the other providers; say whether there is somebody new."""
        if self._clock() < self._find_s:
            return False
        self._find_s = self._clock() + self._find_every_s
        before = set(self._peers())
        try:
            for shared, block in self._blocks.items():
                await self._find_kind(kubo, raw_cid(block), shared=shared)
        except REFUSALS as exc:
            self._complain("finding others", exc)
            return False
        self._complain("finding others", None)
        found = not before.issuperset(self._peers())
        self._find_every_s = self._interval_s if found else min(2 * self._find_every_s, max(MAX_FIND_S, self._interval_s))
        return found

    async def _find_kind(self, kubo: Kubo, cid: str, *, shared: bool) -> None:
        at_most = PROVIDERS + sum(1 for _ in self._peers())
        holders = await kubo.find_providers(cid, at_most=at_most, patience_s=_FIND_S)
        unknown = [holder for holder in holders if self._directory.get(holder.peer) is None]
        known = [holder for holder in holders if self._directory.get(holder.peer) is not None]
        for holder in (*unknown[:PROVIDERS], *known[:PROVIDERS]):
            if is_peer_id(holder.peer):
                where = Whereabouts(holder.peer, shared, dialled(holder.addresses[:LOOKED_AT], holder.peer))
                self._directory.learn(where, Trust.FOUND)

    def _peers(self) -> Iterable[str]:
        return (known.peer for known in self._directory)


def _daemons(addresses: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Split addresses into where and who; what is not dialled is left out."""
    for address in addresses:
        bare, _, peer = address.rpartition("/p2p/")
        if is_peer_id(peer) and is_dialled(bare):
            yield bare, peer


def _is_machine_only(addresses: Iterable[str]) -> bool:
    """Say whether all of a daemon's addresses serve on its own machine only."""
    reaches = set()
    for address in addresses:
        with contextlib.suppress(ConfigError):
            reaches.add(read_multiaddress(address).reach)
    return reaches <= {"machine"}


async def _reached(kubo: Kubo, peer: str, addresses: Sequence[str]) -> bool:
    """Dial a daemon at its addresses, and last wherever the own daemon knows it to be; say whether it answered."""
    for choice in ([f"{address}/p2p/{peer}" for address in addresses], [f"/p2p/{peer}"]):
        try:
            if choice:
                await kubo.connect(*choice, patience_s=_DIAL_S)
                return True
        except (NotFoundError, *REFUSALS):
            continue
    return False
