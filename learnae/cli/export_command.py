"""``learnae export``: the own model in a file of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from learnae.cli.output import data, data_json, say

if TYPE_CHECKING:
    from learnae.config.settings import PeerSettings

WHICH = "Which peer"


def export(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write; one that is there is replaced.")],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The peer's settings; by default learnae.toml in the current folder, if it is there.",
            rich_help_panel=WHICH,
        ),
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="The peer's state folder.", rich_help_panel=WHICH)
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(
            "--session", metavar="FILE", help="The session's manifest; by default the state folder's copy.", rich_help_panel=WHICH
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write what was exported as one JSON object to stdout.")] = False,
) -> None:
    """Write the peer's current model to a file.

    The file is safetensors, with the session's manifest in its metadata: it can be used without the session, and by any
    program that reads safetensors. The peer may be running.
    """
    from learnae.applying.container import write_model
    from learnae.applying.states import own_model
    from learnae.codec.manifests import session_id

    exported = own_model(peer_settings(config, state, session))
    write_model(out, exported)
    if json:
        numbers = sum(array.size for array in exported.weights.values())
        data_json(
            {
                "file": str(out),
                "session": session_id(exported.manifest),
                "maturity": exported.maturity,
                "parameters": numbers,
                "bytes": out.stat().st_size,
            }
        )
    else:
        data(str(out))
    say(f'In Python: from learnae import load_model; load_model("{out}").predict(rows)')


def peer_settings(config: Path | None, state: Path | None, session: Path | None) -> PeerSettings:
    """Put a peer's settings together as ``learnae run`` does: the file, the environment, these options.

    Raises:
        ConfigError: A setting cannot be used.
    """
    from learnae.cli.settings_options import DEFAULT_FILE
    from learnae.config.resolve import load_settings

    copy = state / "session.json" if state is not None else None
    if session is None and copy is not None and copy.is_file():
        session = copy
    given = {"peer.state": state, "peer.session": session}
    overrides: dict[str, object] = {key: str(path) for key, path in given.items() if path is not None}
    flags = {"peer.state": "--state", "peer.session": "--session"}
    file = config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    return load_settings(file, overrides, os.environ, flags=flags).settings
