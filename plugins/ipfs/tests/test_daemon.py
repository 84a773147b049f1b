"""A private daemon starts, is shared, found again, replaced, and ended, on real Kubo of both ends of what is supported."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from kubo_rig import until
from learnae_ipfs.daemon.foreign import ForeignDaemon
from learnae_ipfs.daemon.private import LOG_S, MAX_BACKOFF_S, SOON_S, open_access
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.settings import IpfsSettings
from private_daemons import KEY, Home, end_all, processes_of

from learnae.errors import ConfigError, ProviderError, UnavailableError

IDLE = """
import asyncio, sys
from pathlib import Path
from learnae_ipfs.daemon.private import PrivateDaemon
from learnae_ipfs.settings import IpfsSettings

async def main():
    program, folder, key = sys.argv[1:]
    settings = IpfsSettings(program=program, listen="127.0.0.1", local_network=False)
    access = PrivateDaemon(settings, Path(folder), key, lambda _: None)
    kubo = await access.kubo()
    print((await kubo.identity()).peer, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await access.aclose()

asyncio.run(main())
"""


@pytest.fixture
def home(any_kubo: Path, tmp_path: Path) -> Iterator[Home]:
    yield Home(any_kubo, tmp_path)
    end_all(tmp_path)


@pytest.fixture
def newest(kubo_binary: Path, tmp_path: Path) -> Iterator[Home]:
    yield Home(kubo_binary, tmp_path)
    end_all(tmp_path)


@pytest.fixture
def user(home: Home) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Start another process that uses the daemon until it is sent a line; say when it does."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-W", "error", "-c", IDLE, str(home.program), str(home.folder), home.key or ""]
        started.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


async def _silence(kubo: Kubo) -> None:
    """Wait until a daemon that was stopped is silent: not all of its threads stop at once."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(1.0):
                await kubo.version()


async def _peer(kubo: Kubo) -> str:
    return (await kubo.identity()).peer


def test_it_starts_answers_and_ends_with_the_last_who_uses_it(home: Home) -> None:
    async def run() -> None:
        one, other = home.access(), home.access()
        first, second = await asyncio.gather(one.kubo(), other.kubo())
        assert await first.version() == await second.version() == home.record.version
        assert await _peer(first) == await _peer(second)
        assert len(processes_of(home.folder)) == 1
        assert await one.kubo() is first
        await one.aclose()
        await one.aclose()
        assert await second.version()
        with pytest.raises(UnavailableError, match="not used any more"):
            await one.kubo()
        await other.aclose()

    asyncio.run(run())
    assert not home.runs()
    assert processes_of(home.folder) == []
    assert home.told == []


def test_opening_and_closing_touches_nothing(home: Home) -> None:
    asyncio.run(home.access().aclose())
    assert list(home.folder.iterdir()) == []


def test_it_keeps_its_identity_its_port_and_what_it_holds(home: Home) -> None:
    async def hold(kubo: Kubo) -> tuple[str, tuple[str, ...], str]:
        identity = await kubo.identity()
        return identity.peer, identity.addresses, await kubo.add(b"held", pin=True)

    async def look(kubo: Kubo) -> tuple[str, tuple[str, ...], bytes]:
        identity = await kubo.identity()
        return identity.peer, identity.addresses, await kubo.cat(cid, max_bytes=10)

    peer, addresses, cid = home.use(hold)
    assert home.use(look) == (peer, addresses, b"held")


def test_who_stops_waiting_for_a_start_leaves_no_half_of_it(home: Home) -> None:
    async def run() -> None:
        access = home.access()
        waiting = asyncio.create_task(access.kubo())
        while not home.repo.exists():
            await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await _peer(await access.kubo())
        await access.aclose()

    asyncio.run(run())
    assert processes_of(home.folder) == []


@pytest.mark.parametrize("pauses", [0, 1, 5, 20, 60, 150])
def test_closing_while_it_starts_ends_it(newest: Home, pauses: int) -> None:
    async def run() -> None:
        access = newest.access()
        waiting = asyncio.create_task(access.kubo())
        for _ in range(pauses):
            await asyncio.sleep(0.002)
        async with asyncio.timeout(4):
            await access.aclose()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, Kubo | UnavailableError)

    asyncio.run(run())
    until(lambda: processes_of(newest.folder) == [], "end of what was started")


