"""Ledgers that can tell are asked for resilience and traffic, now and then; whatever they answer, the session goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from learnae.builtins import numpy_framework
from learnae.builtins.memory import MemoryLedger, MemoryStorage, MemoryTransport
from learnae.codec.manifests import write_manifest
from learnae.config.settings import NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.errors import UnavailableError
from learnae.hookspecs import hookimpl
from learnae.interfaces.abilities import Traffic
from learnae.interfaces.provider import Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.performing.ledgers import Ledgers
from learnae.plugins.facade import Plugins
from learnae.runtime import measuring as module
from learnae.runtime.measuring import MOST_HOLDERS, Measuring
from learnae.runtime.running import run_peer
from learnae.testing.rows import toy_manifest
from learnae.values.announcements import ModelOffer, ModelRecord
from learnae.values.ids import Digest, Locator
from learnae.values.journal import AnyFact, HoldersCounted, JournalLine, ModelPublished, Notice, PeerStopped, TrafficMeasured
from learnae.values.scores import Score

FIRST, SECOND, THIRD = (
    ModelOffer(ModelRecord(Digest(digit * 64), Score(0.5, 0.7, 10), 1), (Locator(f"memory:{digit * 64}"),)) for digit in "123"
)


async def hang() -> Any:
    await asyncio.Event().wait()


@dataclass
class Answers:
    """What a ledger says when it is asked for the n-th time; the last answer, from then on. It notes what it was asked."""

    given: list[Any]
    asked: list[object] = field(default_factory=list)

    async def next(self, question: object) -> Any:
        answer = self.given[min(len(self.asked), len(self.given) - 1)]
        self.asked.append(question)
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer


class TellingTransport(MemoryTransport):
    """Counts what it carries, as it was told to."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(MemoryLedger(), "me")
        self._answers = answers

    async def traffic(self) -> Traffic:
        return await self._answers.next("traffic")


class TellingStorage(MemoryStorage):
    """Counts holders, and perhaps what it carries, as it was told to."""

    def __init__(self, answers: Answers, scheme: str = "memory") -> None:
        super().__init__(MemoryLedger(), "me")
        self._answers = answers
        self.scheme = scheme

    async def count_holders(self, locator: Locator, *, at_most: int) -> int:
        assert at_most == MOST_HOLDERS
        return await self._answers.next(locator)


class CarryingStorage(TellingStorage, TellingTransport):
    """All in one object: a storage, a transport, and both abilities."""

    def __init__(self, counts: Answers, traffic: Answers) -> None:
        TellingStorage.__init__(self, counts)
        self._traffic = traffic

    async def traffic(self) -> Traffic:
        return await self._traffic.next("traffic")


@dataclass
class Bench:
    """A measuring whose time passes when the test says so."""

    transport: Any = field(default_factory=lambda: MemoryTransport(MemoryLedger(), "me"))
    storages: tuple[Any, ...] = field(default_factory=lambda: (MemoryStorage(MemoryLedger(), "me"),))
    names: tuple[str, str] = ("postal", "attic")
    interval_s: float = 30.0
    timeout_s: float = 60.0
    model: ModelOffer | None = FIRST
    facts: list[AnyFact] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._slept = asyncio.Semaphore(0)
        self._sleeps = asyncio.Semaphore(0)
        ledgers = Ledgers(
            transport=self.transport, storages=self.storages, transport_name=self.names[0], storage_name=self.names[1]
        )
        self.measuring = Measuring(
            ledgers,
            lambda: self.model,
            interval_s=self.interval_s,
            timeout_s=self.timeout_s,
            note=self.facts.append,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._sleeps.release()
        await self._slept.acquire()

    def during(self, watch: Callable[[], Awaitable[None]], story: Callable[[], Awaitable[None]]) -> list[AnyFact]:
        """Let one watch run while the story is told; return what went to the journal."""

        async def run() -> None:
            async with asyncio.timeout(60):
                watching = asyncio.ensure_future(watch())
                await self._sleeps.acquire()
                await story()
                watching.cancel()
                await asyncio.wait([watching])

        asyncio.run(run())
        return self.facts

    async def step(self, times: int = 1) -> None:
        """Let the watch sleep out and do what it does, until it sleeps again."""
        for _ in range(times):
            self._slept.release()
            await self._sleeps.acquire()


def measured(ledger: str, sent: int) -> TrafficMeasured:
    return TrafficMeasured(ledger, sent, 2 * sent, 3, 4)


def traffic(sent: int) -> Traffic:
    return Traffic(sent, 2 * sent, 3, 4)


def counted(model: ModelOffer, holders: int) -> HoldersCounted:
    return HoldersCounted("model", model.record.digest, holders)


def test_traffic_is_measured_once_each_interval() -> None:
    bench = Bench(transport=TellingTransport(Answers([traffic(10), traffic(20)])))
    facts = bench.during(bench.measuring.watch_traffic, lambda: bench.step(2))
    assert facts == [measured("postal", 10), measured("postal", 20)]
    assert bench.sleeps == [30.0] * 3


def test_one_that_is_transport_and_storage_is_asked_once() -> None:
    answers = Answers([traffic(10)])
    both = CarryingStorage(Answers([1]), answers)
    bench = Bench(transport=both, storages=(both,))
    assert bench.during(bench.measuring.watch_traffic, bench.step) == [measured("postal", 10)]
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    ("names", "ledgers"),
    [pytest.param(("swarm", "swarm"), ["swarm"], id="one"), pytest.param(("postal", "attic"), ["postal", "attic"], id="two")],
)
def test_ledgers_are_told_apart_by_name(names: tuple[str, str], ledgers: list[str]) -> None:
    storage = CarryingStorage(Answers([1]), Answers([traffic(20)]))
    bench = Bench(transport=TellingTransport(Answers([traffic(10)])), storages=(storage,), names=names)
    facts = bench.during(bench.measuring.watch_traffic, bench.step)
    assert facts == [measured(name, sent) for name, sent in zip(ledgers, (10, 20), strict=False)]


