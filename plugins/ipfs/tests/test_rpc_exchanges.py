"""The wire format of each call, against exchanges recorded from real daemons: no daemon is needed."""

import asyncio
import base64
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from exchanges import cases
from exchanges.cases import BLOCK, CASES, FILE, OTHER_SEED, SEED, TEXT, TOPIC, WANTED, outcome
from exchanges.replaying import RECORDINGS, Replay, recording
from learnae_ipfs.kubo import Counters, Endpoint, Holder, Identity, Kubo, Neighbour, PubsubMessage, wire

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UnavailableError

Exchanges = Sequence[Mapping[str, Any]]
Expected = Callable[[Exchanges, Mapping[str, str]], Any]


def said(exchanges: Exchanges, number: int = -1) -> Any:
    """What the daemon answered, in JSON; of several lines the last."""
    return json.loads("".join(exchanges[number]["answer"]["chunks"]).splitlines()[-1])


def without_peer(addresses: Sequence[str]) -> tuple[str, ...]:
    return tuple(address.partition("/p2p/")[0] for address in addresses)


def paths(command: Mapping[str, Any], above: str = "") -> set[str]:
    found = set()
    for below in command["Subcommands"] or ():
        found |= {above + below["Name"]} | paths(below, f"{above}{below['Name']}/")
    return found


def messages(exchanges: Exchanges, known: Mapping[str, str]) -> list[PubsubMessage]:
    heard = [json.loads(line)["data"] for line in "".join(exchanges[0]["answer"]["chunks"]).splitlines()[:2]]
    found = [PubsubMessage(known["other"], base64.urlsafe_b64decode(data[1:] + "==")) for data in heard]
    assert {message.data for message in found} <= {TEXT, FILE}
    return found


EXPECTED: dict[str, object] = {
    "version": lambda exchanges, _: said(exchanges)["Version"],
    "identity": lambda exchanges, _: Identity(
        said(exchanges)["ID"], tuple(said(exchanges)["Addresses"]), said(exchanges)["AgentVersion"]
    ),
    "commands": lambda exchanges, _: frozenset(paths(said(exchanges))),
    "connect": None,
    "connect nowhere": NotFoundError,
    "neighbours": lambda _, known: (Neighbour(known["other"], *without_peer([known["address"]]), inbound=False),),
    "ping": True,
    "ping nobody": False,
    "add": wire.raw_cid(FILE),
    "add and pin": wire.raw_cid(TEXT),
    "add nothing": wire.raw_cid(b""),
    "cat": FILE,
    "cat a text": TEXT,
    "cat too much": TooLargeError,
    "cat nothing": b"",
    "cat a folder": DamagedError,
    "size": len(FILE),
    "size of nobody's": NotFoundError,
    "size of a folder": NotFoundError,
    "has block": True,
    "has block not": False,
    "put block": wire.raw_cid(BLOCK),
    "put block and pin": wire.raw_cid(BLOCK),
    "block": BLOCK,
    "block size": len(BLOCK),
    "drop pinned block": False,
    "drop block": True,
    "wanted by": frozenset({WANTED}),
    "pin": None,
    "pin nobody's": NotFoundError,
    "is pinned": True,
    "is pinned not": False,
    "unpin": None,
    "unpin again": None,
    "link": None,
    "link again": None,
    "link another": None,
    "mfs cid": wire.raw_cid(FILE),
    "mfs cid of nothing": None,
    "mfs list": ("one",),
    "mfs list of nothing": (),
    "mfs remove": None,
    "mfs remove again": None,
    "mfs list of an empty folder": (),
    "subscribe": messages,
    "topics": (TOPIC,),
    "publish": None,
    "provide": None,
    "provide what is not there": UnavailableError,
    "find providers": lambda _, known: (Holder(known["other"], without_peer([known["address"]])),),
    "find no providers": (),
    "keys": lambda exchanges, _: {key["Name"]: key["Id"] for key in said(exchanges)["Keys"]},
    "import key": wire.name_of_seed(SEED),
    "import key again": wire.name_of_seed(SEED),
    "import another key": wire.name_of_seed(OTHER_SEED),
    "name publish": None,
    "name resolve": wire.raw_cid(FILE),
    "name resolve nothing": NotFoundError,
    "remove key": None,
    "remove key again": None,
    "counters": lambda exchanges, _: Counters(
        said(exchanges)["TotalOut"], said(exchanges)["TotalIn"], said(exchanges, 0)["BlocksSent"], said(exchanges, 0)["DataSent"]
    ),
    "repository bytes": lambda exchanges, _: said(exchanges)["RepoSize"],
    "reachability": "unknown",
    "disconnect": None,
    "disconnect again": None,
    "collect garbage": lambda exchanges, _: "".join(exchanges[0]["answer"]["chunks"]).count("\n"),
    "shutdown": None,
}


def test_every_method_has_a_case_and_every_case_an_expectation() -> None:
    source = inspect.getsource(cases)
    methods = {name for name, _ in inspect.getmembers(Kubo, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in methods if f"kubo.{name}(" not in source} == {"aclose"}
    assert list(EXPECTED) == list(CASES)
    for name in RECORDINGS:
        assert list(recording(name)["cases"]) == list(CASES)


@pytest.mark.parametrize("version", RECORDINGS)
@pytest.mark.parametrize("name", CASES)
def test_a_call_sends_what_was_recorded_and_understands_the_answer(name: str, version: str) -> None:
    recorded = recording(version)
    exchanges, known = recorded["cases"][name], recorded["known"]
    expected = EXPECTED[name]
    wanted = expected(exchanges, known) if callable(expected) and not isinstance(expected, type) else expected

    async def call(address: str) -> Any:
        kubo = Kubo(Endpoint(address, "Bearer recorded"))
        try:
            return await outcome(CASES[name], kubo, known)
        finally:
            await kubo.aclose()

    with Replay(exchanges) as replay:
        found = asyncio.run(call(replay.address))
    assert replay.surprises == []
    assert replay.expected == []
    if isinstance(wanted, type):
        assert issubclass(found, wanted)
    else:
        assert found == wanted
