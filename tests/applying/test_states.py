"""The own model out of a state folder, while the peer runs and afterwards."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from learnae.applying.container import ExportedModel
from learnae.applying.states import read_own_model
from learnae.codec.manifests import session_id
from learnae.errors import StateError
from learnae.performing.store import Store

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
