"""The configuration that a private daemon gets: a pure function, applied before every start, whatever was there.

Whole sections are ours, so that neither a migration nor an editor leaves anything in them that contacts somebody; what makes the
repository readable (identity, how blocks are stored) and sections that nobody here knows stay as they are. ``docs/ipfs.md`` says
what each setting is for.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from learnae_ipfs.remembered import read_daemon_address
from learnae_ipfs.settings import IpfsSettings

Json = dict[str, Any]

WITH_AUTOCONF, WITH_PROVIDE = 17, 18
"""The versions of the repository since which the configuration knows ``AutoConf``, and ``Provide`` instead of ``Reprovider``."""

MAX_BOOTSTRAP = 64
PUBLIC_BOOTSTRAP = (
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
)
"""How Kubo before 0.37 finds the public network, if that is asked for; later ones know by themselves."""

_REPROVIDE = "1h"


@dataclass(frozen=True, slots=True)
class Wishes:
    """All that the configuration depends on.

    Attributes:
        settings: What the operator chose.
        keyed: Whether there is a swarm key.
        port: The port on which others reach it.
        token: The bearer token of its RPC interface.
        repository: The version of the repository that the program works with.
        quic: Whether QUIC is used beside TCP; there is none in networks with a key.
        remembered: Addresses with peer ids where the session's daemons were.
    """

    settings: IpfsSettings
    keyed: bool
    port: int
    token: str
    repository: int
    quic: bool = False
    remembered: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether it takes part in the public network: never with a swarm key, which keeps everybody else out."""
        return self.settings.public_network and not self.keyed


def wanted_configuration(wishes: Wishes, current: Mapping[str, Any]) -> Json:
    """Return the whole configuration.

    Args:
        wishes: What it depends on.
        current: The configuration that is there; it is not changed.
    """
    kept = {name: value for name, value in current.items() if name not in {"Provide", "Provider", "Reprovider"}}
    return kept | _sections(wishes) | {"Datastore": _as_mapping(current.get("Datastore")) | _storage(wishes.settings)}


def fingerprint(wishes: Wishes, network_key: str | None) -> str:
    """Return what changes when a daemon has to be started again to follow the wishes; where others were is no reason to.

    Args:
        wishes: What the configuration depends on.
        network_key: The swarm key's material.
    """
    lasting = dataclasses.replace(wishes, token="", remembered=())
    config = wanted_configuration(lasting, {}) | {"memory": wishes.settings.memory_mib, "key": network_key}
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _sections(wishes: Wishes) -> Json:
    settings, public = wishes.settings, wishes.public
    friends = bootstrap_addresses(wishes)
    auto = ["auto"] if wishes.repository >= WITH_AUTOCONF else list(PUBLIC_BOOTSTRAP)
    return {
        "Addresses": {
            "Swarm": list(_listening(wishes)),
            "Announce": [],
            "AppendAnnounce": list(settings.announce),
            "NoAnnounce": [],
            "API": "/ip4/127.0.0.1/tcp/0",
            "Gateway": [],
        },
        "API": {
            "HTTPHeaders": {},
            "Authorizations": {"learnae": {"AuthSecret": f"bearer:{wishes.token}", "AllowedPaths": ["/api/v0"]}},
        },
        "Bootstrap": [*friends, *(auto if public else ())],
        "Peering": {"Peers": _peering(friends)},
        "Discovery": {"MDNS": {"Enabled": settings.local_network}},
        "Routing": _routing(public=public),
        "Ipns": {
            "RepublishPeriod": "1h",
            "RecordLifetime": "48h",
            "ResolveCacheSize": 128,
            "MaxCacheTTL": "10s",
            "UsePubsub": False,
            "DelegatedPublishers": [],
        },
        "Pubsub": {"Router": "gossipsub", "DisableSigning": False, "Enabled": settings.pubsub},
        "Swarm": _swarm(wishes, friends),
        "Internal": _internal(public=public),
        "Gateway": {
            "HTTPHeaders": {},
            "RootRedirect": "",
            "NoFetch": True,
            "NoDNSLink": True,
            "DeserializedResponses": False,
            "PublicGateways": None,
            "ExposeRoutingAPI": False,
        },
        "AutoNAT": {},
        "AutoTLS": {"Enabled": False},
        "AutoConf": {"Enabled": public},
        "DNS": {"Resolvers": {}},
        "HTTPRetrieval": {"Enabled": False},
        "Version": {"SwarmCheckEnabled": False},
        "Migration": {"DownloadSources": [], "Keep": "discard"},
        "Plugins": {"Plugins": {"telemetry": {"Disabled": True}}},
        "Experimental": {
            "FilestoreEnabled": False,
            "UrlstoreEnabled": False,
            "Libp2pStreamMounting": False,
            "P2pHttpProxy": False,
        },
    } | _providing(wishes)