def test_a_model_is_counted_a_step_after_it_was_announced_and_then_each_interval() -> None:
    answers = Answers(list(range(1, 20)))
    bench = Bench(storages=(TellingStorage(answers),), model=None)

    async def story() -> None:
        await bench.step(2)
        bench.model = FIRST  # announced while the watch sleeps
        await bench.step()
        assert bench.facts == []
        await bench.step()
        assert bench.facts == [counted(FIRST, 1)]
        await bench.step(2)
        assert len(bench.facts) == 1
        await bench.step()
        bench.model = SECOND
        await bench.step()
        bench.model = THIRD  # the second was known for a while
        await bench.step(2)

    facts = bench.during(bench.measuring.watch_holders, story)
    assert facts == [counted(FIRST, 1), counted(FIRST, 2), counted(SECOND, 3), counted(THIRD, 4)]
    assert answers.asked == [offer.locators[0] for offer in (FIRST, FIRST, SECOND, THIRD)]
    assert set(bench.sleeps) == {10.0}


def test_a_model_on_several_ledgers_has_as_many_holders_as_on_the_best_of_them() -> None:
    model = msgspec.structs.replace(FIRST, locators=(Locator("memory:a"), Locator("other:b"), Locator("gone:c")))
    storages = TellingStorage(Answers([2])), TellingStorage(Answers([5]), scheme="other")
    bench = Bench(storages=storages, model=model)
    assert bench.during(bench.measuring.watch_holders, lambda: bench.step(2)) == [counted(model, 5)]


def test_a_model_that_lies_nowhere_where_it_could_be_counted_is_not() -> None:
    bench = Bench(storages=(TellingStorage(Answers([2]), scheme="other"),))
    assert bench.during(bench.measuring.watch_holders, lambda: bench.step(3)) == []


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        pytest.param(UnavailableError("the daemon is gone"), "the daemon is gone", id="unavailable"),
        pytest.param(hang, "no answer within 0.01 s", id="hangs"),
        pytest.param(RuntimeError("a bug"), "RuntimeError: a bug", id="bug"),
        pytest.param(-1, "ValidationError: Expected `int` >= 0 - at `$.holders`", id="negative"),
        pytest.param(2**70, "ValidationError: Expected `int` <= 9223372036854775807 - at `$.holders`", id="huge"),
        pytest.param(float("nan"), "ValidationError: Expected `int`, got `float` - at `$.holders`", id="NaN"),
        pytest.param(None, "ValidationError: Expected `int`, got `null` - at `$.holders`", id="nothing"),
    ],
)
def test_a_failure_is_noticed_once_and_tried_again(failure: Any, sentence: str) -> None:
    bench = Bench(storages=(TellingStorage(Answers([failure, failure, 3, failure, 4])),), timeout_s=0.01)
    facts = bench.during(bench.measuring.watch_holders, lambda: bench.step(14))
    what = "cannot count on memory who has the own model now, trying again without another word"
    assert facts == [Notice(f"{what}: {sentence}"), counted(FIRST, 3), counted(FIRST, 4)]


def test_one_ledger_that_fails_keeps_none_from_being_measured() -> None:
    storage = CarryingStorage(Answers([1]), Answers([traffic(7)]))
    bench = Bench(transport=TellingTransport(Answers(["no traffic at all"])), storages=(storage,))
    notice, fact = bench.during(bench.measuring.watch_traffic, bench.step)
    assert isinstance(notice, Notice)
    assert notice.text.startswith("cannot tell what postal carries now, trying again without another word: AttributeError")
    assert fact == measured("attic", 7)


def test_who_leaves_measures_once_more_even_what_is_new() -> None:
    both = CarryingStorage(Answers([2]), Answers([traffic(10)]))
    bench = Bench(storages=(both,))
    asyncio.run(bench.measuring.measure_last())
    assert bench.facts == [measured("attic", 10), counted(FIRST, 2)]


