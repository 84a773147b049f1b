"""What the plugin registers, how it is opened, and what ``learnae check`` hears of it."""

import asyncio
import contextlib
import fcntl
import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import learnae_iota
import pluggy
import psutil
import pytest
import typer
from learnae_iota import learnae_storages, learnae_transports
from learnae_iota.access import Access, open_access
from learnae_iota.bundles.bundles import Posting
from learnae_iota.bundles.work import weight_of
from learnae_iota.clock import milliseconds
from learnae_iota.commands.checks import look_at_tangle
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Nodes
from learnae_iota.serving.embedded import EmbeddedNode, running_node
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.settings import TangleSettings, read_settings
from learnae_iota.speaking import Speaker
from learnae_iota.tangle.tangle import Tangle
from learnae_iota.transport.transport import IotaTransport
from ledger_rig import RENDEZVOUS, development_tangle
from serving_rig import until
from tangle_rig import MemoryNode

from learnae import hookspecs
from learnae.errors import ConfigError, ProviderError, UnavailableError
from learnae.interfaces.provider import Context, Provider
from learnae.testing.rows import toy_manifest
from learnae.values.ids import PeerId, SessionId

(TRANSPORT,), (STORAGE,) = learnae_transports(), learnae_storages()
NOWHERE = "http://127.0.0.1:9"


def context(provider: Provider[Any], hidden: int = 8, **options: Any) -> Context:
    filled = {option.name: option.default for option in provider.options} | options
    manifest = toy_manifest(hidden=(hidden,))
    return Context(manifest, SessionId("5" * 64), RENDEZVOUS, PeerId("a1" * 32), "a1" * 32, Path("unused"), filled)


@pytest.fixture
def settings() -> Iterator[TangleSettings]:
    with development_tangle(2) as told:
        yield told


def test_the_plugin_is_found_through_its_entry_point() -> None:
    manager = pluggy.PluginManager("learnae")
    manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints("learnae", name="iota")
    assert manager.is_registered(learnae_iota)
    manager.check_pending()
    for hook in (manager.hook.learnae_transports, manager.hook.learnae_storages, manager.hook.learnae_sensor_sources):
        assert [provider.name for providers in hook() for provider in providers] == ["iota"]


def test_registering_imports_nothing_heavy() -> None:
    code = "import sys, learnae_iota; learnae_iota.learnae_sensor_sources(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"numpy", "asyncio", "uvicorn", "learnae_iota.transport.transport", "learnae_iota.tangle.tangle"} & set(loaded)


