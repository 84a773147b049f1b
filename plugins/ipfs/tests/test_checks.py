"""What ``learnae check`` says of IPFS, on real daemons; nothing that it starts or makes stays."""

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from kubo_rig import Daemon, Daemons
from learnae_ipfs import learnae_storages, learnae_transports
from learnae_ipfs.addresses import read_multiaddress
from learnae_ipfs.commands.friends import _connected
from learnae_ipfs.daemon.private import open_access
from learnae_ipfs.daemon.repository import OPEN_KEY, swarm_key
from learnae_ipfs.reading import read_settings

from learnae.interfaces.provider import Context
from learnae.testing.rows import toy_manifest
from learnae.values.ids import PeerId, SessionId

(TRANSPORT,), (STORAGE,) = learnae_transports(), learnae_storages()
KEY = "5e" * 32
QUIET = {"listen": "127.0.0.1", "local_network": False}
"""Settings of a private daemon that nobody else notices."""


def context(state: Path, *, key: str | None = None, **options: Any) -> Context:
    filled = {option.name: option.default for option in TRANSPORT.options} | options
    return Context(
        manifest=toy_manifest(),
        session=SessionId("5" * 64),
        rendezvous="7" * 64,
        peer=PeerId("a1" * 32),
        owner="a1" * 32,
        state=state,
        options=filled,
        network_key=key,
    )


def found(state: Path, *, key: str | None = None, **options: Any) -> list[tuple[bool, str, str]]:
    assert TRANSPORT.check is not None
    findings = TRANSPORT.check(context(state, key=key, **options))
    return [(finding.ok, finding.text, finding.advice) for finding in findings]


def texts(findings: list[tuple[bool, str, str]]) -> str:
    return "\n".join(f"{'ok' if ok else 'NO'} {text} [{advice}]" for ok, text, advice in findings)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin's folder, which is not there; temporary files are where the test can see them."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return tmp_path / "state" / "plugin-ipfs"


def nothing_is_left(state: Path) -> bool:
    folder = state.parents[1] / "tmp"
    return not state.parent.exists() and not list(folder.iterdir())


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_transport_and_storage_have_one_check() -> None:
    assert (TRANSPORT.check, TRANSPORT.options) == (STORAGE.check, STORAGE.options), "or a daemon would be started twice"


def test_without_a_program_it_says_how_to_get_one(state: Path) -> None:
    findings = found(state, program=str(state / "ipfs"))
    assert [ok for ok, _, _ in findings] == [False, True], texts(findings)
    assert f"there is no program '{state}/ipfs'" in findings[0][1]
    assert "to get it, " in findings[0][2]
    assert nothing_is_left(state)


def test_options_that_cannot_be_used_are_found(state: Path) -> None:
    [(ok, text, advice)] = found(state, port=-1)
    assert not ok
    assert "plugins.ipfs.port" in text
    assert advice == "learnae run --help, under Plugins"


def test_a_private_daemon_is_started_and_ended(any_kubo: Path, state: Path) -> None:
    before = children()
    findings = found(state, key=KEY, program=str(any_kubo), **QUIET)
    assert all(ok for ok, _, _ in findings), texts(findings)
    for words in (
        f"{any_kubo} is Kubo 0.",
        "are free at",
        "there is no repository yet; one will be made",
        "a private daemon starts with these settings",
        "PubSub is switched on",
        "the daemon can be reached on this machine, and has no address for the internet",
    ):
        assert words in texts(findings), texts(findings)
    assert "CVE" not in texts(findings), "a private network keeps strangers out"
    assert nothing_is_left(state)
    assert children() == before


def test_an_old_daemon_that_strangers_can_talk_to_is_warned_of(kubo_oldest_binary: Path, state: Path) -> None:
    findings = found(state, program=str(kubo_oldest_binary), **QUIET)
    assert all(ok for ok, _, _ in findings), texts(findings)
    assert "warning: before Kubo 0.43, strangers on a PubSub topic can use up the daemon's memory (CVE-2026-46679)" in texts(
        findings
    )
    assert "CVE" not in texts(found(state, program=str(kubo_oldest_binary), pubsub=False, **QUIET))