def test_closing_while_another_uses_it_lets_it_live(newest: Home) -> None:
    async def run() -> None:
        other = newest.access()
        peer, pid = await _peer(await other.kubo()), newest.record.pid
        for pauses in range(0, 120, 10):
            access = newest.access()
            waiting = asyncio.create_task(access.kubo())
            for _ in range(pauses):
                await asyncio.sleep(0.002)
            await access.aclose()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            assert isinstance(outcome, Kubo | UnavailableError)
        assert newest.record.pid == pid
        assert await _peer(await other.kubo()) == peer
        await other.aclose()

    asyncio.run(run())
    assert processes_of(newest.folder) == []


def test_many_processes_at_once_start_one_daemon(home: Home, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    users = [user() for _ in range(3)]
    peers = {process.stdout.readline() for process in users if process.stdout}
    assert len(peers) == 1
    assert len(processes_of(home.folder)) == 1
    for number, process in enumerate(users):
        assert home.runs(), f"it ended before {number} users had"
        process.communicate("\n", timeout=30)
        assert process.returncode == 0
    assert not home.runs()


def test_it_survives_a_crash_of_its_peer_and_is_adopted(home: Home, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    process = user()
    assert process.stdout is not None
    peer, pid = process.stdout.readline().strip(), home.record.pid
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does to all of a terminal: the peer dies of it in its own way
    process.kill()
    process.wait()
    assert home.runs()
    assert home.use(_peer) == peer
    assert home.record.pid == pid
    assert not home.runs()


def test_it_is_found_again_though_nothing_is_known_of_it(home: Home, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    process = user()
    assert process.stdout is not None
    peer, pid = process.stdout.readline().strip(), home.record.pid
    process.kill()
    process.wait()
    (home.folder / "daemon.json").unlink()
    assert home.use(_peer) == peer
    assert home.record.pid != pid  # nobody knows with which settings it ran
    assert processes_of(home.folder) == []


def test_a_daemon_that_was_killed_is_started_again_and_said_so(home: Home) -> None:
    async def run() -> None:
        access, other = home.access(), home.access()
        peer = await _peer(await access.kubo())
        await other.kubo()
        pid = home.record.pid
        for back_off_s in (1.0, 2.0, 4.0):
            home.process.kill()
            until(lambda: not home.runs(), "end of the daemon")
            await access.failed()
            with pytest.raises(UnavailableError, match=rf"ended by itself after 0 s; it is tried again in {back_off_s:.0f} s"):
                await access.kubo()
            home.clock.now += back_off_s
            assert await _peer(await access.kubo()) == peer
            assert home.told.pop() == (
                f"the private IPFS daemon (process {pid}) had ended by itself and was started again; its log is "
                f"{home.folder / 'daemon.log'}"
            )
            pid = home.record.pid
        home.clock.now += SOON_S
        home.process.kill()
        until(lambda: not home.runs(), "end of the daemon")
        await access.failed()
        assert await _peer(await access.kubo()) == peer  # it lived long enough to be started again at once
        home.told.clear()
        await other.failed()
        assert await _peer(await other.kubo()) == peer
        assert home.told == []  # whoever did not start it has nothing to say
        await access.aclose()
        assert home.runs()
        await other.aclose()

    asyncio.run(run())
    assert processes_of(home.folder) == []


def test_the_token_of_a_killed_daemon_is_told_to_nobody_and_not_used_again(newest: Home) -> None:
    async def run() -> None:
        access = newest.access()
        await access.kubo()
        token, port = (newest.folder / "token").read_text(), int((newest.repo / "api").read_text().rpartition("/")[2])
        newest.process.kill()
        until(lambda: not newest.runs(), "end of the daemon")
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
            stranger.setblocking(False)
            with pytest.raises(UnavailableError, match="ended by itself"):
                await access.kubo()
            newest.clock.now += 1.0
            assert await _peer(await access.kubo())
            with pytest.raises(BlockingIOError):
                stranger.accept()
        assert (newest.folder / "token").read_text() != token
        assert _status(newest, token) == 403
        await access.aclose()

    asyncio.run(run())


def test_its_log_stays_small_while_it_runs(newest: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        access = newest.access()
        await access.kubo()
        await access.kubo()
        monkeypatch.setattr("learnae_ipfs.daemon.log.MAX_LOG_BYTES", 100)
        log = newest.folder / "daemon.log"
        said = log.read_bytes()
        await access.kubo()
        assert log.read_bytes() == said
        newest.clock.now += LOG_S
        await access.kubo()
        assert log.read_bytes() == b""
        assert log.with_name("daemon.log.1").read_bytes() == said[-100:]
        await access.aclose()

    asyncio.run(run())
    assert not (newest.folder / "daemon.log").read_bytes().startswith(b"\0"), "the daemon goes on where the log ends"


def test_a_program_that_hangs_does_not_delay_the_end(tmp_path: Path) -> None:
    program = tmp_path / "ipfs"
    program.write_text('#!/bin/sh\necho $$ > "$(dirname "$0")/pid"\nsleep 600\n')
    program.chmod(0o755)

    async def run() -> None:
        access = Home(program, tmp_path).access()
        waiting = asyncio.create_task(access.kubo())
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
        async with asyncio.timeout(4):
            await access.aclose()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, UnavailableError)

    asyncio.run(run())
    until(lambda: not psutil.pid_exists(int((tmp_path / "pid").read_text())), "end of the program")


def test_what_failed_for_another_reason_harms_nothing(newest: Home) -> None:
    async def run() -> None:
        access = newest.access()
        kubo, pid = await access.kubo(), newest.record.pid
        await access.failed()
        assert await access.kubo() is kubo
        assert newest.record.pid == pid
        await access.aclose()

    asyncio.run(run())


def test_one_that_hangs_is_ended_by_force(newest: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnae_ipfs.daemon.private.ALIVE_S", 0.2)
    monkeypatch.setattr("learnae_ipfs.daemon.starting.ANSWER_S", 2.0)
    monkeypatch.setattr("learnae_ipfs.daemon.starting.TERMINATE_S", 0.2)

    async def run() -> None:
        access = newest.access()
        kubo, hung = await access.kubo(), newest.record.pid
        newest.process.suspend()
        await _silence(kubo)
        await access.failed()
        for _ in range(2):
            with pytest.raises(UnavailableError, match="does not answer now; its log is"):
                await access.kubo()
        newest.clock.now += 61.0
        assert await _peer(await access.kubo())
        assert newest.record.pid != hung
        assert not psutil.pid_exists(hung)
        await access.aclose()

    asyncio.run(run())


def test_what_a_killed_daemon_left_behind_is_no_obstacle(home: Home) -> None:
    peer = home.use(_peer)
    (home.repo / "api").write_text("/ip4/127.0.0.1/tcp/1")
    (home.repo / "repo.lock").touch()
    (home.folder / "repo.new").mkdir()
    assert home.use(_peer) == peer


def test_a_path_may_be_long_and_hold_spaces(home: Home) -> None:
    home.folder = home.folder / "a peer's state, with ünusual letters; and $HOME" / ("long" * 40) / "plugin-ipfs"
    home.folder.mkdir(parents=True)
    peer = home.use(_peer)
    assert home.use(_peer) == peer


def test_a_relative_path_means_this_folder(newest: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(newest.folder)
    newest.folder = Path("plugin-ipfs")
    newest.folder.mkdir()
    assert newest.use(_peer)
    assert (newest.folder / "repo" / "config").exists()


def test_new_settings_take_effect_unless_another_uses_it(newest: Home) -> None:
    async def run() -> None:
        first = newest.access()
        await first.kubo()
        pid = newest.record.pid
        other = newest.access(storage_gb=1.0)
        await other.kubo()
        assert newest.record.pid == pid
        assert len(newest.told) == 1
        assert "runs with other settings" in newest.told[0]
        await first.aclose()
        await other.aclose()

    asyncio.run(run())
    asyncio.run(_leave_running(newest))
    pid = newest.record.pid
    newest.use(_peer)
    assert newest.record.pid == pid
    asyncio.run(_leave_running(newest))
    pid, before = newest.record.pid, newest.use(_peer)
    asyncio.run(_leave_running(newest))
    assert newest.use(_peer, storage_gb=1.0) == before
    assert newest.record.pid != pid
    assert json.loads((newest.repo / "config").read_text())["Datastore"]["StorageMax"] == "1000MB"


async def _leave_running(home: Home) -> None:
    """Start the daemon and crash."""
    access = home.access()
    await (await access.kubo()).aclose()
    access._lease.close()


def test_settings_are_applied_again_whatever_was_done_to_them(home: Home) -> None:
    peer = home.use(_peer)
    file = home.repo / "config"
    wanted, config = json.loads(file.read_text()), json.loads(file.read_text())
    config["Bootstrap"] = ["auto"]
    config["Addresses"]["Gateway"] = "/ip4/127.0.0.1/tcp/8080"
    config["Addresses"]["API"] = "/ip4/0.0.0.0/tcp/5001"
    config["API"] = {}
    config["AutoConf"] = {}
    config["Provider"], config["Reprovider"] = {"Strategy": "all"}, {"Interval": "1h"}
    config["Routing"] = {"Type": "auto", "DelegatedRouters": ["auto"]}
    config["DNS"] = {"Resolvers": {".": "auto"}}
    file.write_text(json.dumps(config))
    assert home.use(_peer) == peer
    written = json.loads(file.read_text())
    token = written["API"]["Authorizations"]["learnae"].pop("AuthSecret")
    assert token == f"bearer:{(home.folder / 'token').read_text()}"
    assert wanted["API"]["Authorizations"]["learnae"].pop("AuthSecret") != token, "each start has another"
    assert written == wanted


def test_nobody_else_on_this_machine_can_use_it(home: Home) -> None:
    async def ask(_: Kubo) -> None:
        token = (home.folder / "token").read_text()
        assert len(token) == 64
        assert _status(home, None) == _status(home, "wrong") == _status(home, token.upper()) == 403
        assert _status(home, token) == 200
        seen = " ".join([*home.process.cmdline(), *home.process.environ().values()])
        assert token not in seen
        assert (home.key or "") not in seen

    home.use(ask)
    for file in home.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    for name in ("config", "swarm.key", "datastore_spec"):
        assert stat.S_IMODE((home.repo / name).stat().st_mode) == 0o600, name


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_cannot_read_what_is_secret(newest: Home) -> None:
    newest.use(_peer)
    for folder in (newest.folder, *newest.folder.parents):
        if folder.stat().st_uid == os.geteuid() and folder != folder.parent and not stat.S_IMODE(folder.stat().st_mode) & 0o001:
            folder.chmod(0o711)  # the folders above are the tests'; what counts is how the plugin made its own
    for secret in ("token", "repo/config", "repo/swarm.key", "daemon.log"):
        reading = subprocess.run(
            ["cat", str(newest.folder / secret)], user=65_534, group=65_534, extra_groups=[], capture_output=True, check=False
        )
        assert reading.returncode != 0, secret
        assert b"denied" in reading.stderr


def _status(home: Home, token: str | None) -> int:
    _, _, host, _, port = (home.repo / "api").read_text().strip().split("/")
    assert host == "127.0.0.1"
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.request("POST", "/api/v0/id", headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_failing_start_says_why_and_is_not_repeated_at_once(tmp_path: Path, kubo_binary: Path) -> None:
    program = tmp_path / "ipfs"
    program.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            if [ "$1" = daemon ]; then echo "Error: something odd" >&2; exit 1; fi
            exec '{kubo_binary}' "$@"
        """)
    )
    program.chmod(0o755)
    home = Home(program, tmp_path)

    async def run() -> None:
        access = home.access()
        waits = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MAX_BACKOFF_S, MAX_BACKOFF_S]
        for wait_s in waits:
            with pytest.raises(UnavailableError, match=r"did not start.*something odd.*its log is .*daemon\.log"):
                await access.kubo()
            begun = (home.folder / "daemon.log").read_text().count("something odd")
            with pytest.raises(UnavailableError, match=rf"something odd.* it is tried again in {wait_s:.0f} s"):
                await access.kubo()
            home.clock.now += wait_s
            assert (home.folder / "daemon.log").read_text().count("something odd") == begun
        await access.aclose()

    asyncio.run(run())


def test_access_is_opened_as_the_settings_say(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"there is no program 'no-ipfs'.* to get it"):
        open_access(IpfsSettings(program="no-ipfs"), tmp_path)
    assert isinstance(open_access(IpfsSettings(program="no-ipfs", api="/ip4/127.0.0.1/tcp/5001"), tmp_path), ForeignDaemon)
    with pytest.raises(ConfigError, match=r"bootstrap: '/ip4/1\.2\.3\.4/tcp/1/p2p/12D3KooW1"):
        open_access(IpfsSettings(program=sys.executable, bootstrap=("/ip4/1.2.3.4/tcp/1/p2p/12D3KooW" + "1" * 44,)), tmp_path)
    assert open_access(IpfsSettings(program=sys.executable), tmp_path, KEY).is_own


def test_a_program_that_went_away_is_no_reason_to_end_what_runs(home: Home) -> None:
    asyncio.run(_leave_running(home))
    pid = home.record.pid

    async def run() -> None:
        access = home.access(program=str(home.folder / "gone"))
        assert await _peer(await access.kubo())
        assert home.record.pid == pid
        await access.aclose()
        again = home.access(program=str(home.folder / "gone"))
        with pytest.raises(ProviderError, match="to get it"):
            await again.kubo()
        await again.aclose()

    asyncio.run(run())
