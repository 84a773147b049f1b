"""What a peer's state folder tells, also while the peer runs: the own model, and which files it offers."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from learnae.applying.container import ExportedModel
from learnae.codec.manifests import read_manifest, session_id
from learnae.codec.weights import decode_weights
from learnae.config.settings import PeerSettings, state_folder
from learnae.errors import BadContentError, StateError
from learnae.machine.memory import CORE, Core, KeptFile, KnownSlice, Offered
from learnae.performing.store import VERSION
from learnae.values.ids import Locator, SessionId
from learnae.values.manifest import Manifest

T = TypeVar("T")

STORE = "peer.sqlite"
"""The durable state within a state folder."""

_BUSY_TIMEOUT_S = 10.0


def read_own_model(state: Path, manifest: Manifest) -> ExportedModel | None:
    """Read a peer's current model as it was last made durable; nothing is written.

    Args:
        state: The peer's state folder.
        manifest: The terms of its session.

    Returns:
        The model; ``None`` if the peer still has the initial one, which everybody starts from.

    Raises:
        StateError: There is no state, it is damaged, or of another session.
    """
    session = session_id(manifest)

    def ask(connection: sqlite3.Connection, path: Path) -> tuple[bytes, int] | None:
        _check_session(connection, path, session)
        return _own_model(connection)

    found = _read(state, ask)
    try:
        return None if found is None else ExportedModel(manifest, decode_weights(found[0], manifest), found[1])
    except BadContentError as exc:
        raise _unreadable(state / STORE, exc) from exc


def offered_locators(state: Path) -> frozenset[Locator]:
    """Say where the files are that a peer offers, own ones and others' that it keeps; nothing is written.

    A file that it was about to keep or to let go is among them. What a running peer is storing at this very moment is not, and
    stands here once it is announced.

    Args:
        state: The peer's state folder, of whatever session.

    Raises:
        StateError: There is no state, or it is damaged.
    """
    return _read(state, lambda connection, _: frozenset(_locators(connection)))


def _locators(connection: sqlite3.Connection) -> set[Locator]:
    found: set[Locator] = set()
    for table, value in connection.execute("SELECT tab, value FROM record WHERE tab IN ('offered', 'kept', 'slices')"):
        match table:
            case "offered":
                found.update(msgspec.json.decode(value, type=Offered).locators)
            case "kept":
                found.update(msgspec.json.decode(value, type=KeptFile).locators)
            case _:
                item = msgspec.json.decode(value, type=KnownSlice)
                found.update(item.locators if item.shared else ())
    return found


def own_model(settings: PeerSettings) -> ExportedModel:
    """Read the current model of the peer that has these settings.

    Raises:
        ConfigError: The session's manifest cannot be read.
        StateError: As ``read_own_model``, or the peer has not trained yet.
    """
    manifest = read_manifest(settings.peer.session)
    state = state_folder(settings, session_id(manifest))
    found = read_own_model(state, manifest)
    if found is None:
        raise StateError(f"{state}: the peer still has the model that everybody starts from; let it train first: learnae run")
    return found


def _read(state: Path, ask: Callable[[sqlite3.Connection, Path], T]) -> T:
    """Ask one snapshot of a state.

    Raises:
        StateError: There is none, or it is damaged.
    """
    path = state / STORE
    if not path.is_file():
        raise StateError(f"{state}: is no state folder of a peer: there is no {STORE}; `learnae run --state {state}` makes one")
    try:
        return _ask_snapshot(path, ask)
    except (sqlite3.Error, msgspec.MsgspecError, TypeError) as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: Exception) -> StateError:
    return StateError(f"{path}: cannot be read as a peer's state: {exc}")


def _ask_snapshot(path: Path, ask: Callable[[sqlite3.Connection, Path], T]) -> T:
    log = path.with_name(path.name + "-wal")
    before = path.stat()
    if not log.exists():
        # Nobody has it open. As a file that does not change, it is read without the index that SQLite would leave beside it.
        with suppress(sqlite3.Error), closing(_open(path, "mode=ro&immutable=1")) as connection:
            found = _ask(connection, path, ask)
            after = path.stat()
            if not log.exists() and (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                return found
    with closing(_open(path, "mode=ro")) as connection:
        return _ask(connection, path, ask)


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _ask(connection: sqlite3.Connection, path: Path, ask: Callable[[sqlite3.Connection, Path], T]) -> T:
    # One snapshot: a running peer may commit between two questions.
    connection.execute("BEGIN")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != VERSION:
        raise StateError(f"{path}: has the layout {found}, and this version of LEARNAE knows {VERSION}")
    return ask(connection, path)


def _own_model(connection: sqlite3.Connection) -> tuple[bytes, int] | None:
    """Return the model's bytes and its maturity."""
    core = connection.execute("SELECT value FROM record WHERE tab = ? AND key = ?", (CORE, CORE)).fetchone()
    model = connection.execute("SELECT weights FROM model").fetchone()
    maturity = msgspec.json.decode(core[0], type=Core).own.maturity if core is not None else 0
    return None if model is None else (model[0], maturity)


def _check_session(connection: sqlite3.Connection, path: Path, session: SessionId) -> None:
    (belongs,) = connection.execute("SELECT id FROM session").fetchone()
    if belongs != session:
        raise StateError(
            f"{path}: is the state of session {str(belongs)[:16]}, and the manifest is that of {session[:16]}; "
            "name the right one with --session FILE"
        )
