"""Where daemons were is remembered: strictly read, bounded, and the last met first."""

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_ipfs.remembered import MAX_ADDRESSES, MAX_DAEMONS, read_daemon_address, remember, remembered

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PEER = "12D3KooWEK31neow9vBboHyp1mdjSRwcpjjX4cKNzdTfQKDAErPo"
OTHER = "12D3KooWAz5bP9xcdYNiiEZdJF8mntt3FLCCjwzJ6fTvrfK2zi3Q"


def _peer(number: int) -> str:
    """The id of some Ed25519 key."""
    value, text = int.from_bytes(b"\x00\x24\x08\x01\x12\x20" + number.to_bytes(32, "big"), "big"), ""
    while value:
        value, digit = divmod(value, 58)
        text = BASE58[digit] + text
    return "1" + text


def _address(number: int, port: int = 4001) -> str:
    return f"/ip4/10.0.0.1/tcp/{port}/p2p/{_peer(number)}"


@pytest.mark.parametrize(
    "text",
    [
        f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}",
        f"/ip6/::1/udp/4001/quic-v1/p2p/{PEER}",
        f"/dns4/friend.example/tcp/4001/p2p/{PEER}",
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{OTHER}",
    ],
)
def test_addresses_of_daemons_are_read(text: str) -> None:
    assert str(read_daemon_address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        "/ip4/1.2.3.4/tcp/4001",
        f"/p2p/{PEER}",
        f"/ip4/1.2.3.4/p2p/{PEER}",
        f"/ip4/1.2.3.4/tcp/0/p2p/{PEER}",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER[:-1]}",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}1",
        "/ip4/1.2.3.4/tcp/4001/p2p/12D3KooW" + "1" * 44,
        "/ip4/1.2.3.4/tcp/4001/p2p/bafzaajaiaejcbnwq2ktwhjuz2r3tfrs4sy3lnvfhd4pssiwzlr33ngzvbkydhtw5",
        f"/ip4/1.2.3.4/tcp/4001/p2p/{PEER}/p2p-circuit/p2p/{OTHER}/p2p-circuit/p2p/{PEER}",
        f"/dns4/{'a' * 300}/tcp/4001/p2p/{PEER}",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert read_daemon_address(text) is None


def test_the_last_met_come_first(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    assert remembered(file) == ()
    assert remember(file, [_address(1), _address(2), "junk"])
    assert remembered(file) == (_address(1), _address(2))
    assert not remember(file, [_address(2)])  # it is known already
    assert remember(file, [_address(2, 4002), _address(3)])
    assert remembered(file) == (_address(2, 4002), _address(2), _address(3), _address(1))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["addresses.json"]


def test_it_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    remember(file, [_address(number) for number in range(MAX_DAEMONS + 10)])
    assert len(remembered(file)) == MAX_DAEMONS
    remember(file, [_address(1, port) for port in range(1, MAX_ADDRESSES + 10)])
    assert len(remembered(file)) == MAX_DAEMONS - 1 + MAX_ADDRESSES
    assert remembered(file)[0] == _address(1, 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff", b"[" * 100_000, b'[["junk", 5], 6, null]', b"0" * 1_000_001])
def test_what_is_wrong_in_the_file_is_left_out(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "addresses.json"
    file.write_bytes(content)
    assert remembered(file) == ()
    assert remember(file, [_address(1)])
    assert remembered(file) == (_address(1),)


def test_what_is_good_in_it_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "addresses.json"
    file.write_text(json.dumps([[_address(1), "junk"], "junk", [_address(2)]]))
    assert remembered(file) == (_address(1), _address(2))


@given(st.text(max_size=80) | st.builds("/ip4/1.2.3.4/tcp/1/p2p/{}".format, st.text(BASE58, min_size=40, max_size=60)))
def test_reading_never_fails(text: str) -> None:
    address = read_daemon_address(text)
    assert address is None or address.peer is not None
