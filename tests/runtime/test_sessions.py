"""Whole sessions of real peers over a shared folder, several in one event loop."""

import asyncio
import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from learnae.codec.digests import plain_digest
from learnae.codec.manifests import session_id, write_manifest
from learnae.codec.seal import new_secret, secret_check, write_secret
from learnae.codec.weights import encode_weights
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.training import TrainingSection
from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows, write_csv
from learnae.errors import ConfigError, StateError
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins
from learnae.runtime.peer import Outcome
from learnae.runtime.running import run_peer
from learnae.runtime.signals import Signals
from learnae.runtime.state import StateFolder
from learnae.values.choices import Role, Task
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import (
    AnyFact,
    CycleEnded,
    JournalLine,
    ModelScored,
    Notice,
    PeerStarted,
    ReadingsReceived,
    SlicesQueued,
    SliceUsed,
)
from learnae.values.manifest import Custom, Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights, mlp_parameters

FEATURES = SYNTHETIC_COLUMNS[1:]


@dataclass
class Place:
    """A folder with a session in it."""

    path: Path

    def manifest(self, **terms: Any) -> Manifest:
        mlp = Mlp((8,))
        draft = Manifest(
            name="test", task=Task.BINARY, features=FEATURES, target="label", classes=("0", "1"),
            centre=(0.0,) * 27, scale=(1.0,) * 27,
            architecture=mlp, parameters=mlp_parameters(27, 1, mlp), initial=Digest("0" * 64), slice_size=40, passes=2,
        )  # fmt: skip
        made = msgspec.structs.replace(draft, **{"initial": plain_digest(encode_weights(mlp_initial_weights(draft))), **terms})
        write_manifest(self.path / "session.json", made)
        return made

    def rows(self, name: str, count: int = 160, seed: int = 0) -> Path:
        columns, table = synthetic_rows(count, seed)
        write_csv(self.path / f"{name}.csv", columns, table)
        return self.path / f"{name}.csv"

    def settings(self, name: str, *, peer: dict[str, Any] | None = None, **network: Any) -> PeerSettings:
        given = {"session": self.path / "session.json", "state": self.path / name, "until": "converged", **(peer or {})}
        return PeerSettings(
            peer=PeerSection(**given),
            training=TrainingSection(framework="numpy", epochs=2, learning_rate=0.01, pass_hold_s=0.5),
            averaging=AveragingSection(),
            network=NetworkSection(**{"quiet_period_s": 0.5, "presence_interval_s": 0.1, "retry_s": 0.1, **network}),
            plugins={"localfs": {"folder": str(self.path / "ledger"), "poll_interval_s": 0.02, "fsync": False}},
        )

    def facts(self, name: str) -> list[AnyFact]:
        lines = (self.path / name / "events.jsonl").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=JournalLine).fact for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def run(*settings: PeerSettings) -> list[Outcome]:
    plugins = Plugins.discover()

    async def together() -> list[Outcome]:
        async with asyncio.timeout(120):
            return list(await asyncio.gather(*(run_peer(each, plugins) for each in settings)))

    return asyncio.run(together())


def of(facts: Sequence[AnyFact], kind: type) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]


def test_peers_train_together_and_go_on_where_they_ended(place: Place) -> None:
    place.manifest()
    settings = [
        place.settings(f"peer{i}", peer={"data": place.rows(f"peer{i}", seed=i)}, expect_peers=2, quiet_period_s=3.0)
        for i in range(3)
    ]
    outcomes = run(*settings)
    assert {outcome.reason for outcome in outcomes} == {"converged"}
    assert len({outcome.peer for outcome in outcomes}) == 3
    cycles = [fact for i in range(3) for fact in of(place.facts(f"peer{i}"), CycleEnded)]
    assert {cycle.kind for cycle in cycles} >= {"train", "average"}
    assert any(cycle.kept for cycle in cycles if cycle.kind != "train")
    for cycle in cycles:
        if cycle.kind != "train" and cycle.kept:
            assert cycle.tried.accuracy > cycle.before.accuracy

    (again,) = run(settings[0])
    assert again.peer == outcomes[0].peer
    assert again.cycle >= outcomes[0].cycle
    first, second = of(place.facts("peer0"), PeerStarted)
    assert (first.resumed, second.resumed) == (False, True)
    trained = [cycle for cycle in of(place.facts("peer0"), CycleEnded) if cycle.kind == "train"]
    assert len(trained) == of(place.facts("peer0"), SlicesQueued)[0].passes


