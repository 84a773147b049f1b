"""The options of ``[plugins.ipfs]``, one for each setting; ``learnae_ipfs.reading`` makes settings of what is in a context."""

from __future__ import annotations

from dataclasses import dataclass

from learnae.interfaces.provider import Option


@dataclass(frozen=True, slots=True)
class IpfsSettings:
    """What the operator chose, checked.

    Attributes:
        api: The RPC address of somebody else's daemon, a multiaddress: ``/ip4/127.0.0.1/tcp/5001``, ``/dns/HOST/tcp/443/https``,
            ``/unix/run/ipfs.sock``; ``None`` runs a private daemon.
        api_auth: How to authenticate there, as Kubo writes it: ``bearer:TOKEN`` or ``basic:USER:PASSWORD``; ``None`` not at all.
        program: The program ``ipfs`` by path or name.
        bootstrap: Multiaddresses with peer ids of friends' daemons.
        listen: The IP address on which the private daemon listens for others; ``0.0.0.0`` means all, IPv6 as well.
        port: Its port; 0 has a free one chosen once and kept.
        announce: Further multiaddresses under which others can reach it, such as that of a forwarded port.
        local_network: Whether to look for the session's peers in the local network (mDNS).
        public_network: Whether the private daemon may join the public IPFS network.
        memory_mib: The memory at which the private daemon begins to be thrifty, in MiB.
        storage_gb: The size, in GB, at which the private daemon begins to drop what nobody keeps.
        pubsub: Whether to use PubSub; the slower way works without it.
        slow_interval_s: Seconds between two rounds of the slower way.
    """

    api: str | None = None
    api_auth: str | None = None
    program: str = "ipfs"
    bootstrap: tuple[str, ...] = ()
    listen: str = "0.0.0.0"  # noqa: S104  # friends must reach it; what answers there is libp2p, authenticated
    port: int = 0
    announce: tuple[str, ...] = ()
    local_network: bool = True
    public_network: bool = False
    memory_mib: int = 256
    storage_gb: float = 10.0
    pubsub: bool = True
    slow_interval_s: float = 10.0


OPTIONS: tuple[Option, ...] = (
    Option(
        "api",
        None,
        "RPC address of a Kubo daemon that somebody else runs, such as /ip4/127.0.0.1/tcp/5001; else a private one is run.",
        "--ipfs-api",
    ),
    Option(
        "api_auth_file", None, "File with bearer:TOKEN or basic:USER:PASSWORD for that daemon.", "--ipfs-auth-file", path=True
    ),
    Option("program", "ipfs", "The program that runs a private daemon: Kubo, by name or path.", "--ipfs-program"),
    Option(
        "bootstrap",
        None,
        "Friends' addresses, as `learnae ipfs address` prints them there; several, or separated by commas.",
        "--bootstrap",
        several=True,
    ),
    Option("listen", "0.0.0.0", "The IP address on which the private daemon listens for others; 0.0.0.0 means all, IPv6 too."),  # noqa: S104
    Option("port", 0, "The private daemon's port for others; 0 chooses a free one once and keeps it.", "--swarm-port"),
    Option(
        "announce",
        None,
        "Further addresses under which others reach the private daemon, such as a forwarded port's; separated by commas.",
        several=True,
    ),
    Option("local_network", default=True, summary="Look for the session's peers in the local network."),
    Option("public_network", default=False, summary="Let the private daemon join the public IPFS network.", flag="--public-ipfs"),
    Option("memory_mib", 256, "The memory at which the private daemon begins to be thrifty, in MiB, 64 to 65536."),
    Option("storage_gb", 10.0, "The size at which the private daemon begins to drop what nobody keeps, in GB, 0.1 to 100000."),
    Option("pubsub", default=True, summary="Use PubSub; the slower way works without it."),
    Option("slow_interval_s", 10.0, "Seconds between two rounds of the slower way, 1 to 3600."),
)
