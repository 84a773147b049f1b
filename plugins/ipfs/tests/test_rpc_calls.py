"""What single calls make of answers that real daemons give seldom, and of arguments that nobody should give."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from learnae_ipfs.kubo import Counters, Endpoint, Kubo, wire
from learnae_ipfs.kubo.rpc import Rpc
from learnae_ipfs.kubo.stop import Stop
from scripted_daemon import ScriptedDaemon, Visit

from learnae.errors import UnavailableError, UsageError

CID, OTHER = wire.raw_cid(b"one"), wire.raw_cid(b"other")
PEER = "12D3KooWQKPpsroq4k4Ss9aF12ugkpgmJvBBLuKGeMhW5qUwxUyb"

Call = Callable[[Kubo], Any]
Answer = dict[str, Any] | str | int
"""JSON; or why not; or an HTTP status."""


def ask(call: Call, **answers: Answer) -> tuple[Any, list[str]]:
    """Make a call of a daemon that answers so to each path (with ``_`` for ``/``); return what came, and what was asked."""

    def script(visit: Visit) -> None:
        said = answers.get(path(visit.request.first).replace("/", "_"), 404)
        if isinstance(said, int):
            visit.answer(b"404 page not found", status=f"{said} No")
        elif isinstance(said, str):
            visit.answer(json.dumps({"Message": said, "Code": 0}).encode(), status="500 No")
        else:
            visit.answer(json.dumps(said).encode())

    async def run(address: str) -> Any:
        kubo = Kubo(Endpoint(address), timeout_s=5.0)
        try:
            return await call(kubo)
        except (UnavailableError, UsageError) as exc:
            return exc
        finally:
            await kubo.aclose()

    with ScriptedDaemon(script) as daemon:
        found = asyncio.run(run(daemon.address))
    return found, [path(request.first) for request in daemon.requests]


def path(line: str) -> str:
    return line.split("?", maxsplit=1)[0].removeprefix("POST /api/v0/")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"reachability": "Public", "reachable": ["/ip4/1.2.3.4/tcp/4001"]}, "public"),
        ({"reachability": "Private"}, "private"),
        ({"reachability": "Unknown"}, "unknown"),
        ({"reachability": "Somehow"}, "unknown"),
        ({"Name": "/ip4/127.0.0.1"}, "unknown"),
        ("AutoNAT is switched off", "unknown"),
        (404, "unknown"),
    ],
)
def test_reachability(said: Answer, found: str) -> None:
    assert ask(lambda kubo: kubo.reachability(), swarm_addrs_autonat=said)[0] == found


def test_counters_without_bandwidth_are_those_of_blocks() -> None:
    bitswap = {"BlocksSent": 3, "DataSent": 700, "DataReceived": 50}
    said = ask(lambda kubo: kubo.counters(), bitswap_stat=bitswap, stats_bw="bandwidth reporter disabled in config")
    assert said[0] == Counters(700, 50, 3, 700)


MISTAKES: dict[str, Call] = {
    "a version 0 id": lambda kubo: kubo.cat("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", max_bytes=5),
    "a path for an id": lambda kubo: kubo.pin(f"/ipfs/{CID}"),
    "no id": lambda kubo: kubo.has_block(""),
    "link nonsense": lambda kubo: kubo.mfs_link("x", "/a"),
    "link to a relative path": lambda kubo: kubo.mfs_link(CID, "a"),
    "list upwards": lambda kubo: kubo.mfs_list("/a/../b"),
    "publish nonsense": lambda kubo: kubo.name_publish("self", "x", lifetime_s=5),
    "resolve a domain": lambda kubo: kubo.name_resolve("example.org"),
    "resolve a path": lambda kubo: kubo.name_resolve(f"/ipns/{PEER}"),
    "ping nobody": lambda kubo: kubo.ping("nobody"),
    "disconnect an address": lambda kubo: kubo.disconnect("/ip4/1.2.3.4"),
    "connect to nothing": lambda kubo: kubo.connect(),
    "connect to nobody": lambda kubo: kubo.connect("/ip4/1.2.3.4/tcp/1"),
    "connect to a peer without address": lambda kubo: kubo.connect(f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}", PEER),
    "a message that is too large": lambda kubo: kubo.publish("a", bytes(1_000_001)),
    "a block that is too large": lambda kubo: kubo.put_block(bytes(2**20 + 1)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_nobody_should_ask_is_asked_of_nobody(name: str) -> None:
    found, asked = ask(MISTAKES[name])
    assert isinstance(found, UsageError)
    assert asked == []


def test_no_providers_are_looked_for_where_none_are_wanted() -> None:
    assert ask(lambda kubo: kubo.find_providers(CID, at_most=0)) == ((), [])


TROUBLED: dict[str, Call] = {
    "routing/findprovs": lambda kubo: kubo.find_providers(CID, at_most=1),
    "files/ls": lambda kubo: kubo.mfs_list("/a"),
    "block/stat": lambda kubo: kubo.has_block(CID),
    "files/cp": lambda kubo: kubo.mfs_link(CID, "/a"),
    "files/rm": lambda kubo: kubo.mfs_remove("/a"),
    "pin/rm": lambda kubo: kubo.unpin(CID),
    "pin/ls": lambda kubo: kubo.is_pinned(CID),
    "key/rm": lambda kubo: kubo.remove_key("a"),
    "swarm/disconnect": lambda kubo: kubo.disconnect(PEER),
    "files/stat": lambda kubo: kubo.mfs_cid("/a"),
    "name/resolve": lambda kubo: kubo.name_resolve(PEER),
    "routing/provide": lambda kubo: kubo.provide(CID),
}


@pytest.mark.parametrize("asked", TROUBLED)
def test_a_daemon_in_trouble_is_no_answer(asked: str) -> None:
    found, paths = ask(TROUBLED[asked], **{asked.replace("/", "_"): "datastore closed: no space left on device"})
    assert isinstance(found, UnavailableError)
    assert "the disk is full: free some space" in str(found)
    assert paths == [asked]


def test_a_call_that_is_not_there_says_nothing_about_others() -> None:
    assert isinstance(ask(lambda kubo: kubo.ping(PEER))[0], UnavailableError)
    assert isinstance(ask(lambda kubo: kubo.connect(f"/ip4/1.2.3.4/tcp/1/p2p/{PEER}"))[0], UnavailableError)


def test_a_reference_that_somebody_else_keeps_changing() -> None:
    found, asked = ask(
        lambda kubo: kubo.mfs_link(CID, "/a"),
        files_cp="cp: cannot put node in path /a: directory already has entry by that name",
        files_stat={"Hash": OTHER, "Size": 5, "Type": "file"},
        files_rm={},
    )
    assert isinstance(found, UnavailableError)
    assert asked == ["files/cp", "files/stat", "files/rm"] * 2


def test_a_key_that_somebody_else_keeps_changing() -> None:
    found, asked = ask(
        lambda kubo: kubo.import_key("a", b"1" * 32),
        key_list={"Keys": [{"Name": "a", "Id": wire.name_of_seed(b"2" * 32)}]},
        key_rm={"Keys": []},
        key_import="key with name 'a' already exists",
    )
    assert isinstance(found, UnavailableError)
    assert asked == ["key/list", "key/rm", "key/import"] * 2
    assert "changes as well" in str(found)


def test_a_key_that_cannot_be_imported() -> None:
    found, asked = ask(lambda kubo: kubo.import_key("a", b"1" * 32), key_list={"Keys": None}, key_import="no keystore")
    assert isinstance(found, UnavailableError)
    assert asked == ["key/list", "key/import"]


def test_what_found_providers_before_the_time_was_over_is_returned() -> None:
    def script(visit: Visit) -> None:
        if "version" in visit.request.first:
            visit.answer(b'{"Version":"0.43.0"}')
            return
        visit.head("Transfer-Encoding: chunked")
        for line in (
            {"Type": 6, "Responses": None},
            {
                "Type": 4,
                "Responses": [
                    {"ID": "nonsense", "Addrs": []},
                    {"ID": PEER, "Addrs": ["/ip4/1.2.3.4/tcp/1", "\x1b[2J", "x" * 5000]},
                ],
            },
            {"Type": 4, "Responses": [{"ID": PEER, "Addrs": None}]},
        ):
            text = json.dumps(line).encode() + b"\n"
            visit.send(b"%x\r\n%b\r\n" % (len(text), text))
        visit.hang()

    async def run(address: str) -> Any:
        kubo = Kubo(Endpoint(address), timeout_s=5.0)
        try:
            return await kubo.find_providers(CID, at_most=5, patience_s=0.1)
        finally:
            await kubo.aclose()

    with ScriptedDaemon(script) as daemon, pytest.MonkeyPatch.context() as patch:
        patch.setattr("learnae_ipfs.kubo.rpc.MARGIN_S", 0.1)
        (holder,) = asyncio.run(run(daemon.address))
    assert (holder.peer, holder.addresses) == (PEER, ())


def test_a_request_that_was_ended_before_it_began_is_not_made() -> None:
    with ScriptedDaemon(lambda visit: visit.answer(b"{}")) as daemon:
        rpc, stop = Rpc(Endpoint(daemon.address), timeout_s=5.0), Stop()
        stop.ask()
        with pytest.raises(UnavailableError, match="cancelled"):
            rpc.ask("version", stop=stop)
        rpc.close()
        rpc.close()
        with pytest.raises(UnavailableError, match="closed"):
            rpc.ask("version", stop=Stop())
    assert daemon.requests == []


def test_lines_count_keeps_within_bounds() -> None:
    def script(visit: Visit) -> None:
        visit.chunks([b"a\nb", b"b\n", b"c" * 20 + b"\nd\n", b"e" * 9, b"e" * 9 + b"\n", b"f"])

    with ScriptedDaemon(script) as daemon:
        rpc = Rpc(Endpoint(daemon.address), timeout_s=5.0)
        with rpc.ask("x", stop=Stop()) as answer:
            assert list(answer.lines(10)) == [b"a", b"bb", b"d", b"f"]
        with rpc.ask("x", stop=Stop()) as answer, pytest.raises(UnavailableError, match="more than it can be"):
            list(answer.lines(10, 30))
        rpc.close()