def test_friends_answer_or_do_not(kubo_binary: Path, daemons: Daemons, state: Path) -> None:
    friend, gone = (daemons.start(swarm_key=swarm_key(OPEN_KEY)) for _ in range(2))
    gone.end()
    options = {"program": str(kubo_binary), **QUIET}
    findings = found(state, bootstrap=friend.address, **options)
    assert (True, f"a friend answers at {friend.address}", "") in findings
    findings = found(state, bootstrap=f"{friend.address},{gone.address}", **options)
    assert all(ok for ok, _, _ in findings), texts(findings)
    assert f"no friend answers at {gone.address} now, but another one does" in texts(findings)
    findings = found(state, bootstrap=gone.address, **options)
    [(text, advice)] = [(text, advice) for ok, text, advice in findings if not ok]
    assert text == f"no friend answers at {gone.address}: nothing listens there now"
    assert "learnae ipfs address" in advice


def test_an_address_that_is_dead_is_not_good_because_its_friend_is_met_another_way(daemons: Daemons, state: Path) -> None:
    friend, own = daemons.start(), daemons.start()
    own.call("swarm/connect", friend.address)
    dead = f"/ip4/127.0.0.1/tcp/{free_port()}/p2p/{friend.peer}"
    findings = found(state, api=own.api, bootstrap=f"{friend.address},{dead}")
    assert (True, f"a friend answers at {friend.address}", "") in findings
    by = friend.address.removesuffix(f"/p2p/{friend.peer}")
    assert (True, f"the friend {friend.peer} is connected, by {by}; {dead} itself was not tried", "") in findings


@pytest.mark.parametrize(
    ("given", "ways", "was_connected", "words"),
    [
        ("/ip4/192.0.2.1/tcp/4001", ["/ip4/192.0.2.1/tcp/4001"], True, "a friend answers at /ip4/192.0.2.1/tcp/4001/p2p/"),
        ("/dns4/a.example/tcp/4001", ["/ip4/192.0.2.1/tcp/4001"], False, "a friend answers at /dns4/a.example/tcp/4001/p2p/"),
        ("/dns4/a.example/tcp/4001", ["/ip4/192.0.2.1/tcp/4002"], False, "answers, but at /ip4/192.0.2.1/tcp/4002; /dns4/"),
        ("/ip4/192.0.2.1/tcp/4001", [], False, "a friend answers at"),
    ],
)
def test_by_which_address_a_friend_answers(given: str, ways: list[str], was_connected: bool, words: str) -> None:
    friend = read_multiaddress(f"{given}/p2p/12D3KooWMU7KduGGYACTJrfjsh8s7ZWV91VBja7yjcfWeKFhp8xL")
    assert words in _connected(friend, ways, was_connected=was_connected)


def test_who_lacks_the_sessions_key_is_no_friend(kubo_binary: Path, daemons: Daemons, state: Path) -> None:
    stranger = daemons.start()
    findings = found(state, key=KEY, program=str(kubo_binary), bootstrap=stranger.address, **QUIET)
    [(text, advice)] = [(text, advice) for ok, text, advice in findings if not ok]
    assert text == f"no friend answers at {stranger.address}: who answers there is not of this session, or has another secret"
    assert "session.json" in advice


def test_the_peers_own_daemon_is_looked_at_where_it_runs(kubo_binary: Path, state: Path) -> None:
    state.mkdir(parents=True)
    settings = read_settings({"program": str(kubo_binary), **QUIET})

    async def run() -> list[tuple[bool, str, str]]:
        access = open_access(settings, state, KEY, lambda _: None)
        try:
            before = await (await access.kubo()).identity()
            findings = await asyncio.to_thread(found, state, key=KEY, program=str(kubo_binary), **QUIET)
            assert await (await access.kubo()).identity() == before, "it was not disturbed"
        finally:
            await access.aclose()
        return findings

    findings = asyncio.run(run())
    assert all(ok for ok, _, _ in findings), texts(findings)
    assert "this peer's private daemon runs: Kubo 0.43" in texts(findings)
    assert "starts with these settings" not in texts(findings)
    assert "is of version 18" in texts(findings)