def test_who_leaves_counts_the_model_that_was_known_for_a_while() -> None:
    bench = Bench(storages=(TellingStorage(Answers([2, 5])),))

    async def story() -> None:
        await bench.step(2)
        bench.model = SECOND
        await bench.measuring.measure_last()

    assert bench.during(bench.measuring.watch_holders, story) == [counted(FIRST, 2), counted(FIRST, 5)]


def test_who_leaves_waits_for_no_answer_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_TIMEOUT_S", 0.01)
    both = CarryingStorage(Answers([hang]), Answers([traffic(10)]))
    bench = Bench(storages=(both,))

    async def leave() -> None:
        async with asyncio.timeout(60):
            await bench.measuring.measure_last()

    asyncio.run(leave())
    assert bench.facts == [measured("attic", 10)]


@pytest.mark.parametrize("interval_s", [pytest.param(0.0, id="switched off"), pytest.param(30.0, id="no abilities")])
def test_where_nothing_is_to_be_measured_nothing_waits(interval_s: float) -> None:
    bench = Bench(interval_s=interval_s)
    if not interval_s:
        both = CarryingStorage(Answers([1]), Answers([traffic(1)]))
        bench = Bench(transport=both, storages=(both,), interval_s=0.0)

    async def run() -> None:
        async with asyncio.timeout(60):
            await bench.measuring.watch_traffic()
            await bench.measuring.watch_holders()
            await bench.measuring.measure_last()

    asyncio.run(run())
    assert (bench.facts, bench.sleeps) == ([], [])


@dataclass
class Telling:
    """A plugin whose ledger can tell."""

    counts: Answers
    traffic: Answers

    @hookimpl
    def learnae_transports(self) -> list[Provider[Transport]]:
        return [Provider("telling", "A transport.", lambda _: TellingTransport(self.traffic))]

    @hookimpl
    def learnae_storages(self) -> list[Provider[Storage]]:
        return [Provider("telling", "A storage.", lambda _: TellingStorage(self.counts))]


def run(folder: Path, plugin: Telling, **network: Any) -> list[AnyFact]:
    """Be one peer until it has converged; return its journal."""
    columns, table = synthetic_rows(80, 0)
    manifest = msgspec.structs.replace(toy_manifest(features=27, hidden=(4,), slice_size=20, passes=1), features=columns[1:])
    write_manifest(folder / "session.json", manifest)
    write_csv(folder / "rows.csv", columns, table)
    settings = PeerSettings(
        peer=PeerSection(session=folder / "session.json", state=folder / "state", data=folder / "rows.csv", until="converged"),
        training=TrainingSection(framework="numpy", epochs=1),
        network=NetworkSection(transport="telling", quiet_period_s=0.1, presence_interval_s=0.1, **network),
    )

    async def guarded() -> None:
        async with asyncio.timeout(120):
            await run_peer(settings, Plugins.of(plugin, numpy_framework))

    asyncio.run(guarded())
    lines = (folder / "state" / "events.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=JournalLine).fact for line in lines]


def test_a_short_run_has_its_numbers_too(tmp_path: Path) -> None:
    facts = run(tmp_path, Telling(Answers([3]), Answers([traffic(10)])))
    published = [fact.model for fact in facts if isinstance(fact, ModelPublished)]
    assert measured("telling", 10) in facts
    assert HoldersCounted("model", published[-1], 3) in facts
    assert isinstance(facts[-1], PeerStopped)


def test_a_running_peer_measures_again_and_again(tmp_path: Path) -> None:
    sent = [traffic(number) for number in range(50)]
    facts = run(tmp_path, Telling(Answers([3]), Answers([*sent])), measure_interval_s=0.01)
    found = [fact for fact in facts if isinstance(fact, TrafficMeasured)]
    assert found == [measured("telling", min(number, 49)) for number in range(len(found))]
    assert len(found) > 1
    assert {fact.holders for fact in facts if isinstance(fact, HoldersCounted)} == {3}


@pytest.mark.parametrize("failure", [pytest.param(hang, id="hangs"), pytest.param(RuntimeError("a bug"), id="bug")])
def test_a_ledger_that_cannot_tell_delays_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Any) -> None:
    monkeypatch.setattr(module, "LAST_TIMEOUT_S", 0.01)
    plugin = Telling(Answers([failure]), Answers([failure]))
    facts = run(tmp_path, plugin, measure_interval_s=0.01, fetch_timeout_s=0.05)
    assert isinstance(facts[-1], PeerStopped)
    assert facts[-1].reason == "converged"
    notices = [fact.text for fact in facts if isinstance(fact, Notice) and "another word" in fact.text]
    assert len(notices) == len(set(notices)) == 2
    assert not [fact for fact in facts if isinstance(fact, TrafficMeasured | HoldersCounted)]
