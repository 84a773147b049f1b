"""Whether everything that a configuration needs is there; nothing here makes anything that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from learnae.cli.peer_commands import known_peer, nobody, runs
from learnae.codec.digests import plain_digest
from learnae.codec.weights import encode_weights
from learnae.config.settings import PeerSettings, state_folder
from learnae.errors import OperatorError
from learnae.interfaces.provider import Capability, Context, Finding
from learnae.performing.opening import is_sharing
from learnae.performing.store import Store
from learnae.runtime.opening import Terms, check_settings, context_for, open_identity, read_terms, storage_name
from learnae.runtime.state import StateFolder
from learnae.values.choices import Role
from learnae.values.ids import PeerId, SessionId

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins
    from learnae.values.manifest import Manifest

FIRST_ROWS = 1_000
"""As many rows are read to see whether a table fits."""


def inspect_peer(settings: PeerSettings, plugins: Plugins) -> tuple[Finding, ...]:
    """Look at everything that a peer with these settings needs, the first thing that is missing and all others.

    Reads the manifest and the secret, header and first rows of the data, what is there of the state folder, and opens the
    framework; transport, storage and sensor sources are asked by their own ``check``. Without a manifest little else can be
    looked at.
    """
    try:
        terms = read_terms(settings)
    except OperatorError as error:
        return (Finding(False, str(error), "learnae init, or ask whoever invited you for the session's files"),)
    manifest = terms.manifest
    found = [Finding(True, f"session {manifest.name!r}, {terms.id[:16]}: {_about(manifest)}")]
    if manifest.secret_check is not None:
        found.append(Finding(True, "the secret is the session's"))
    found += _settings(settings, manifest)
    found += _data(settings.peer.data, manifest, skips=settings.peer.skip_bad_rows)
    found += _state(settings, terms.id)
    found += _providers(settings, terms, plugins)
    return tuple(dict.fromkeys(found))


def _about(manifest: Manifest) -> str:
    kind = f"{manifest.task}, {len(manifest.features)} features to predict {manifest.target!r}"
    return f"{kind}, {'rows may be shared' if manifest.sharing else 'rows stay where they are'}"


def _settings(settings: PeerSettings, manifest: Manifest) -> Iterator[Finding]:
    try:
        check_settings(settings, manifest)
    except OperatorError as error:
        yield Finding(False, str(error), "learnae run --help")
        return
    shares = "shares its rows" if is_sharing(settings, manifest) else "keeps its rows to itself"
    yield Finding(True, f"role {settings.peer.role}: {'has no rows' if settings.peer.role is Role.TRAINER else shares}")


def _data(path: Path | None, manifest: Manifest, *, skips: bool) -> Iterator[Finding]:
    from learnae.data.rows import BadRows, read_raw

    if path is None:
        return
    bad_rows = BadRows(skip=skips)
    try:
        first = next(read_raw(path, manifest, bad_rows=bad_rows, chunk_rows=FIRST_ROWS), None)
    except OperatorError as error:
        yield Finding(False, str(error), f"learnae run --data FILE with the columns {', '.join(manifest.features[:5])}, ...")
        return
    if first is None:
        yield Finding(False, f"{path}: there are no usable rows", "learnae run --data FILE")
        return
    skipped = f", {bad_rows.skipped} bad ones among them left out" if bad_rows.skipped else ""
    yield Finding(True, f"{path}: the columns are there, and the first {len(first)} rows fit{skipped}")


def _state(settings: PeerSettings, session: SessionId) -> Iterator[Finding]:
    folder = state_folder(settings, session)
    advice = "learnae run --state FOLDER"
    try:
        if not folder.exists():
            above = next(each for each in folder.absolute().parents if each.exists())
            ok = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
            text = "is not there yet and will be made" if ok else f"cannot be made in {above}"
            yield Finding(ok, f"state folder {folder} {text}", "" if ok else advice)
            return
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(False, f"state folder {folder} cannot be read and written to by this user", advice)
            return
        yield from _known_state(folder, session)
    except OSError as error:
        yield Finding(False, f"state folder {folder}: {error.strerror}", advice)
    except OperatorError as error:
        yield Finding(False, str(error), advice)


def _known_state(folder: Path, session: SessionId) -> Iterator[Finding]:
    """Look at a folder that is there; only what a peer has left in it is opened, so that nothing new is made."""
    if not (folder / "lock").exists():
        yield Finding(True, f"state folder {folder} is there")
        return
    if runs(folder):
        known = known_peer(folder)
        who = f", of peer {known[:8]}" if known is not None else ""
        yield Finding(True, f"state folder {folder} is there{who}, which runs now: nobody else can use it at the same time")
        return
    with StateFolder.open(folder) as state:
        who = "a new peer"
        if state.identity.exists():
            who = f"peer {open_identity(state)[0].peer[:8]}"
        if state.store.exists():
            with closing(Store.open(state.store, session)):
                pass
        yield Finding(True, f"state folder {folder} is there, of {who}")


def _providers(settings: PeerSettings, terms: Terms, plugins: Plugins) -> Iterator[Finding]:
    transport, storage = settings.network.transport, settings.network.storage
    wanted: list[tuple[Capability, str]] = [(Capability.TRANSPORT, transport)]
    try:
        plugins.check_sections(settings.plugins)
        if any(listed.provider.name == transport for listed in plugins.providers(Capability.TRANSPORT)):
            storage = storage_name(settings, plugins)
    except OperatorError as error:
        yield Finding(False, str(error), "learnae plugins")
    wanted += [(Capability.STORAGE, storage)] if storage is not None else []
    wanted += [(Capability.FRAMEWORK, settings.training.framework)]
    wanted += [(Capability.SENSORS, name) for name in settings.network.sensors]
    state = state_folder(settings, terms.id)
    peer = _peer_of(state)
    asked: dict[tuple[object, ...], Sequence[Finding]] = {}
    with TemporaryDirectory(prefix="learnae-check-") as folder:
        for capability, name in wanted:
            # A framework is opened, and may write. Others only look, and are told where they would be.
            place = Path(folder) if capability is Capability.FRAMEWORK else state / f"plugin-{name}"
            yield from _provider(plugins, capability, name, context_for(settings, terms, peer, place, name), asked)


def _peer_of(state: Path) -> PeerId:
    try:
        return known_peer(state) or nobody()
    except OperatorError:  # has been found already
        return nobody()


def _provider(
    plugins: Plugins,
    capability: Capability,
    name: str,
    context: Context,
    asked: dict[tuple[object, ...], Sequence[Finding]],
) -> Iterator[Finding]:
    try:
        provider = plugins.get(capability, name)
        # Transport and storage of one name may have one check, and it may be a matter of seconds.
        check = (name, provider.check, provider.options)
        findings = asked[check] if check in asked else plugins.check(capability, name, context)
        asked[check] = findings
    except OperatorError as error:
        yield Finding(False, str(error), "learnae plugins")
        return
    yield from findings
    if not all(finding.ok for finding in findings):
        return
    if capability is Capability.FRAMEWORK:
        yield _framework(plugins, name, context)
    else:
        yield Finding(True, f"{capability} {name!r} is installed")


def _framework(plugins: Plugins, name: str, context: Context) -> Finding:
    """Open it: only so is it known whether optimiser, schedule and model are what they should be."""
    try:
        framework = plugins.open(Capability.FRAMEWORK, name, context)
    except OperatorError as error:
        return Finding(False, str(error), "learnae run --help, under Training")
    if plain_digest(encode_weights(framework.initial_weights())) != context.manifest.initial:
        text = f"framework {name!r}: its model does not begin with the weights that the session agreed on"
        return Finding(False, text, "learnae run --model MODULE:FUNCTION, with the code that the session's founder has")
    return Finding(True, f"framework {name!r} opens, and its model is the session's")
