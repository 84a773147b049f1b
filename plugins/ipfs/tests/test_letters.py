"""What is read from another peer's mailbox, and everything that is not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_ipfs.transport.letters import (
    MAX_LETTERS_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGES_BYTES,
    MAX_PEERS,
    MAX_SLOTS,
    Letter,
    Letters,
    Whereabouts,
    dialled,
    is_dialled,
    read_letters,
    write_letters,
)

SESSION = b"s" * 32
PEER = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"
OTHER = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"
AUTHOR = Whereabouts(PEER, shared=False, addresses=("/ip4/203.0.113.7/tcp/4001",))


def mailbox(**changes: object) -> Letters:
    whole = Letters("learnae-mailbox-1", SESSION, AUTHOR, (Letter(b"0" * 32, b"hello"),), (Whereabouts(OTHER, shared=True),))
    return msgspec.structs.replace(whole, **changes)


def test_what_was_written_is_read() -> None:
    assert read_letters(write_letters(mailbox()), session=SESSION) == mailbox()


def test_the_largest_mailbox_can_be_read() -> None:
    letters = tuple(Letter(bytes([slot]) * 32, bytes(MAX_MESSAGES_BYTES // MAX_SLOTS)) for slot in range(MAX_SLOTS))
    relay = f"/dns4/{'x' * 150}/tcp/65535/p2p/{OTHER}/p2p-circuit"
    assert is_dialled(relay)
    peers = tuple(Whereabouts(OTHER, shared=True, addresses=(relay,) * 6) for _ in range(MAX_PEERS))
    data = write_letters(mailbox(letters=letters, peers=peers))
    assert len(data) <= MAX_LETTERS_BYTES
    assert read_letters(data, session=SESSION) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"session": b"t" * 32}, id="another session"),
        pytest.param({"session": b"s"}, id="no session"),
        pytest.param({"format": "learnae-mailbox-2"}, id="another format"),
        pytest.param({"author": Whereabouts("", shared=False)}, id="nobody"),
        pytest.param({"author": Whereabouts(PEER + "x", shared=False)}, id="no peer id"),
        pytest.param({"author": Whereabouts("../../etc/passwd", shared=False)}, id="a path"),
        pytest.param({"author": Whereabouts(PEER, shared=False, addresses=("/ip4/1.2.3.4/tcp/1",) * 7)}, id="too many addresses"),
        pytest.param({"peers": (Whereabouts(OTHER, shared=False, addresses=("/ip4/1.2.3/tcp/1",)),)}, id="no address"),
        pytest.param({"peers": (Whereabouts(OTHER, shared=False, addresses=("/unix/tmp/x",)),)}, id="not to be dialled"),
        pytest.param({"peers": (Whereabouts(OTHER, shared=False),) * (MAX_PEERS + 1)}, id="too many peers"),
        pytest.param({"letters": (Letter(b"0" * 31, b""),)}, id="no slot"),
        pytest.param({"letters": (Letter(b"0" * 32, b""),) * (MAX_SLOTS + 1)}, id="too many slots"),
        pytest.param({"letters": (Letter(b"0" * 32, bytes(MAX_MESSAGE_BYTES + 1)),)}, id="too large a message"),
        pytest.param({"letters": (Letter(b"0" * 32, bytes(MAX_MESSAGE_BYTES)),) * 5}, id="too much in all"),
    ],
)
def test_anything_else_is_no_mailbox(wrong: dict[str, object]) -> None:
    assert read_letters(write_letters(mailbox(**wrong)), session=SESSION) is None


def test_neither_too_much_nor_too_little_is_read() -> None:
    data = write_letters(mailbox())
    assert read_letters(data + b"\0", session=SESSION) is None
    assert all(read_letters(data[:length], session=SESSION) is None for length in range(len(data)))
    assert read_letters(bytes(MAX_LETTERS_BYTES + 1), session=SESSION) is None
    unknown = msgspec.msgpack.encode({**msgspec.to_builtins(mailbox(), builtin_types=(bytes,)), "more": 1})
    assert read_letters(unknown, session=SESSION) is None
    assert read_letters(b"\x91" * 100_000, session=SESSION) is None, "nested deeper than anybody can follow"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_noise_is_no_mailbox_and_no_error(noise: bytes, at: int) -> None:
    data = write_letters(mailbox())
    found = read_letters(data[:at] + noise + data[at + len(noise) :], session=SESSION)
    assert found is None or found.session == SESSION
    assert read_letters(noise, session=SESSION) is None


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/203.0.113.7/tcp/4001",
        "/ip6/2001:db8::1/udp/4001/quic-v1",
        "/dns4/friend.example/tcp/443/tls/ws",
        f"/ip4/203.0.113.7/tcp/4001/p2p/{OTHER}/p2p-circuit",
    ],
)
def test_what_may_be_dialled(address: str) -> None:
    assert is_dialled(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/",
        "tcp",
        "/ip4/203.0.113.7",
        "/tcp/4001",
        "/ip4/203.0.113.7/tcp/4001/",
        f"/ip4/203.0.113.7/tcp/4001/p2p/{OTHER}",
        "/dnsaddr/friend.example",
        "/ip4/203.0.113.7/udp/4001/quic-v1/webtransport",
        "/ip4/203.0.113.7/tcp/4001" + "/ws" * 9,
        "/ip4/203.0.113.7/tcp/4001\n",
        f"/ip4/1.2.3.4/tcp/1/p2p/{OTHER}/p2p-circuit/p2p/{OTHER}/p2p-circuit",
        "/dns4/" + "x" * 300 + "/tcp/1",
        "/unix/run/docker.sock",
    ],
)
def test_what_is_never_dialled(address: str) -> None:
    assert not is_dialled(address)


def test_addresses_worth_telling_come_from_afar_first_and_without_relays_first() -> None:
    relay = f"/ip4/9.9.9.9/tcp/1/p2p/{OTHER}/p2p-circuit"
    addresses = ["/ip4/127.0.0.1/tcp/4001", "/ip4/192.168.1.7/tcp/4001", relay, "/ip4/9.9.9.8/tcp/4001", "/ip4/bad"]
    said = [f"{address}/p2p/{PEER}" for address in addresses]
    assert dialled(said, PEER) == ("/ip4/9.9.9.8/tcp/4001", relay, "/ip4/192.168.1.7/tcp/4001")


def test_addresses_of_this_machine_are_told_where_there_is_nothing_else() -> None:
    assert dialled([f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"], PEER) == ("/ip4/127.0.0.1/tcp/4001",)
    assert dialled([], PEER) == ()
