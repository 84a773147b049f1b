"""Which of the addresses that others name are dialled: a member may lie, and must not make us knock at any door it likes.

libp2p checks who answers, so that a wrong address leads to nobody; but even a vain attempt is a connection to some port of some
machine, made from here. So of what somebody else says only plain daemon addresses count: numbers instead of names, ports that
anybody may open, and not this machine unless the own daemon lives on it alone. What the operator gives, and addresses at which a
daemon was reached before, are not asked about.
"""

from __future__ import annotations

from collections.abc import Iterable

from learnae_ipfs.addresses import Multiaddress, read_multiaddress

FIRST_PORT = 1_024
"""Below, ports belong to a machine's own services (RFC 6335, section 6)."""

WEB_PORT = 443
"""Behind which a daemon may stand all the same, under a name of its own."""


def believed(addresses: Iterable[str], *, machine: bool, names: bool = False) -> tuple[str, ...]:
    """Choose the addresses that may be dialled though somebody else named them.

    Args:
        addresses: Multiaddresses that ``is_dialled`` holds for.
        machine: Whether loopback addresses count: where the own daemon has no others.
        names: Whether DNS names count: where a daemon that was met before says them of itself.
    """
    return tuple(address for address in addresses if _is_believed(read_multiaddress(address), machine=machine, names=names))


def _is_believed(address: Multiaddress, *, machine: bool, names: bool) -> bool:
    ports = [int(value) for name, value in address.parts if name in {"tcp", "udp"}]
    if address.ip is None:
        return names and all(port >= FIRST_PORT or port == WEB_PORT for port in ports)
    if address.ip.is_link_local or address.ip.is_multicast or address.ip.is_unspecified or address.ip.is_reserved:
        return False
    return all(port >= FIRST_PORT for port in ports) and (machine or not address.ip.is_loopback)