def test_the_trial_has_the_port_of_last_time(kubo_binary: Path, state: Path) -> None:
    options = {"program": str(kubo_binary), **QUIET}
    assert "let the router pass port PORT on" in texts(found(state, **options)), "there is none yet"
    state.mkdir(parents=True)
    port = free_port()
    (state / "port").write_text(f"{port}\n")
    assert f"let the router pass port {port} on" in texts(found(state, **options))
    assert [path.name for path in state.iterdir()] == ["port"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_repository_of_a_later_version_is_found(kubo_oldest_binary: Path, state: Path) -> None:
    (state / "repo").mkdir(parents=True)
    (state / "repo" / "version").write_text("18\n")
    findings = found(state, program=str(kubo_oldest_binary), **QUIET)
    [(text, advice)] = [(text, advice) for ok, text, advice in findings if not ok]
    assert "is of version 18, and Kubo 0.32" in text
    assert "install the newer Kubo again that made it" in advice
    assert [path.name for path in state.rglob("*")] == ["repo", "version"]


@pytest.mark.parametrize(
    ("free", "is_ok", "words"),
    [
        (10**12, True, "1000.0 GB are free"),
        (5 * 10**9, True, "less than the repository may grow to: --set plugins.ipfs.storage_gb=2.5"),
        (10**8, False, "100.0 MB are free"),
    ],
)
def test_little_space_is_found(free: int, is_ok: bool, words: str, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())
    _, (ok, text, advice) = found(state, program=str(state / "ipfs"))
    assert (ok, bool(advice)) == (is_ok, not is_ok)
    assert words in text


def authorized(daemon: Daemon, folder: Path, token: str | None = None) -> dict[str, Any]:
    file = folder / "auth"
    file.write_text(f"bearer:{token or daemon.token}")
    file.chmod(0o600)
    return {"api": daemon.api, "api_auth_file": str(file)}


def test_somebody_elses_daemon_is_looked_at(daemons: Daemons, any_kubo: Path, state: Path, tmp_path: Path) -> None:
    daemon = daemons.start(any_kubo, token="t0ken")
    findings = found(state, **authorized(daemon, tmp_path))
    assert all(ok for ok, _, _ in findings), texts(findings)
    assert f"the daemon at {daemon.api} answers: Kubo 0." in texts(findings)
    assert "PubSub is switched on" in texts(findings)
    assert nothing_is_left(state)
    findings = found(state, key=KEY, **authorized(daemon, tmp_path))
    assert "is no private daemon, so that strangers can connect to it" in texts(findings)


def test_a_wrong_token_is_found(daemons: Daemons, state: Path, tmp_path: Path) -> None:
    daemon = daemons.start(token="t0ken")
    findings = found(state, **authorized(daemon, tmp_path, "wr0ng"))
    assert [ok for ok, _, _ in findings] == [False], texts(findings)
    assert "--ipfs-auth-file" in texts(findings)
    assert "wr0ng" not in texts(findings)


def test_a_daemon_that_is_not_there_is_found(daemons: Daemons, state: Path) -> None:
    daemon = daemons.start()
    daemon.end()
    findings = found(state, api=daemon.api)
    assert [ok for ok, _, _ in findings] == [False], texts(findings)
    assert daemon.api.removeprefix("/ip4/").replace("/tcp/", ":") in texts(findings) or daemon.api in texts(findings)


def test_pubsub_that_is_switched_off_is_said(daemons: Daemons, state: Path) -> None:
    daemon = daemons.start(settings={"Pubsub.Enabled": False})
    findings = found(state, api=daemon.api)
    assert all(ok for ok, _, _ in findings), texts(findings)
    assert "messages take the slower way" in texts(findings)
    assert "Pubsub.Enabled true" in texts(findings)
