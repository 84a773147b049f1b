"""Who a private daemon talks with: those of its session and nobody else; on real Kubo."""

import asyncio
import http.client
import ipaddress
import json
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubo_rig import Daemons
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.remembered import remember
from private_daemons import KEY, Home, end_all

from learnae.errors import NotFoundError, UnavailableError


@pytest.fixture
def homes(any_kubo: Path, tmp_path: Path) -> Iterator[tuple[Home, Home]]:
    """Two peers' folders."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    yield Home(any_kubo, tmp_path / "a"), Home(any_kubo, tmp_path / "b")
    end_all(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        pytest.param(KEY, KEY, True, id="one key"),
        pytest.param(KEY, "6b" * 32, False, id="two keys"),
        pytest.param(KEY, None, False, id="a secret and none"),
        pytest.param(None, None, True, id="no secrets"),
    ],
)
def test_a_swarm_key_keeps_everybody_else_out(homes: tuple[Home, Home], first: str, second: str | None, meet: bool) -> None:
    a, b = homes
    a.key, b.key = first, second

    async def run() -> None:
        one, other = a.access(), b.access()
        try:
            here, there = await one.kubo(), await other.kubo()
            peer, address = (await here.identity()).peer, _tcp(await here.identity())
            if meet:
                await there.connect(address)
                assert peer in {neighbour.peer for neighbour in await there.neighbours()}
            else:
                with pytest.raises(NotFoundError):
                    await there.connect(address)
                assert await there.neighbours() == await here.neighbours() == ()
        finally:
            await one.aclose()
            await other.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("key", [KEY, None], ids=["secret", "no secret"])
def test_daemons_of_the_public_network_are_strangers(
    daemons: Daemons, any_kubo: Path, homes: tuple[Home, Home], key: str | None
) -> None:
    """One that is a neighbour would draw ours into the public network: its routing hands on whom it knows."""
    stranger, (home, _) = daemons.start(any_kubo), homes
    home.key = key

    async def meet(kubo: Kubo) -> None:
        with pytest.raises(NotFoundError):
            await kubo.connect(stranger.address)
        with pytest.raises(AssertionError, match="swarm/connect"):
            stranger.call("swarm/connect", _tcp(await kubo.identity()))
        assert await kubo.neighbours() == ()

    home.use(meet)


def _tcp(identity: object) -> str:
    addresses: tuple[str, ...] = getattr(identity, "addresses", ())
    return next(address for address in addresses if "/tcp/" in address)


def test_files_come_at_once_from_a_friend_that_was_met_while_starting(homes: tuple[Home, Home]) -> None:
    """Kubo forgets those whom it meets before its Bitswap listens; see ``learnae_ipfs.daemon.starting``."""
    a, b = homes

    async def run() -> None:
        one = a.access()
        here = await one.kubo()
        address = _tcp(await here.identity())
        for trial in range(5):
            data = secrets.token_bytes(1000)
            cid = await here.add(data, pin=True)
            other = b.access(bootstrap=(address,))
            there = await other.kubo()
            while not await there.neighbours():
                await asyncio.sleep(0.05)
            assert await there.cat(cid, max_bytes=1000, patience_s=20.0) == data, f"trial {trial}"
            back = await there.add(data[::-1], pin=True)
            assert await here.cat(back, max_bytes=1000, patience_s=20.0) == data[::-1], f"trial {trial}"
            await other.aclose()
        await one.aclose()

    asyncio.run(run())


def test_who_comes_back_finds_those_whom_it_met_before(homes: tuple[Home, Home]) -> None:
    a, b = homes

    async def run() -> None:
        one = a.access()
        here = await one.kubo()
        assert remember(b.folder / "addresses.json", [_tcp(await here.identity()), "/ip4/1.2.3.4/tcp/1/p2p/nobody", "junk"])
        other = b.access()
        there = await other.kubo()
        async with asyncio.timeout(30):
            while not await there.neighbours():
                await asyncio.sleep(0.05)
        await other.aclose()
        await one.aclose()

    asyncio.run(run())


async def _addresses(kubo: Kubo) -> tuple[str, ...]:
    return (await kubo.identity()).addresses


def test_a_chosen_port_stays_unless_somebody_takes_it(homes: tuple[Home, Home]) -> None:
    home, _ = homes
    home.use(_addresses)
    port = int((home.folder / "port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        assert f"/ip4/127.0.0.1/tcp/{port}/" not in home.use(_addresses)[0]
    other = int((home.folder / "port").read_text())
    assert other != port
    assert home.told == [
        f"port {port} of the private IPFS daemon is used by another program; from now on it is {other}: tell friends who connect "
        "by address, and your router"
    ]
    assert f"/ip4/127.0.0.1/tcp/{other}/" in home.use(_addresses)[0]


def test_the_operators_port_is_used_or_nothing(homes: tuple[Home, Home]) -> None:
    home, _ = homes
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UnavailableError, match=rf"port {port} is used by another program; .* --swarm-port"):
            home.use(_addresses, port=port)
    assert f"/ip4/127.0.0.1/tcp/{port}/" in home.use(_addresses, port=port)[0]
    with pytest.raises(UnavailableError, match=r"192\.0\.2\.1 is no IP address of this machine"):
        home.use(_addresses, listen="192.0.2.1")


def test_there_is_no_gateway_and_its_rpc_is_on_loopback(homes: tuple[Home, Home]) -> None:
    home, _ = homes

    async def look(kubo: Kubo) -> None:
        listening = {(each.laddr.ip, each.laddr.port) for each in home.process.net_connections("inet") if each.status == "LISTEN"}
        rpc = int((home.repo / "api").read_text().split("/")[4])
        assert listening == {("127.0.0.1", rpc), ("127.0.0.1", int((home.folder / "port").read_text()))}
        connection = http.client.HTTPConnection("127.0.0.1", rpc, timeout=30)
        connection.request("GET", f"/ipfs/{await kubo.add(b'secret')}")
        assert connection.getresponse().status == 404
        connection.close()

    home.use(look)


ALONE = """
import asyncio, json, subprocess, sys
from pathlib import Path
from learnae_ipfs.daemon.private import PrivateDaemon
from learnae_ipfs.settings import IpfsSettings

