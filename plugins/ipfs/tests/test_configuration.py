"""The configuration of a private daemon, as a pure function; that real daemons take it, ``test_daemon`` shows."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learnae_ipfs.daemon.configuration import MAX_BOOTSTRAP, PUBLIC_BOOTSTRAP, Wishes, fingerprint, wanted_configuration
from learnae_ipfs.remembered import read_daemon_address
from learnae_ipfs.settings import IpfsSettings

PEERS = (
    "12D3KooWEK31neow9vBboHyp1mdjSRwcpjjX4cKNzdTfQKDAErPo",
    "12D3KooWAz5bP9xcdYNiiEZdJF8mntt3FLCCjwzJ6fTvrfK2zi3Q",
)
CHOSEN = frozenset(IpfsSettings.__dataclass_fields__) - {"port"}
ALL = "0.0.0.0"  # noqa: S104  # nothing listens here
FRIEND, FRIENDS_NAME = f"/ip4/203.0.113.7/tcp/4001/p2p/{PEERS[0]}", f"/dns4/friend.example/tcp/4001/p2p/{PEERS[0]}"
RELAYED = f"/ip4/203.0.113.7/tcp/4001/p2p/{PEERS[0]}/p2p-circuit/p2p/{PEERS[1]}"
MADE = {
    "Identity": {"PeerID": PEERS[1], "PrivKey": "secret"},
    "Datastore": {"StorageMax": "1TB", "Spec": {"type": "mount"}, "Future": 1},
    "Import": {"CidVersion": 1},
    "Reprovider": {"Strategy": "all"},
    "Provider": {"Strategy": ""},
    "Future": {"auto": "auto"},
}


def _wishes(**changes: Any) -> Wishes:
    settings = IpfsSettings(**{name: changes.pop(name) for name in list(changes) if name in CHOSEN})
    return replace(Wishes(settings, keyed=True, port=4001, token="t" * 64, repository=18, quic=True), **changes)


def _all_texts(value: object) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_all_texts(each) for each in value.values()), value)
    if isinstance(value, list):
        return set().union(*map(_all_texts, value))
    return {value} if isinstance(value, str) else set()


def test_what_makes_the_repository_readable_stays_and_nothing_is_changed_in_place() -> None:
    current = copy.deepcopy(MADE)
    config = wanted_configuration(_wishes(), current)
    assert current == MADE
    assert config["Identity"] == MADE["Identity"]
    assert config["Import"] == MADE["Import"]
    assert config["Future"] == MADE["Future"]
    assert config["Datastore"] == {
        "StorageMax": "10000MB",
        "StorageGCWatermark": 90,
        "GCPeriod": "10m",
        "Spec": {"type": "mount"},
        "Future": 1,
    }


@pytest.mark.parametrize("repository", [16, 17, 18, 19])
@pytest.mark.parametrize("keyed", [True, False])
def test_applying_it_again_changes_nothing(repository: int, keyed: bool) -> None:
    wishes = _wishes(repository=repository, keyed=keyed, bootstrap=(FRIEND,))
    once = wanted_configuration(wishes, MADE)
    assert wanted_configuration(wishes, once) == once
    assert json.loads(json.dumps(once)) == once


def test_keys_of_other_versions_go() -> None:
    new = wanted_configuration(_wishes(), MADE)
    assert new["Provide"]["Strategy"] == "pinned"
    assert not {"Provider", "Reprovider"} & set(new)
    old = wanted_configuration(_wishes(repository=16), new)
    assert old["Reprovider"]["Strategy"] == "pinned"
    assert not {"Provider", "Provide"} & set(old)


@pytest.mark.parametrize("repository", [16, 18])
@pytest.mark.parametrize("keyed", [True, False])
def test_nothing_public_is_in_it_unless_asked(repository: int, keyed: bool) -> None:
    config = wanted_configuration(_wishes(repository=repository, keyed=keyed), {})
    assert config["Bootstrap"] == []
    assert config["Peering"] == {"Peers": []}
    assert "auto" not in _all_texts(config)
    assert not any("bootstrap.libp2p.io" in text or "://" in text for text in _all_texts(config))
    for section in ("AutoConf", "AutoTLS", "HTTPRetrieval"):
        assert config[section] == {"Enabled": False}
    assert config["Routing"]["DelegatedRouters"] == config["Ipns"]["DelegatedPublishers"] == []
    assert config["Version"] == {"SwarmCheckEnabled": False}
    assert config["Plugins"]["Plugins"]["telemetry"]["Disabled"]


def test_the_public_network_is_joined_only_without_a_key() -> None:
    joined = wanted_configuration(_wishes(keyed=False, public_network=True, bootstrap=(FRIEND,)), {})
    assert joined["Bootstrap"] == [FRIEND, "auto"]
    assert joined["AutoConf"] == {"Enabled": True}
    assert joined["Routing"] == {"Type": "dht", "DelegatedRouters": []}
    assert joined["AutoTLS"] == joined["HTTPRetrieval"] == {"Enabled": False}
    older = wanted_configuration(_wishes(keyed=False, public_network=True, repository=16), {})
    assert older["Bootstrap"] == list(PUBLIC_BOOTSTRAP)
    assert all(map(read_daemon_address, PUBLIC_BOOTSTRAP))
    keyed = wanted_configuration(_wishes(public_network=True), {})
    assert keyed == wanted_configuration(_wishes(), {})


def test_rpc_asks_for_the_token_and_is_on_loopback() -> None:
    config = wanted_configuration(_wishes(), {})
    assert config["Addresses"]["API"] == "/ip4/127.0.0.1/tcp/0"
    assert config["Addresses"]["Gateway"] == []
    (authorization,) = config["API"]["Authorizations"].values()
    assert authorization == {"AuthSecret": "bearer:" + "t" * 64, "AllowedPaths": ["/api/v0"]}
    assert config["Gateway"]["NoFetch"]


@pytest.mark.parametrize(
    ("listen", "keyed", "quic", "expected"),
    [
        pytest.param(ALL, True, True, ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"], id="keyed"),
        pytest.param(
            ALL,
            False,
            True,
            ["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip6/::/tcp/4001", "/ip6/::/udp/4001/quic-v1"],
            id="open",
        ),
        pytest.param(ALL, False, False, ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"], id="open, older"),
        pytest.param("192.168.1.7", True, True, ["/ip4/192.168.1.7/tcp/4001"], id="one address"),
        pytest.param("::", True, True, ["/ip6/::/tcp/4001"], id="IPv6 alone"),
    ],
)
def test_it_listens_where_the_operator_said(listen: str, keyed: bool, quic: bool, expected: list[str]) -> None:
    config = wanted_configuration(_wishes(listen=listen, keyed=keyed, quic=quic), {})
    assert config["Addresses"]["Swarm"] == expected
    network = config["Swarm"]["Transports"]["Network"]
    assert network["QUIC"] is (quic and not keyed)
    assert not any(network[name] for name in ("Websocket", "WebTransport", "WebRTCDirect"))


def test_friends_are_bootstrap_peers_relays_and_kept_connected() -> None:
    wishes = _wishes(bootstrap=(FRIEND,), remembered=(FRIENDS_NAME, RELAYED, FRIEND, "junk", "/ip4/1.2.3.4/tcp/5"))
    config = wanted_configuration(wishes, {})
    assert config["Bootstrap"] == [FRIEND, FRIENDS_NAME, RELAYED]
    assert config["Peering"]["Peers"] == [
        {"ID": PEERS[0], "Addrs": [FRIEND.partition("/p2p/")[0], FRIENDS_NAME.partition("/p2p/")[0]]}
    ]
    assert config["Swarm"]["RelayClient"] == {"Enabled": True, "StaticRelays": [FRIEND]}
    assert wanted_configuration(_wishes(), {})["Swarm"]["RelayClient"] == {"Enabled": True}
    assert config["Swarm"]["RelayService"] == {"Enabled": True}
    many = tuple(f"/ip4/203.0.113.7/tcp/{port}/p2p/{PEERS[0]}" for port in range(1, 200))
    assert wanted_configuration(_wishes(remembered=many), {})["Bootstrap"] == list(many[:MAX_BOOTSTRAP])


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"token": "u" * 64}, False, id="token"),
        pytest.param({"remembered": (FRIENDS_NAME,)}, False, id="remembered"),
        pytest.param({"slow_interval_s": 3.0}, False, id="what is not the daemon's"),
        pytest.param({"bootstrap": (FRIEND,)}, True, id="bootstrap"),
        pytest.param({"port": 4002}, True, id="port"),
        pytest.param({"keyed": False}, True, id="key"),
        pytest.param({"memory_mib": 512}, True, id="memory"),
        pytest.param({"storage_gb": 1.5}, True, id="storage"),
        pytest.param({"pubsub": False}, True, id="pubsub"),
        pytest.param({"announce": ("/dns4/me.example/tcp/4001",)}, True, id="announce"),
        pytest.param({"repository": 19, "quic": False}, False, id="version"),
    ],
)
def test_what_needs_a_new_start(changes: dict[str, Any], differs: bool) -> None:
    assert (fingerprint(_wishes(**changes), None) != fingerprint(_wishes(), None)) is differs


def test_another_key_needs_a_new_start_and_is_not_told() -> None:
    prints = {fingerprint(_wishes(), key) for key in (None, "a" * 64, "b" * 64)}
    assert len(prints) == 3
    assert "a" * 64 not in prints


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["Identity", "Datastore", "Swarm", "Addresses", "Odd", "Provide"]), _JSON))
def test_whatever_was_there_our_sections_are_ours(current: dict[str, Any]) -> None:
    config, clean = wanted_configuration(_wishes(), current), wanted_configuration(_wishes(), {})
    assert {name: value for name, value in config.items() if name in clean and name != "Datastore"} == {
        name: value for name, value in clean.items() if name != "Datastore"
    }
    assert clean["Datastore"].items() <= config["Datastore"].items()