class _NoPeer:
    """What this plugin's commands are given, and do not use."""

    def for_peer(self, provider: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        raise AssertionError(provider)


def test_the_commands_are_added() -> None:
    app = typer.Typer()
    learnae_iota.learnae_commands(app, commands=_NoPeer())
    assert {group.name for group in app.registered_groups} == {"tangle", "sensor"}


def test_one_voice_speaks_for_a_peer(tmp_path: Path) -> None:
    first, second, elsewhere = Speaker(tmp_path), Speaker(tmp_path), Speaker(tmp_path / "nowhere")
    assert [first.speaks(), second.speaks(), first.speaks(), elsewhere.speaks()] == [True, False, True, True]
    first.close()
    assert second.speaks()
    second.close()


def test_everything_that_the_package_names_is_there() -> None:
    assert all(hasattr(learnae_iota, name) for name in learnae_iota.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Chanel'"):
        _ = learnae_iota.Chanel  # type: ignore[attr-defined]


def test_a_transport_and_a_storage_are_opened(settings: TangleSettings) -> None:
    async def run() -> None:
        transport = TRANSPORT.open(context(TRANSPORT, nodes=f"{NOWHERE}, {settings.nodes[0]}", weight=2))
        storage = STORAGE.open(context(STORAGE, nodes=settings.nodes[0], weight=2))
        await transport.publish("0" * 64, b"hello")
        assert await storage.get(await storage.put(b"file"), max_bytes=4) == b"file"
        await transport.aclose()
        await storage.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"nodes": ""}, "1 to 32 URLs"),
        ({"nodes": 5}, "1 to 32 URLs"),
        ({"nodes": "ftp://127.0.0.1"}, "ftp"),
        ({"weight": 0}, "1 to 20 is accepted"),
        ({"weight": True}, "1 to 20 is accepted"),
        ({"client": "mam.js"}, "plain or pyota"),
        ({"work_on_nodes": "yes"}, "true or false"),
        ({"timeout_s": float("nan")}, "seconds from 0.1"),
        ({"poll_interval_s": 0.0}, "seconds from 0.01"),
        ({"folder": " "}, "path of a folder"),
        ({"folder": "~no-such-user-here/tangle"}, "write the path in full"),
    ],
    ids=str,
)
def test_options_that_cannot_be_used_are_named(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        TRANSPORT.open(context(TRANSPORT, **options))
    if "poll_interval_s" not in options:
        assert TRANSPORT.check is not None
        findings = TRANSPORT.check(context(TRANSPORT, **options))
        assert not findings[0].ok
        assert findings[0].advice


def test_several_nodes_are_named_with_commas() -> None:
    told = read_settings(context(TRANSPORT, nodes=" http://a:1,http://b:2 , http://a:1\n", client="pyota", work_on_nodes=True))
    assert told.nodes == ("http://a:1", "http://b:2")
    assert (told.client, told.work_on_nodes) == ("pyota", True)


def test_a_large_model_belongs_elsewhere() -> None:
    with pytest.raises(ConfigError, match=r"a model of this session has 600004 bytes.*choose another --storage"):
        STORAGE.open(context(STORAGE, hidden=25_000, nodes=NOWHERE))
    with pytest.raises(ConfigError, match="max_model_bytes"):
        STORAGE.open(context(STORAGE, nodes=NOWHERE, max_model_bytes=-1))
    asyncio.run(STORAGE.open(context(STORAGE, hidden=25_000, nodes=NOWHERE, max_model_bytes=600_004)).aclose())


def kill_node(folder: Path) -> None:
    """Kill the node of a folder as ``kill -9`` does."""
    found = running_node(folder)
    assert found
    port = int(found.url.rpartition(":")[2])
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(line.laddr and line.laddr.port == port for line in process.net_connections("tcp") if line.status == "LISTEN"):
                process.kill()
                process.wait(30)


async def is_unavailable(call: Coroutine[Any, Any, None]) -> bool:
    try:
        await call
    except UnavailableError:
        return True
    return False


def test_without_a_node_a_development_node_is_used_and_found_again(tmp_path: Path) -> None:
    told: list[str] = []

    async def run() -> None:
        settings = TangleSettings(weight=1, folder=tmp_path / "node")
        alice = IotaTransport(open_access(settings, tell=told.append), RENDEZVOUS, poll_interval_s=0.02)
        bob = IotaTransport(open_access(settings), RENDEZVOUS, poll_interval_s=0.02)
        assert not (tmp_path / "node").exists(), "opening does nothing"
        await alice.publish("0" * 64, b"hello")
        async with asyncio.timeout(60):
            assert await bob.receive() == b"hello"
            kill_node(tmp_path / "node")
            while await is_unavailable(alice.publish("1" * 64, b"hello again")):
                pass
            message = b""
            while message != b"hello again":
                with contextlib.suppress(UnavailableError):
                    message = await bob.receive()
        other = open_access(TangleSettings(weight=2, folder=tmp_path / "node"))
        with pytest.raises(ConfigError, match="weight magnitude of 1, not 2"):
            await other.now_ms()
        for transport in (alice, bob):
            await transport.aclose()
        await other.aclose()

    asyncio.run(run())
    assert len(told) == 1
    assert "development node of this machine" in told[0]
    assert "--iota-node" in told[0]
    until(lambda: running_node(tmp_path / "node") is None)


def test_what_is_closed_is_unavailable() -> None:
    async def run() -> None:
        tangle = open_access(TangleSettings(nodes=(NOWHERE,)))
        await tangle.aclose()
        await tangle.aclose()
        with pytest.raises(UnavailableError, match="was closed"):
            await tangle.now_ms()

    asyncio.run(run())


def test_a_development_node_that_cannot_come_back_is_unavailable(tmp_path: Path) -> None:
    """The operator's business is what fails at the first start only."""
    folder = tmp_path / "node"
    access = Access(TangleSettings(weight=1, folder=folder))
    access.now_ms()
    kill_node(folder)
    ledger = folder / "ledger.sqlite"
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()
    ledger.write_bytes(b"no ledger at all" * 1000)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="cannot start"):
            access.is_confirmed(["A" * 81])
    ledger.unlink()
    until(lambda: _works(access))
    access.close()
    fresh = Access(TangleSettings(weight=1, folder=tmp_path / "other"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ledger.sqlite").write_bytes(b"no ledger at all" * 1000)
    with pytest.raises(ProviderError, match="cannot start"):
        fresh.now_ms()
    fresh.close()


def _works(access: Access) -> bool:
    try:
        access.is_confirmed(["A" * 81])
    except UnavailableError:
        return False
    return True


def test_closing_does_not_wait_for_a_node_that_starts(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    access = Access(TangleSettings(weight=1, folder=folder))
    failed: list[Exception] = []

    def use() -> None:
        try:
            access.now_ms()
        except UnavailableError as exc:
            failed.append(exc)

    with (folder / "starting").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else starts one, and does not come to an end
        thread = threading.Thread(target=use)
        thread.start()
        until((folder / "users").exists)
        access.close()
        thread.join()
    assert [str(each) for each in failed] == ["the development node was given up before it had started"]


def test_the_check_of_nodes_that_answer(settings: TangleSettings) -> None:
    findings = look_at_tangle(settings)
    assert all(finding.ok for finding in findings)
    assert "answers" in findings[0].text
    dead = look_at_tangle(TangleSettings(nodes=(NOWHERE, *settings.nodes), weight=2))
    assert [finding.ok for finding in dead] == [False, True, True]
    none = look_at_tangle(TangleSettings(nodes=(NOWHERE,)))
    assert [finding.ok for finding in none] == [False, False]
    assert "learnae tangle serve" in none[-1].advice


class Tipping(MemoryNode):
    """A node that returns other tips each time, of which one has a weight of 4 and the others more."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self._tips = itertools.cycle(f"{'ABCDEFGH'[number]:A<79}{'A9' if number else 'B9'}" for number in range(kinds))

    def ask(self, command: str, arguments: Any, *, stop: Any = None, timeout_s: float | None = None) -> Any:
        if command == "getTransactionsToApprove":
            self.tips = (next(self._tips), next(self._tips))
        return super().ask(command, arguments, stop=stop)


@pytest.mark.parametrize(
    ("weight", "kinds", "ok", "text"),
    [
        (5, 8, True, "less would do"),
        (3, 8, False, "none of 8 transactions has less than 4"),
        (3, 4, True, "nothing"),
        (4, 8, True, "nothing"),
    ],
)
def test_the_check_of_the_weight(weight: int, kinds: int, ok: bool, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes do not say what they demand; what is on the ledger tells."""
    assert (weight_of("A" * 79 + "B9"), weight_of("A" * 79 + "A9")) == (4, 5)
    monkeypatch.setattr("learnae_iota.commands.checks.open_client", lambda *_, **__: Tipping(kinds))
    finding = look_at_tangle(TangleSettings(nodes=(NOWHERE,), weight=weight))[-1]
    assert finding.ok is ok, finding
    assert text in finding.text


@pytest.mark.parametrize(("old_s", "ok"), [(30, True), (3_600, False)])
def test_the_check_of_a_coordinator(old_s: int, ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ended, or was killed: its nodes answer as if nothing were amiss."""
    node = MemoryNode(time_ms=milliseconds())
    sent = Tangle(Nodes([Node(node)]), weight=1).send([Posting("A" * 81, "MILESTONE")])

    def ask(command: str, arguments: Any, **_: Any) -> Any:
        said = MemoryNode.ask(node, command, arguments)
        if command == "getNodeInfo":
            said |= {"appName": "HORNET", "latestMilestone": sent.tail, "time": milliseconds() + 1000 * old_s}
        return said

    monkeypatch.setattr(node, "ask", ask)
    monkeypatch.setattr("learnae_iota.commands.checks.open_client", lambda *_, **__: node)
    told = [finding.text for finding in look_at_tangle(TangleSettings(nodes=(NOWHERE,))) if "minutes old" in finding.text]
    assert told == ([] if ok else ["the last milestone of the node in memory is 60 minutes old: nothing is confirmed"])


def test_the_check_of_the_development_node(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    (none,) = look_at_tangle(TangleSettings(folder=folder))
    assert none.ok
    assert "will be started" in none.text
    assert not folder.exists()
    with EmbeddedNode(folder, NodeSettings(weight=1)) as node:
        url = node.url()
        (runs,) = look_at_tangle(TangleSettings(folder=folder, weight=1, client="pyota"))[1:]
        assert runs.ok
        assert url in runs.text
        (other,) = look_at_tangle(TangleSettings(folder=folder))
        assert not other.ok
        assert "plugins.iota.weight=1" in other.advice
    until(lambda: running_node(folder) is None)