def _listening(wishes: Wishes) -> Iterator[str]:
    listen = ipaddress.ip_address(wishes.settings.listen)
    hosts = [f"ip{listen.version}/{listen}"]
    if listen.is_unspecified and listen.version == 4:
        hosts.append("ip6/::")
    for host in hosts:
        yield f"/{host}/tcp/{wishes.port}"
        if wishes.quic and not wishes.keyed:
            yield f"/{host}/udp/{wishes.port}/quic-v1"


def bootstrap_addresses(wishes: Wishes) -> list[str]:
    """Return where others are looked for: the operator's addresses, then what is remembered, without repetition."""
    known = dict.fromkeys((*wishes.settings.bootstrap, *wishes.remembered))
    return [address for address in known if read_daemon_address(address)][:MAX_BOOTSTRAP]


def _peering(friends: list[str]) -> list[Json]:
    """Return whom to stay connected with: their connections are kept, and made again when they are lost."""
    peers: dict[str, list[str]] = {}
    for text in friends:
        address = read_daemon_address(text)
        if address is not None and address.peer is not None and not address.is_relayed:
            peers.setdefault(address.peer, []).append(str(address.without_peer))
    return [{"ID": peer, "Addrs": addresses} for peer, addresses in peers.items()]


def _routing(*, public: bool) -> Json:
    if public:  # whether it can serve strangers, it finds out by itself; nobody is asked over HTTP
        return {"Type": "dht", "DelegatedRouters": []}
    # All serve: a few friends behind routers may never find out that they could, and the table of the few costs nothing.
    return {"Type": "dhtserver", "LoopbackAddressesOnLanDHT": True, "DelegatedRouters": []}


def _swarm(wishes: Wishes, friends: list[str]) -> Json:
    listen = ipaddress.ip_address(wishes.settings.listen)
    first = {
        address.peer: text for text in reversed(friends) if (address := read_daemon_address(text)) and not address.is_relayed
    }
    # In the public network relays are found; elsewhere friends are asked, at once instead of after minutes.
    relays = {} if wishes.public or not first else {"StaticRelays": sorted(first.values())}
    transports = {"TCP": True, "QUIC": wishes.quic and not wishes.keyed, "Relay": True}
    unused = {"Websocket": False, "WebTransport": False, "WebRTCDirect": False}
    return {
        "AddrFilters": None,
        "DisableBandwidthMetrics": False,
        "DisableNatPortMap": listen.is_loopback,
        "EnableHolePunching": True,
        "RelayClient": {"Enabled": True, **relays},
        "RelayService": {"Enabled": True},
        "Transports": {"Network": transports | unused, "Security": {}, "Multiplexers": {}},
        "ConnMgr": {"Type": "basic", "LowWater": 64, "HighWater": 128, "GracePeriod": "20s"},
        "ResourceMgr": {"Enabled": True, "MaxMemory": f"{wishes.settings.memory_mib}MiB"},
    }


def _internal(*, public: bool) -> Json:
    internal: Json = {"ShutdownTimeout": "30s", "NonPublicAddrPublishing": True}
    if not public:  # few enough to ask all of them, and providers at once
        internal["Bitswap"] = {"ProviderSearchDelay": "500ms", "BroadcastControl": {"Enable": False}}
    return internal


def _providing(wishes: Wishes) -> Json:
    if wishes.repository < WITH_PROVIDE:
        return {"Reprovider": {"Strategy": "pinned", "Interval": _REPROVIDE}}
    # One after the other, each hour: a sweep over the key space is for millions of keys, and stops while nobody is there.
    return {"Provide": {"Enabled": True, "Strategy": "pinned", "DHT": {"Interval": _REPROVIDE, "SweepEnabled": False}}}


def _storage(settings: IpfsSettings) -> Json:
    return {"StorageMax": f"{round(settings.storage_gb * 1000)}MB", "StorageGCWatermark": 90, "GCPeriod": "10m"}


def _as_mapping(value: object) -> Json:
    return dict(value) if isinstance(value, dict) else {}
