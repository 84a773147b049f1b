"""Ledgers that hang, fail and are too small; Ctrl-C at every stage. Real peers, over a ledger made to misbehave."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger
from learnae.codec.manifests import write_manifest
from learnae.config.settings import NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.rows import Raw
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.errors import ConfigError, DamagedError, ProviderError, StateError, TooLargeError, UnavailableError
from learnae.hookspecs import hookimpl
from learnae.interfaces.framework import ModelFramework, Trained
from learnae.interfaces.provider import Context, Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.plugins.facade import Plugins
from learnae.runtime import closing, pace
from learnae.runtime.peer import Outcome
from learnae.runtime.running import run_peer
from learnae.runtime.state import StateFolder
from learnae.testing.rows import toy_manifest
from learnae.values.ids import Locator
from learnae.values.journal import JournalLine, Notice


@dataclass
class Odd:
    """A plugin whose transport and storage misbehave as told; it notes what was closed."""

    max_message_bytes: int = 1_048_576
    max_file_bytes: int = 2**30
    on_publish: Callable[[], Any] = lambda: None
    failures: list[Exception] = field(default_factory=list)
    opening: Exception | None = None
    closing: Exception | None = None
    closed: list[str] = field(default_factory=list)

    @hookimpl
    def learnae_transports(self) -> list[Provider[Transport]]:
        return [Provider("odd", "A transport.", lambda _: OddTransport(self))]

    @hookimpl
    def learnae_storages(self) -> list[Provider[Storage]]:
        return [Provider("odd", "A storage.", self.open_storage)]

    def open_storage(self, _: Context) -> Storage:
        if self.opening is not None:
            raise self.opening
        return OddStorage(self)


class OddTransport:
    def __init__(self, plugin: Odd) -> None:
        self._plugin = plugin
        self.max_message_bytes = plugin.max_message_bytes

    async def publish(self, slot: str, message: bytes) -> None:
        del slot, message
        waiting = self._plugin.on_publish()
        if waiting is not None:
            await waiting

    async def receive(self) -> bytes:
        if self._plugin.failures:
            raise self._plugin.failures.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None:
        self._plugin.closed.append("transport")
        if self._plugin.closing is not None:
            raise self._plugin.closing


class OddStorage:
    scheme = "odd"

    def __init__(self, plugin: Odd) -> None:
        self._plugin = plugin
        self._ledger = MemoryLedger()
        self.max_file_bytes = plugin.max_file_bytes

    async def put(self, data: bytes) -> Locator:
        return Locator(self._ledger.store("me", data).replace("memory", "odd"))

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        raise UnavailableError(f"{locator}: {max_bytes}")

    async def release(self, locator: Locator) -> None:
        del locator

    async def aclose(self) -> None:
        self._plugin.closed.append("storage")


@dataclass
class Bench:
    folder: Path

    def settings(self, **peer: Any) -> PeerSettings:
        columns, table = synthetic_rows(80, 0)
        manifest = toy_manifest(features=27, hidden=(4,), slice_size=20, passes=1)
        manifest = msgspec.structs.replace(manifest, features=columns[1:])
        write_manifest(self.folder / "session.json", manifest)
        write_csv(self.folder / "rows.csv", columns, table)
        given = {"data": self.folder / "rows.csv", "until": "converged", **peer}
        return PeerSettings(
            peer=PeerSection(session=self.folder / "session.json", state=self.folder / "state", **given),
            training=TrainingSection(framework="numpy", epochs=1),
            network=NetworkSection(
                transport="odd", quiet_period_s=0.1, presence_interval_s=0.1, retry_s=0.05, fetch_timeout_s=0.05
            ),
        )

    def run(self, plugin: Odd, *others: object, listen: Callable[[JournalLine], None] = lambda _: None, **peer: Any) -> Outcome:
        plugins = Plugins.of(plugin, *(others or (numpy_framework,)))

        async def guarded() -> Outcome:
            async with asyncio.timeout(120):
                return await run_peer(self.settings(**peer), plugins, listeners=[listen])

        return asyncio.run(guarded())

    def notices(self) -> list[str]:
        lines = (self.folder / "state" / "events.jsonl").read_bytes().splitlines()
        facts = [msgspec.json.decode(line, type=JournalLine).fact for line in lines]
        return [fact.text for fact in facts if isinstance(fact, Notice)]

    def assert_is_free(self) -> None:
        StateFolder.open(self.folder / "state").close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_publication_that_hangs_delays_nothing_else(bench: Bench) -> None:
    plugin = Odd(on_publish=lambda: asyncio.Event().wait())
    assert bench.run(plugin).reason == "converged"
    assert "cannot announce now: no answer within 0.05 s" in bench.notices()


@pytest.mark.parametrize("error", [DamagedError("half"), TooLargeError("too much"), UnavailableError("gone")])
def test_no_failure_to_listen_ends_a_peer(bench: Bench, error: Exception) -> None:
    assert bench.run(Odd(failures=[error])).reason == "converged"
    assert f"cannot listen now: {error}" in bench.notices()


@pytest.mark.parametrize(
    ("plugin", "sentence"),
    [
        pytest.param(
            Odd(max_message_bytes=1000), r"limits.announcement_bytes = 16384: .*transport 'odd' takes, 1000", id="message"
        ),
        pytest.param(Odd(max_file_bytes=10_000), r"limits.board_bytes = .*storage 'odd' takes, 10000", id="board"),
    ],
)
def test_ledgers_that_are_too_small_are_refused_and_closed(bench: Bench, plugin: Odd, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        bench.run(plugin)
    assert sorted(plugin.closed) == ["storage", "transport"]
    bench.assert_is_free()


def test_what_was_opened_is_closed_where_something_else_cannot_be(bench: Bench) -> None:
    plugin = Odd(opening=ProviderError("no daemon"))
    with pytest.raises(ProviderError, match="no daemon"):
        bench.run(plugin)
    assert plugin.closed == ["transport"]
    plugin = Odd()
    with pytest.raises(ConfigError):
        bench.run(plugin, data=bench.folder / "missing.csv")
    assert sorted(plugin.closed) == ["storage", "transport"]


def test_one_that_cannot_be_closed_keeps_no_other_open(bench: Bench) -> None:
    plugin = Odd(closing=RuntimeError("a bug"))
    assert bench.run(plugin).reason == "converged"
    assert sorted(plugin.closed) == ["storage", "transport"]
    assert bench.notices()[-1] == "the transport odd could not be closed: RuntimeError: a bug"
    bench.assert_is_free()


def test_one_that_hangs_when_closed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "CLOSING_TIMEOUT_S", 0.01)
    said: list[Any] = []

    async def run() -> None:
        async def hang() -> None:
            await asyncio.Event().wait()

        await closing.close_provider("storage odd", hang, said.append)

    asyncio.run(run())
    assert said == [Notice("the storage odd did not close within 0.01 s")]


def test_ctrl_c_while_rows_are_read_ends_the_reading_and_frees_the_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object, **__: object) -> Iterator[Raw]:
        yield np.zeros((1, 28), dtype=np.float32)
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            yield np.zeros((1, 28), dtype=np.float32)

    monkeypatch.setattr("learnae.runtime.rows.read_raw", endless)
    plugin = Odd()
    with pytest.raises(KeyboardInterrupt):
        bench.run(plugin)
    assert sorted(plugin.closed) == ["storage", "transport"]
    bench.assert_is_free()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("learnae-desk") and _is_busy(thread)]


def _is_busy(thread: threading.Thread) -> bool:
    thread.join(60)
    return thread.is_alive()


@dataclass
class Slow:
    """The NumPy framework, whose first training step interrupts the program and then takes until it is let go."""

    let_go: threading.Event

    @hookimpl
    def learnae_frameworks(self) -> list[Provider[ModelFramework]]:
        (provider,) = numpy_framework.learnae_frameworks()
        return [replace(provider, open=lambda context: SlowFramework(provider.open(context), self.let_go))]


class SlowFramework:
    def __init__(self, framework: ModelFramework, let_go: threading.Event) -> None:
        self._framework = framework
        self._let_go = let_go
        self.initial_weights = framework.initial_weights
        self.evaluate = framework.evaluate
        self.predict = framework.predict

    def train(self, *arguments: Any, **options: Any) -> Trained:
        os.kill(os.getpid(), signal.SIGINT)
        assert self._let_go.wait(60)
        return self._framework.train(*arguments, **options)


def test_an_interrupted_peer_holds_its_state_until_the_step_under_way_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SILENT_S", 0.0)
    let_go, refused = threading.Event(), list[StateError]()

    def listen(line: JournalLine) -> None:
        if isinstance(line.fact, Notice) and line.fact.text.startswith("waiting for the training step"):
            with pytest.raises(StateError) as error:
                StateFolder.open(bench.folder / "state")
            refused.append(error.value)
            let_go.set()

    outcome = bench.run(Odd(), Slow(let_go), listen=listen, until="forever")
    assert (outcome.reason, outcome.cycle, len(refused)) == ("interrupted", 0, 1)
    bench.assert_is_free()


def test_a_second_interruption_leaves_the_step_behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SILENT_S", 0.0)
    let_go = threading.Event()

    def listen(line: JournalLine) -> None:
        if isinstance(line.fact, Notice) and line.fact.text.startswith("waiting for the training step"):
            os.kill(os.getpid(), signal.SIGINT)

    outcome = bench.run(Odd(), Slow(let_go), listen=listen, until="forever")
    assert outcome.reason == "interrupted"
    assert not let_go.is_set()
    bench.assert_is_free()
    let_go.set()
