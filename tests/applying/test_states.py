"""The own model out of a state folder, while the peer runs and afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from learnae.applying.container import ExportedModel
from learnae.applying.states import offered_locators, read_own_model
from learnae.codec.manifests import session_id
from learnae.errors import StateError
from learnae.machine.effects import Save
from learnae.machine.events import FileKind
from learnae.machine.memory import KeptFile, KnownSlice, Offered
from learnae.performing.store import Store
from learnae.values.ids import Digest, Locator, PeerId

Trained = Callable[..., ExportedModel]
WriteState = Callable[[Path, ExportedModel], Store]


def _same(found: ExportedModel | None, wanted: ExportedModel) -> bool:
    return (
        found is not None
        and found.maturity == wanted.maturity
        and all(np.array_equal(found.weights[path], array) for path, array in wanted.weights.items())
    )


def test_reads_while_the_peer_has_the_store_open_and_afterwards(
    trained: Trained, write_state: WriteState, tmp_path: Path
) -> None:
    exported = trained()
    store = write_state(tmp_path / "a state, 100 % odd?", exported)
    assert _same(read_own_model(tmp_path / "a state, 100 % odd?", exported.manifest), exported)
    store.close()
    before = sorted(path.name for path in (tmp_path / "a state, 100 % odd?").iterdir())
    assert _same(read_own_model(tmp_path / "a state, 100 % odd?", exported.manifest), exported)
    assert sorted(path.name for path in (tmp_path / "a state, 100 % odd?").iterdir()) == before


def test_reads_what_a_killed_peer_left_in_the_log(trained: Trained, write_state: WriteState, tmp_path: Path) -> None:
    exported = trained()
    store = write_state(tmp_path / "state", exported)
    shutil.copytree(tmp_path / "state", tmp_path / "copy")  # as it is on disk before the log was merged
    store.close()
    assert _same(read_own_model(tmp_path / "copy", exported.manifest), exported)


def test_a_peer_that_never_trained_has_none(trained: Trained, tmp_path: Path) -> None:
    manifest = trained().manifest
    Store.open(tmp_path / "peer.sqlite", session_id(manifest)).close()
    assert read_own_model(tmp_path, manifest) is None


def test_refuses_what_is_no_state_of_this_session(trained: Trained, write_state: WriteState, tmp_path: Path) -> None:
    exported = trained()
    with pytest.raises(StateError, match="no state folder"):
        read_own_model(tmp_path, exported.manifest)
    write_state(tmp_path / "state", exported).close()
    other = msgspec.structs.replace(exported.manifest, name="another")
    with pytest.raises(StateError, match="name the right one with --session"):
        read_own_model(tmp_path / "state", other)
    (tmp_path / "state" / "peer.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(StateError, match="cannot be read"):
        read_own_model(tmp_path / "state", exported.manifest)


def test_says_where_the_files_are_that_a_peer_offers_and_keeps(trained: Trained, write_state: WriteState, tmp_path: Path) -> None:
    store = write_state(tmp_path, trained())
    assert offered_locators(tmp_path) == frozenset()
    one, me, other = Digest("1" * 64), PeerId("a" * 64), PeerId("b" * 64)
    at = [Locator(f"ipfs:{number}") for number in range(6)]
    records = {
        ("offered", "current"): Offered(FileKind.MODEL, one, (at[0],)),
        ("offered", "replaced"): Offered(FileKind.MODEL, one, (at[1],), superseded=True),
        ("kept", "kept"): KeptFile(FileKind.MODEL, one, other, (at[2],), 1, kept=True),
        ("kept", "about to be"): KeptFile(FileKind.SLICE, one, other, (at[3],), 2),
        ("slices", "own"): KnownSlice(one, me, 10, evaluation=False, held=True, locators=(at[4],), shared=True),
        ("slices", "foreign"): KnownSlice(one, other, 10, evaluation=False, held=True, locators=(at[5],)),
    }
    store.commit(Save(table, key, value) for (table, key), value in records.items())
    assert offered_locators(tmp_path) == frozenset(at[:5]), "also while the peer runs"
    store.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert offered_locators(tmp_path) == frozenset(at[:5])
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_says_what_is_wrong_with_a_state_that_does_not_tell(trained: Trained, write_state: WriteState, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no state folder"):
        offered_locators(tmp_path)
    store = write_state(tmp_path, trained())
    store._connection.execute("INSERT INTO record VALUES ('kept', 'x', '{}')")
    with pytest.raises(StateError, match="cannot be read"):
        offered_locators(tmp_path)
    store._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="layout 99"):
        offered_locators(tmp_path)
    store.close()