async def main():
    program, folder = sys.argv[1:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    access = PrivateDaemon(IpfsSettings(program=program, public_network=True), Path(folder), None, lambda _: None)
    kubo = await access.kubo()
    assert await kubo.cat(await kubo.add(b"x"), max_bytes=1) == b"x"
    await access.aclose()

asyncio.run(main())
"""


def _namespaces_or_skip() -> None:
    allowed = (
        shutil.which("ip") and not subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False).returncode
    )
    if not allowed:
        pytest.skip("this machine allows no network namespaces")


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_it_starts_when_the_public_network_is_asked_for(homes: tuple[Home, Home]) -> None:
    """Where there is no network at all: a test contacts nobody either."""
    _namespaces_or_skip()
    home, _ = homes
    command = ["unshare", "-rn", sys.executable, "-c", ALONE, str(home.program), str(home.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((home.repo / "config").read_text())["AutoConf"] == {"Enabled": True}
    assert not (home.repo / "swarm.key").exists()


IN_NAMESPACE = """
import asyncio, contextlib, json, socket, subprocess, sys
from pathlib import Path
from learnae.errors import UnavailableError
from learnae_ipfs.daemon.private import PrivateDaemon
from learnae_ipfs.settings import IpfsSettings

oldest, newest, folder, key, seconds = sys.argv[1:]
for command in (
    "link set lo up", "link add here type veth peer name there", "link set there up", "addr add 203.0.113.2/24 dev here",
    "link set here up", "route add default via 203.0.113.1",
    "neigh replace 203.0.113.1 lladdr 02:00:00:00:00:01 dev here",  # the router, which takes everything and says nothing
):
    subprocess.run(["ip", *command.split()], check=True)
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
packets.bind(("there", 0))
packets.setblocking(False)

async def main():
    seen = set()

    async def watch():
        while True:
            packet = await asyncio.get_running_loop().sock_recv(packets, 65536)
            start = (packet[0] & 15) * 4
            seen.add((".".join(map(str, packet[16:20])), packet[9], int.from_bytes(packet[start + 2 : start + 4], "big")))

    watching = asyncio.create_task(watch())
    for program in (oldest, newest):
        access = PrivateDaemon(IpfsSettings(program=program), Path(folder), key or None, lambda _: None)
        kubo = await access.kubo()
        cid = await kubo.add(b"x" * 1000, pin=True)
        with contextlib.suppress(UnavailableError):  # it has nobody to tell
            await kubo.provide(cid, patience_s=5.0)
        await kubo.find_providers("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", at_most=5, patience_s=2.0)
        await asyncio.sleep(float(seconds))
        await access.aclose()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    packets.close()
    print(json.dumps(sorted(seen)))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
@pytest.mark.parametrize("key", [KEY, ""])
def test_nothing_public_is_contacted(kubo_binary: Path, kubo_oldest_binary: Path, tmp_path: Path, key: str) -> None:
    """With a repository of the oldest that the newest takes over, so that migrations download nothing either."""
    _namespaces_or_skip()
    command = [sys.executable, "-c", IN_NAMESPACE, str(kubo_oldest_binary), str(kubo_binary), str(tmp_path), key, "3"]
    try:
        done = subprocess.run(["unshare", "-rn", *command], capture_output=True, text=True, timeout=120, check=False)
    finally:
        end_all(tmp_path)
    assert done.returncode == 0, done.stderr
    seen = [(ipaddress.ip_address(address), protocol, port) for address, protocol, port in json.loads(done.stdout)]
    assert any(port == 5353 for _, _, port in seen), "the local network was looked at, or the test sees nothing"
    for address, protocol, port in seen:
        local_network = address == ipaddress.ip_address("224.0.0.251") and port == 5353
        router = str(address) == "203.0.113.1" and port == 5351  # NAT-PMP
        any_router = str(address) == "239.255.255.250" and port == 1900  # UPnP
        joining = protocol == 2 and address.is_multicast
        assert local_network or router or any_router or joining, f"{address}, protocol {protocol}, port {port}"
