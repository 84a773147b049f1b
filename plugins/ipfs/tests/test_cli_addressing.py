"""Which addresses a friend is given, in which order, and what is said of them."""

import asyncio
from typing import Any, cast

import pytest
from learnae_ipfs.commands.addressing import Reachable, ranked, whereabouts
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.values import Identity

ME = "12D3KooWEgHqXpGLocVDoH1BBKPpGf6APCQgpzVdV73uwsrbwPyR"
FRIEND = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
PUBLIC = f"/ip4/8.8.8.8/tcp/4001/p2p/{ME}"
QUIC = f"/ip4/8.8.8.8/udp/4001/quic-v1/p2p/{ME}"
PUBLIC6 = f"/ip6/2606:4700::1/tcp/4001/p2p/{ME}"
RELAYED = f"/ip4/9.9.9.9/tcp/4001/p2p/{FRIEND}/p2p-circuit/p2p/{ME}"
LOCAL = f"/ip4/192.168.1.7/tcp/4001/p2p/{ME}"
LOOPBACK = f"/ip4/127.0.0.1/tcp/4001/p2p/{ME}"
BROWSER = f"/ip4/8.8.8.8/udp/4001/quic-v1/webtransport/certhash/uEiAk/p2p/{ME}"
FORWARDED = f"/dns4/home.example.org/tcp/5000/p2p/{ME}"


def order(*texts: str, announced: tuple[str, ...] = ()) -> list[str]:
    return [str(address) for address in ranked(texts, announced)]


def test_the_best_come_first() -> None:
    wanted = [PUBLIC, QUIC, PUBLIC6, RELAYED, LOCAL]
    assert order(*reversed(wanted), LOOPBACK, BROWSER, f"/ip6/fe80::1/tcp/4001/p2p/{ME}") == wanted
    assert order(LOCAL, PUBLIC, FORWARDED, announced=("/dns4/home.example.org/tcp/5000",)) == [FORWARDED, PUBLIC, LOCAL]


def test_what_only_this_machine_can_use_is_better_than_nothing() -> None:
    assert order(LOOPBACK) == [LOOPBACK]
    assert order(BROWSER) == [BROWSER]


def test_what_is_not_understood_is_left_out() -> None:
    assert order("", "x", "/future/thing", "/ip4/8.8.8.8/tcp/4001", PUBLIC, PUBLIC) == [PUBLIC]


@pytest.mark.parametrize(
    ("addresses", "reachability", "begins", "advises"),
    [
        ((PUBLIC, LOCAL), "public", f"can be reached from the internet: {PUBLIC}", False),
        ((PUBLIC, LOCAL), "unknown", "can be reached from the internet, though nobody outside has tried it yet", False),
        ((PUBLIC, LOCAL), "private", "cannot be reached from the internet: others tried in vain", True),
        ((RELAYED, LOCAL), "private", f"can be reached from the internet through a friend: {RELAYED}", True),
        ((LOCAL,), "private", "cannot be reached from the internet: others tried in vain", True),
        ((LOCAL,), "unknown", "can be reached in the local network, and has no address for the internet", True),
        ((LOOPBACK,), "unknown", "can be reached on this machine, and has no address for the internet", True),
        ((), "unknown", "can be reached on this machine, and has no address for the internet", True),
    ],
)
def test_a_sentence_says_from_where_it_works(addresses: tuple[str, ...], reachability: str, begins: str, advises: bool) -> None:
    found = Reachable(ME, ranked(addresses), reachability)
    sentence = found.sentence(own=True)
    assert sentence.startswith(begins)
    assert ("let the router pass port" in sentence) is advises
    assert ("plugins.ipfs.announce=/dns4/NAME/tcp/" in sentence) is advises
    assert ("NAME/tcp/4001" in sentence) is (advises and any("/p2p-circuit" not in address for address in addresses))
    assert "plugins.ipfs.announce" not in found.sentence(own=False), "its settings are not ours"


class _Slow:
    """A daemon that learns a better address after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    async def identity(self) -> Identity:
        self.looks -= 1
        return Identity(ME, (LOCAL, PUBLIC) if self.looks < 0 else (LOCAL,), "kubo")

    async def reachability(self) -> str:
        return "unknown"


def test_it_waits_for_an_address_for_the_internet_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnae_ipfs.commands.addressing._BETWEEN_LOOKS_S", 0.001)

    def ask(looks: int, patience_s: float) -> Any:
        return asyncio.run(whereabouts(cast("Kubo", _Slow(looks)), patience_s=patience_s))

    assert ask(3, 60.0).direct
    assert not ask(3, 0.0).direct
