"""Under which addresses a daemon can be reached: the best first, and what can be said of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from learnae.errors import ConfigError
from learnae_ipfs.addresses import Multiaddress, read_multiaddress
from learnae_ipfs.kubo import Kubo

_BETWEEN_LOOKS_S = 0.5
_BROWSERS = frozenset({"webtransport", "webrtc-direct", "ws", "wss"})
"""Ways that exist for the sake of web browsers; daemons have better ones."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """Where a daemon is.

    Attributes:
        peer: Its libp2p peer id.
        addresses: Addresses with the peer id, for `--bootstrap`, the best first.
        reachability: ``public``, ``private`` or ``unknown``, as AutoNAT found.
    """

    peer: str
    addresses: tuple[Multiaddress, ...]
    reachability: str

    @property
    def direct(self) -> tuple[Multiaddress, ...]:
        """Those that may be used from the internet without anybody's help."""
        return tuple(each for each in self.addresses if each.reach == "internet" and not each.is_relayed)

    @property
    def relayed(self) -> tuple[Multiaddress, ...]:
        """Those that lead through another peer."""
        return tuple(each for each in self.addresses if each.is_relayed)

    def sentence(self, *, own: bool, lasts: bool = True) -> str:
        """Say from where it can be reached, and what to do where that is not far enough.

        Args:
            own: Whether it is a private daemon, whose settings are ours.
            lasts: Whether it keeps its port.
        """
        if self.direct and self.reachability != "private":
            sure = "" if self.reachability == "public" else ", though nobody outside has tried it yet"
            return f"can be reached from the internet{sure}: {self.direct[0]}"
        if self.relayed:
            return f"can be reached from the internet through a friend: {self.relayed[0]}; {self._advice(own=own, lasts=lasts)}"
        if self.reachability == "private":
            return f"cannot be reached from the internet: others tried in vain; {self._advice(own=own, lasts=lasts)}"
        near = "in the local network" if any(each.reach == "network" for each in self.addresses) else "on this machine"
        return f"can be reached {near}, and has no address for the internet; {self._advice(own=own, lasts=lasts)}"

    def _advice(self, *, own: bool, lasts: bool) -> str:
        ports = (value for each in self.addresses if not each.is_relayed for name, value in each.parts if name in {"tcp", "udp"})
        port = next(ports, "PORT") if lasts else "PORT"
        announce = f" and say so: --set plugins.ipfs.announce=/dns4/NAME/tcp/{port}" if own else ""
        return (
            f"for that, let the router pass port {port} on to the daemon's machine{announce}; or use the address of a friend who "
            "can be reached: his daemon then passes on what others and this one exchange"
        )


def ranked(texts: Iterable[str], announced: Iterable[str] = ()) -> tuple[Multiaddress, ...]:
    """Sort addresses: those for the whole internet first, then those through others, then those of the local network.

    What nobody else can use is left out, unless there is nothing else.

    Args:
        texts: Multiaddresses, as a daemon says them of itself.
        announced: Those, without peer id, that the operator vouches for.
    """
    vouched = set(announced)
    found = {}
    for text in texts:
        try:
            address = read_multiaddress(text)
        except ConfigError:
            continue  # a way of later daemons
        if address.peer is not None and not (address.ip is not None and address.ip.is_link_local):
            found[text] = address
    usable = [each for each in found.values() if not _BROWSERS & set(each.protocols)] or list(found.values())
    distant = [each for each in usable if each.reach != "machine"] or usable
    return tuple(sorted(distant, key=lambda each: (str(each.without_peer) not in vouched, *_order(each), str(each))))


def _order(address: Multiaddress) -> tuple[int, int, int]:
    reach = {"internet": 0, "network": 2, "machine": 3}[address.reach]
    version = 4 if address.ip is None else address.ip.version
    return (1 if address.is_relayed else reach, version, 0 if "tcp" in address.protocols else 1)


async def whereabouts(kubo: Kubo, announced: Iterable[str] = (), *, patience_s: float = 0.0) -> Reachable:
    """Ask a daemon where it is.

    Args:
        kubo: The daemon.
        announced: Addresses, without peer id, that the operator vouches for.
        patience_s: For how long to wait for an address for the internet: a router that maps ports, and friends who see where a
            daemon is, take seconds.

    Raises:
        UnavailableError: It does not answer.
    """
    ends = time.monotonic() + patience_s
    while True:
        identity = await kubo.identity()
        found = Reachable(identity.peer, ranked(identity.addresses, announced), await kubo.reachability())
        if found.direct or found.relayed or found.reachability == "private" or time.monotonic() >= ends:
            return found
        await asyncio.sleep(_BETWEEN_LOOKS_S)
