"""Options become settings, or a sentence that names what cannot be used."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learnae_ipfs.addresses import read_multiaddress
from learnae_ipfs.reading import authorization_of, read_settings
from learnae_ipfs.settings import OPTIONS, IpfsSettings

from learnae.errors import ConfigError

PEER = "12D3KooWEgHqXpGLocVDoH1BBKPpGf6APCQgpzVdV73uwsrbwPyR"
OLD_PEER = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"


def test_defaults_are_those_of_the_settings() -> None:
    assert read_settings({option.name: option.default for option in OPTIONS}) == IpfsSettings()
    assert read_settings({}) == IpfsSettings()


def test_every_setting_has_an_option() -> None:
    names = {option.name.removesuffix("_file") for option in OPTIONS}
    assert names == set(IpfsSettings.__dataclass_fields__)
    assert all(option.summary.endswith(".") for option in OPTIONS)


def test_everything_can_be_set(tmp_path: Path) -> None:
    auth = tmp_path / "auth"
    auth.write_text("bearer:secret\n")
    auth.chmod(0o600)
    options = {
        "api": "http://127.0.0.1:5001",
        "api_auth_file": str(auth),
        "program": "/opt/ipfs",
        "bootstrap": f"/ip4/203.0.113.7/tcp/4001/p2p/{PEER}, /dns4/example.org/udp/4001/quic-v1/p2p/{OLD_PEER}",
        "listen": "192.168.1.7",
        "port": 4001,
        "announce": f"/ip4/203.0.113.7/tcp/5000/p2p/{PEER}",
        "local_network": False,
        "public_network": True,
        "memory_mib": 128,
        "storage_gb": 0.5,
        "pubsub": False,
        "slow_interval_s": 3.0,
    }
    said: list[str] = []
    assert read_settings(options, said.append) == IpfsSettings(
        api="/ip4/127.0.0.1/tcp/5001",
        api_auth="bearer:secret",
        program="/opt/ipfs",
        bootstrap=(f"/ip4/203.0.113.7/tcp/4001/p2p/{PEER}", f"/dns4/example.org/udp/4001/quic-v1/p2p/{OLD_PEER}"),
        listen="192.168.1.7",
        port=4001,
        announce=("/ip4/203.0.113.7/tcp/5000",),
        local_network=False,
        public_network=True,
        memory_mib=128,
        storage_gb=0.5,
        pubsub=False,
        slow_interval_s=3.0,
    )
    assert said == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"api": "5001"}, "plugins.ipfs.api: the RPC address '5001' cannot be used", id="api"),
        pytest.param({"api_auth_file": "/x"}, "is for the daemon of plugins.ipfs.api, and that is not set", id="auth-alone"),
        pytest.param(
            {"bootstrap": "friend"}, "plugins.ipfs.bootstrap: 'friend' is no multiaddress; one looks like", id="no-address"
        ),
        pytest.param({"bootstrap": "/ip4/1.2.3.4/tcp/4001"}, "does not say whose address it is", id="no-peer"),
        pytest.param({"bootstrap": f"/ip4/1.2.3/tcp/1/p2p/{PEER}"}, "/ip4/1.2.3 cannot be", id="no-ip"),
        pytest.param({"bootstrap": f"/ip4/1.2.3.4/tcp/65536/p2p/{PEER}"}, "/tcp/65536 cannot be", id="no-port"),
        pytest.param({"bootstrap": "/ip4/1.2.3.4/tcp/1/p2p/me"}, "/p2p/me cannot be", id="no-peer-id"),
        pytest.param({"bootstrap": f"/carrier/pigeon/p2p/{PEER}"}, "/carrier/pigeon cannot be", id="unknown-protocol"),
        pytest.param({"bootstrap": f"/unix/x/p2p/{PEER}"}, "does not say whose address it is", id="socket"),
        pytest.param({"bootstrap": f"/ip4/1.2.3.4/p2p/{PEER}"}, "is not the address of an IPFS daemon", id="nothing-to-dial"),
        pytest.param({"bootstrap": f"/ip4/1.2.3.4/tcp/0/p2p/{PEER}"}, "is not the address of an IPFS daemon", id="port-0"),
        pytest.param({"bootstrap": "/ip4"}, "/ip4 cannot be", id="cut-off"),
        pytest.param({"bootstrap": 7}, "plugins.ipfs.bootstrap = '7' cannot be used; accepted: a text", id="number"),
        pytest.param({"announce": "/ip4/1.2.3.4"}, "plugins.ipfs.announce: '/ip4/1.2.3.4' has no port", id="announce"),
        pytest.param({"listen": "localhost"}, "plugins.ipfs.listen = 'localhost' cannot be used; accepted: an IP", id="listen"),
        pytest.param({"listen": None}, "plugins.ipfs.listen", id="listen-nowhere"),
        pytest.param(
            {"port": 70_000}, "plugins.ipfs.port = '70000' cannot be used; accepted: a number from 0 to 65535", id="port"
        ),
        pytest.param({"port": -1}, "from 0 to 65535", id="negative-port"),
        pytest.param({"port": True}, "from 0 to 65535", id="truth"),
        pytest.param({"memory_mib": 8}, "from 64 to 65536", id="memory"),
        pytest.param({"storage_gb": 0}, "from 0.1 to 100000", id="storage"),
        pytest.param({"slow_interval_s": 0.5}, "from 1 to 3600", id="interval"),
        pytest.param({"slow_interval_s": float("nan")}, "from 1 to 3600", id="nan"),
        pytest.param({"pubsub": "yes"}, "accepted: true or false", id="switch"),
        pytest.param({"program": "a\0b"}, "accepted: a text", id="program"),
    ],
)
def test_what_cannot_be_used_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(options)
    assert words in str(caught.value)


def _write(content: bytes) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(content) and None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda file: None, "cannot be read: No such file or directory", id="missing"),
        pytest.param(Path.mkdir, "is no file", id="folder"),
        pytest.param(_write(b"bearer:" + b"x" * 5000), "and holds more", id="large"),
        pytest.param(_write(b""), "accepted are bearer:TOKEN", id="empty"),
        pytest.param(_write(b"hunter2"), "accepted are bearer:TOKEN", id="bare"),
        pytest.param(_write(b"bearer:\xff\xfe"), "accepted are bearer:TOKEN", id="binary"),
        pytest.param(_write(b"bearer:hunter2\nbearer:b"), "accepted are bearer:TOKEN", id="lines"),
    ],
)
def test_a_file_without_token_or_password_is_refused_and_not_repeated(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "auth"
    make(file)
    with pytest.raises(ConfigError) as caught:
        read_settings({"api": "/ip4/127.0.0.1/tcp/5001", "api_auth_file": str(file)})
    assert words in str(caught.value)
    assert str(file) in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["bearer:token", "basic:me:pass word", "basic:me:with:colons"])
def test_a_file_that_others_can_read_is_read_with_a_warning(text: str, tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text(f"{text}\n")
    file.chmod(0o644)
    said: list[str] = []
    assert authorization_of(file, said.append) == text
    [warning] = said
    assert f"chmod 600 {file}" in warning


@pytest.mark.parametrize(
    ("text", "peer", "reach", "is_relayed"),
    [
        (f"/ip4/203.0.114.7/tcp/4001/p2p/{PEER}", PEER, "internet", False),
        (f"/ip4/203.0.114.7/tcp/4001/p2p/{OLD_PEER}/p2p-circuit/p2p/{PEER}", PEER, "internet", True),
        (f"/dns4/example.org/tcp/443/tls/sni/example.org/ws/p2p/{PEER}", PEER, "internet", False),
        ("/ip4/192.168.1.7/udp/4001/quic-v1/webtransport/certhash/uEiAk", None, "network", False),
        ("/ip6/fe80::1/tcp/4001", None, "network", False),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/4001", None, "network", False),
        ("/ip6/2606:4700::1/tcp/4001", None, "internet", False),
        ("/ip4/100.64.1.1/tcp/4001", None, "network", False),
        ("/ip4/127.0.0.1/tcp/4001", None, "machine", False),
        ("/ip6/::1/tcp/4001", None, "machine", False),
    ],
)
def test_an_address_says_who_can_use_it(text: str, peer: str | None, reach: str, is_relayed: bool) -> None:
    address = read_multiaddress(text)
    assert str(address) == text
    assert (address.peer, address.reach, address.is_relayed) == (peer, reach, is_relayed)


def test_an_old_name_for_peers_is_understood() -> None:
    assert str(read_multiaddress(f"/ip4/1.2.3.4/tcp/1/ipfs/{PEER}")) == f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"


@pytest.mark.parametrize("text", ["", "/", "//", "/ip4/1.2.3.4/", "/ip6/fe80::1%eth0/tcp/1", "/tcp/٣", "/ip4/1.2.3.4" * 200])
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(ConfigError, match="is no multiaddress"):
        read_multiaddress(text)
