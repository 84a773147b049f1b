"""The durable state: what is committed is there, all of it or none."""

import sqlite3
from pathlib import Path

import pytest

from learnae.errors import StateError
from learnae.machine.effects import Save
from learnae.machine.memory import CORE, Core, Own, Tried
from learnae.performing.store import OwnModel, SensorState, Store
from learnae.values.ids import Digest, SensorId, SessionId

SESSION = SessionId("5" * 64)
MODEL = Digest("a" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peer.sqlite"


def test_what_was_committed_is_loaded_by_another_process(path: Path) -> None:
    store = Store.open(path, SESSION)
    core = Core(Own(MODEL), cycle=3, sequence=9)
    sensor = (SensorId("localfs/porch"), SensorState("17", b"rest", rejected=2))
    store.commit([Save("core", CORE, core), Save("tried", "x", Tried(1))], OwnModel(MODEL, b"weights", b"state"), [sensor])
    store.commit([Save("tried", "x", None)])
    store.close()

    again = Store.open(path, SESSION)
    memory = again.load()
    assert memory.core == {CORE: core}
    assert memory.tried == {}
    assert again.model() == OwnModel(MODEL, b"weights", b"state")
    assert again.sensors() == dict([sensor])
    again.close()


def test_a_model_without_optimiser_state_keeps_the_one_that_is_there() -> None:
    store = Store.open(None, SESSION)
    store.commit([], OwnModel(MODEL, b"one", b"state"))
    store.commit([], OwnModel(Digest("b" * 64), b"two", None))
    assert store.model() == OwnModel(Digest("b" * 64), b"two", b"state")


def test_a_failed_commit_changes_nothing(path: Path) -> None:
    store = Store.open(path, SESSION)
    store.commit([Save("tried", "kept", Tried(1))])
    with pytest.raises(StateError, match="cannot be written"):
        store.commit([Save("tried", "lost", Tried(2))], OwnModel(None, b"no digest", None))  # type: ignore[arg-type]
    assert store.load().tried == {"kept": Tried(1)}
    store.commit([Save("tried", "after", Tried(3))])
    assert set(store.load().tried) == {"kept", "after"}
    store.close()


def test_the_state_of_another_session_is_refused(path: Path) -> None:
    Store.open(path, SESSION).close()
    with pytest.raises(StateError, match="state of session 5555"):
        Store.open(path, SessionId("6" * 64))


def test_a_later_layout_is_refused(path: Path) -> None:
    Store.open(path, SESSION).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="later version"):
        Store.open(path, SESSION)


@pytest.mark.parametrize(
    "damage", [b"no database at all, but long enough to be looked at" * 40, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_a_sentence(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(StateError, match="move it away"):
        Store.open(path, SESSION)


def test_a_damaged_record_is_a_sentence(path: Path) -> None:
    store = Store.open(path, SESSION)
    store.commit([Save("tried", "x", Tried(1))])
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE record SET value = '{}'")
    connection.close()
    store = Store.open(path, SESSION)
    with pytest.raises(StateError, match="damaged"):
        store.load()
    store.close()
