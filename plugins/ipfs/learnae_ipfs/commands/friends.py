"""Whether those answer whose addresses the operator gave, at these very addresses; and if not, why, in our words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from learnae.errors import NotFoundError, UnavailableError
from learnae.interfaces.provider import Finding
from learnae_ipfs.addresses import Multiaddress, read_multiaddress
from learnae_ipfs.kubo import Kubo

PATIENCE_S = 10.0
"""How long a friend may take to answer."""

_ASK_AGAIN = "learnae ipfs address, there, while that peer runs, and give what it prints to --bootstrap here"
_SAME_FILES = "learnae check --session session.json --secret-file session.secret, with the very files that the friend has"
_REASONS: Final = (
    ("peer id mismatch", "another daemon answers there than the one that the address names", _ASK_AGAIN),
    ("failed to negotiate", "who answers there is not of this session, or has another secret", _SAME_FILES),
    ("connection refused", "nothing listens there now", _ASK_AGAIN),
    ("unreachable", "there is no way from here to there", _ASK_AGAIN),
    ("no route to host", "there is no way from here to there", _ASK_AGAIN),
    ("timeout", "nothing comes back from there", _ASK_AGAIN),
    ("deadline exceeded", "nothing comes back from there", _ASK_AGAIN),
)
"""What Kubo (0.32 to 0.43) says of a dial that failed, what that means, and what to do. The first that fits counts."""


async def look_for_friends(kubo: Kubo, addresses: Sequence[str]) -> Sequence[Finding]:
    """Dial everybody whom the operator named; whoever answers stays connected.

    A daemon that is connected already, or knows other addresses of a friend, need not try the one that is given: then it is said
    by which one the two are connected.

    Args:
        kubo: The daemon that dials.
        addresses: Which end in ``/p2p/PEER``.

    Raises:
        UnavailableError: The daemon does not answer.
    """

    async def dial(address: str) -> str | None:
        try:
            await kubo.connect(address, patience_s=PATIENCE_S)
        except (NotFoundError, UnavailableError) as exc:
            return str(exc)
        return None

    before = await _ways(kubo)
    failures = await asyncio.gather(*map(dial, addresses))
    after = await _ways(kubo)
    findings = []
    for address, failure in zip(addresses, failures, strict=True):
        friend = read_multiaddress(address)
        if failure is None:
            peer = friend.peer or ""
            findings.append(Finding(True, _connected(friend, after.get(peer, ()), was_connected=peer in before)))
            continue
        why, advice = _explained(failure)
        if None in failures:
            findings.append(Finding(True, f"no friend answers at {address} now, but another one does: {why}"))
        else:
            findings.append(Finding(False, f"no friend answers at {address}: {why}", advice))
    return findings


async def _ways(kubo: Kubo) -> dict[str, list[str]]:
    """Say by which addresses, without peer id, others are connected; those first that this daemon dialled."""
    ways: dict[str, list[str]] = {}
    for neighbour in sorted(await kubo.neighbours(), key=lambda neighbour: neighbour.inbound):
        ways.setdefault(neighbour.peer, []).append(neighbour.address.removesuffix(f"/p2p/{neighbour.peer}"))
    return ways


def _connected(friend: Multiaddress, ways: Sequence[str], *, was_connected: bool) -> str:
    if not ways or any(_is_way(friend.without_peer, way) for way in ways):
        return f"a friend answers at {friend}"
    if was_connected:
        return f"the friend {friend.peer} is connected, by {ways[0]}; {friend} itself was not tried"
    return f"the friend {friend.peer} answers, but at {ways[0]}; {friend} itself did not answer, or not as soon"


def _is_way(given: Multiaddress, way: str) -> bool:
    """Say whether a connection is by this address; what a name stands for, only the daemon knows."""
    if str(given) == way:
        return True
    return given.ip is None and way.split("/")[3:] == str(given).split("/")[3:]


def _explained(failure: str) -> tuple[str, str]:
    for words, why, advice in _REASONS:
        if words in failure:
            return why, advice
    return failure.rpartition("failure: ")[2], _ASK_AGAIN