@pytest.mark.slow
def test_peers_of_both_frameworks_train_in_one_session(place: Place) -> None:
    """Both run until each has averaged with the other's model; how long that takes depends on the machine alone."""
    place.manifest()
    settings = {
        name: place.settings(name, peer={"data": place.rows(name, seed=i), "until": "forever"})
        for i, name in enumerate(["jax", "numpy"])
    }
    settings["jax"] = msgspec.structs.replace(
        settings["jax"],
        training=msgspec.structs.replace(settings["jax"].training, framework="jax"),
        plugins={**settings["jax"].plugins, "jax": {"compilation_cache": "off"}},
    )
    averaged: dict[PeerId, set[PeerId]] = {}

    async def together() -> None:
        done = asyncio.Event()

        def listen(line: JournalLine) -> None:
            match line.fact:
                case PeerStarted():
                    averaged.setdefault(line.peer, set())
                case CycleEnded(partners=partners):
                    averaged[line.peer].update(partners)
            if len(averaged) == 2 and all(averaged.values()):
                done.set()

        plugins = Plugins.discover()
        peers = [asyncio.create_task(run_peer(each, plugins, listeners=[listen])) for each in settings.values()]
        waiting = asyncio.create_task(done.wait())
        async with asyncio.timeout(180):
            await asyncio.wait([*peers, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in (*peers, waiting):
            task.cancel()
        await asyncio.gather(*peers, waiting, return_exceptions=True)

    asyncio.run(together())
    first, second = averaged
    assert averaged == {first: {second}, second: {first}}


def test_slices_travel_from_a_feeder_to_trainers(place: Place) -> None:
    manifest = place.manifest(sharing=True, overuse_threshold=3)
    settings = [
        place.settings("feeder", peer={"data": place.rows("feeder"), "role": Role.FEEDER}, expect_peers=2, quiet_period_s=5.0),
        *(
            place.settings(name, peer={"role": Role.TRAINER}, expect_peers=2, quiet_period_s=5.0)
            for name in ("trainer0", "trainer1")
        ),
    ]
    run(*settings)
    uses: dict[str, int] = {}
    for name in ("trainer0", "trainer1"):
        facts = place.facts(name)
        assert of(facts, CycleEnded)
        for use in of(facts, SliceUsed):
            uses[use.slice] = uses.get(use.slice, 0) + 1
    assert len(uses) == of(place.facts("feeder"), SlicesQueued)[0].slices
    assert all(count <= manifest.overuse_threshold + 1 for count in uses.values())
    assert not of(place.facts("feeder"), CycleEnded)


def test_a_sealed_session_works_and_needs_its_secret(place: Place) -> None:
    secret = new_secret()
    write_secret(place.path / "session.secret", secret)
    place.manifest(secret_check=secret_check(secret))
    peer = {"secret_file": place.path / "session.secret"}
    settings = [
        place.settings(f"peer{i}", peer={"data": place.rows(f"peer{i}", seed=i), **peer}, expect_peers=1, quiet_period_s=3.0)
        for i in range(2)
    ]
    run(*settings)
    assert any(cycle.partners for cycle in of(place.facts("peer0"), CycleEnded))
    with pytest.raises(ConfigError, match="this session has a secret"):
        run(place.settings("stranger", peer={"data": place.rows("stranger")}))
    (place.path / "session.secret").unlink()
    write_secret(place.path / "session.secret", new_secret())
    with pytest.raises(ConfigError, match="another session"):
        run(place.settings("stranger", peer={"data": place.rows("stranger"), **peer}))


def test_an_allow_list_shuts_the_others_out(place: Place) -> None:
    place.manifest()
    nobody = PeerId("7" * 64)
    settings = [
        place.settings("closed", peer={"data": place.rows("closed"), "allow": (nobody,)}),
        place.settings("open", peer={"data": place.rows("open", seed=1)}, expect_peers=1),
    ]
    run(*settings)
    assert not [cycle for cycle in of(place.facts("closed"), CycleEnded) if cycle.partners]


def test_readings_of_sensors_become_slices_once_each(place: Place) -> None:
    place.manifest(slice_size=10)
    sensors = place.path / "sensors"
    sensors.mkdir()
    columns, table = synthetic_rows(25, 9)
    lines = [json.dumps(dict(zip(columns, map(float, row), strict=True))) for row in table]
    (sensors / "porch.jsonl").write_text("\n".join([*lines[:12], "rubbish", *lines[12:]]) + "\n")
    settings = place.settings("peer", peer={"data": place.rows("peer")}, sensors=("localfs",), quiet_period_s=1.5)
    settings.plugins["localfs"]["sensors_folder"] = str(sensors)
    run(settings)
    run(settings)
    facts = place.facts("peer")
    received = of(facts, ReadingsReceived)
    assert (sum(each.accepted for each in received), sum(each.rejected for each in received)) == (25, 1)
    cut = [queued for queued in of(facts, SlicesQueued) if queued.rows == 19]  # the rubbish is one of the first twenty
    assert [queued.slices for queued in cut] == [2]


def test_a_peer_says_what_it_will_not_do(place: Place) -> None:
    place.manifest(sharing=True)
    run(place.settings("peer", peer={"data": place.rows("peer"), "private": True}))
    notices = [notice.text for notice in of(place.facts("peer"), Notice)]
    assert any("--private was given" in text for text in notices)


@pytest.mark.parametrize(
    ("peer", "terms", "sentence"),
    [
        pytest.param({}, {}, "name your rows with --data", id="no-rows"),
        pytest.param(
            {"role": Role.TRAINER, "data": Path("x.csv")}, {"sharing": True}, "a trainer has no rows", id="trainer-with-rows"
        ),
        pytest.param({"role": Role.TRAINER}, {}, "does not allow sharing", id="trainer-without-sharing"),
        pytest.param({"role": Role.TRAINER, "private": True}, {"sharing": True}, "--private was given", id="private-trainer"),
        pytest.param(
            {"data": Path("x.csv"), "secret_file": Path("s")}, {}, "no secret; leave the setting out", id="secret-unwanted"
        ),
        pytest.param(
            {"data": Path("x.csv")}, {"architecture": Custom("net")}, "--model module:function", id="custom-without-model"
        ),
        pytest.param(
            {"data": Path("x.csv")}, {"initial": Digest("1" * 64)}, "another model, or another version", id="other-initial"
        ),
    ],
)
def test_settings_that_contradict_the_manifest_are_refused(
    place: Place, peer: dict[str, Any], terms: dict[str, Any], sentence: str
) -> None:
    place.manifest(**terms)
    with pytest.raises(ConfigError, match=sentence):
        run(place.settings("peer", peer=peer))


def test_a_second_process_on_one_state_folder_is_refused(tmp_path: Path) -> None:
    with StateFolder.open(tmp_path / "state"), pytest.raises(StateError, match="another peer uses this state folder"):
        StateFolder.open(tmp_path / "state")
    StateFolder.open(tmp_path / "state").close()


def test_who_only_looks_whether_a_peer_runs_keeps_none_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StateFolder.open(tmp_path / "state").close()
    look = os.open(tmp_path / "state" / "lock", os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    monkeypatch.setattr("learnae.runtime.state.time.sleep", lambda _: os.close(look))
    StateFolder.open(tmp_path / "state").close()


def test_a_damaged_model_is_a_sentence(place: Place) -> None:
    manifest = place.manifest()
    settings = place.settings("peer", peer={"data": place.rows("peer")})
    run(settings)
    store = Store.open(place.path / "peer" / "peer.sqlite", session_id(manifest))
    own = store.model()
    assert own is not None
    store.commit([], msgspec.structs.replace(own, weights=own.weights[:-1] + b"!"))
    store.close()
    with pytest.raises(StateError, match="move the state folder away"):
        run(settings)


def test_a_first_start_that_fails_is_no_lost_state(place: Place) -> None:
    place.manifest()
    settings = place.settings("peer", peer={"data": place.path / "rows.csv"})
    with pytest.raises(ConfigError):
        run(settings)
    place.rows("rows")
    run(settings)
    assert not [notice for notice in of(place.facts("peer"), Notice) if "remember" in notice.text]
    assert of(place.facts("peer"), CycleEnded)


def test_a_file_that_grew_gives_new_slices_only(place: Place) -> None:
    place.manifest()
    columns, table = synthetic_rows(240, 0)
    settings = place.settings("peer", peer={"data": place.path / "rows.csv"})
    write_csv(place.path / "rows.csv", columns, table[:160])
    run(settings)
    order = np.random.Generator(np.random.PCG64(1)).permutation(240)
    write_csv(place.path / "rows.csv", columns, table[order])
    run(settings)
    before, after = of(place.facts("peer"), SlicesQueued)
    assert before.rows + after.rows <= 240
    assert after.rows < before.rows


def test_a_cancellation_in_the_moment_before_it_runs_is_not_lost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl-C, which cancels the task that is running."""
    place.manifest()
    direct = Signals.direct

    def interrupted(signals: Signals, peer: Any, stop_after_s: float | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        direct(signals, peer, stop_after_s)

    monkeypatch.setattr(Signals, "direct", interrupted)
    settings = place.settings("peer", peer={"data": place.rows("peer")}, presence_interval_s=0.001)
    with pytest.raises(asyncio.CancelledError):
        run(settings)
    assert not of(place.facts("peer"), ModelScored)
