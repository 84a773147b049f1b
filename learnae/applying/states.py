"""The own model out of a peer's state folder, also while the peer runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from learnae.applying.container import ExportedModel
from learnae.codec.manifests import session_id
from learnae.codec.weights import decode_weights
from learnae.errors import BadContentError, StateError
from learnae.machine.memory import CORE, Core
from learnae.performing.store import VERSION
from learnae.values.ids import SessionId
from learnae.values.manifest import Manifest

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
    path = state / STORE
    if not path.is_file():
        raise StateError(f"{state}: is no state folder of a peer: there is no {STORE}; `learnae run --state {state}` makes one")
    try:
        with closing(_open(path)) as connection:
            # One snapshot: a running peer may commit between two questions.
            connection.execute("BEGIN")
            _check(connection, path, session_id(manifest))
            core = connection.execute("SELECT value FROM record WHERE tab = ? AND key = ?", (CORE, CORE)).fetchone()
            model = connection.execute("SELECT weights FROM model").fetchone()
        if model is None:
            return None
        maturity = msgspec.json.decode(core[0], type=Core).own.maturity if core is not None else 0
        return ExportedModel(manifest, decode_weights(model[0], manifest), maturity)
    except (sqlite3.Error, msgspec.MsgspecError, BadContentError, TypeError) as exc:
        raise StateError(f"{path}: cannot be read as a peer's state: {exc}") from exc


def _open(path: Path) -> sqlite3.Connection:
    # The peer's program keeps a write-ahead log; a reader needs its index, which SQLite makes if the folder may be written.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _check(connection: sqlite3.Connection, path: Path, session: SessionId) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found != VERSION:
        raise StateError(f"{path}: has the layout {found}, and this version of LEARNAE knows {VERSION}")
    (belongs,) = connection.execute("SELECT id FROM session").fetchone()
    if belongs != session:
        raise StateError(
            f"{path}: is the state of session {str(belongs)[:16]}, and the manifest is that of {session[:16]}; "
            "name the right one with --session FILE"
        )
