"""Plugins' commands that are about a peer: they take all options of ``learnae run``, and are told which peer these describe."""

from __future__ import annotations

import fcntl
import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnae.cli.output import say
from learnae.cli.settings_options import Given, with_settings
from learnae.errors import OperatorError, StateError, WorldError
from learnae.interfaces.commands import DescribedPeer

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins
    from learnae.values.ids import PeerId


class SettingsCommands:
    """Gives plugins' commands the options of ``learnae run`` (see ``learnae.interfaces.commands.PeerCommands``)."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def for_peer(self, provider: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Return a decorator for commands that are about a peer."""

        def decorate(function: Callable[..., None]) -> Callable[..., None]:
            signature = inspect.signature(function, eval_str=True)

            @functools.wraps(function)
            def command(given: Given, **rest: Any) -> None:  # noqa: ANN401  # whatever the function takes
                try:
                    function(peer=described(given, self._plugins, provider), **rest)
                except WorldError as exc:  # nobody tries again here: it is for the operator to know
                    raise OperatorError(str(exc)) from exc

            own = [each for each in signature.parameters.values() if each.name != "peer"]
            told = inspect.Parameter("given", inspect.Parameter.KEYWORD_ONLY, annotation=Given)
            parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
            command.__signature__ = inspect.Signature([told, *parameters])  # type: ignore[attr-defined]  # inspect looks for it
            return with_settings(command, self._plugins)

        return decorate


def described(given: Given, plugins: Plugins, provider: str) -> DescribedPeer:
    """Say which peer the options of a command describe, and make its folders if they are not there.

    Raises:
        OperatorError: Something in the settings cannot be used, or the folders cannot.
    """
    from learnae.codec.manifests import read_manifest, session_id
    from learnae.config.settings import state_folder
    from learnae.runtime.opening import context_for, read_terms

    settings = given.resolve(plugins).settings
    plugins.check_sections(settings.plugins)
    terms = read_terms(settings)
    state = state_folder(settings, terms.id)
    copy = state / "session.json"
    if copy.exists() and (belongs := session_id(read_manifest(copy))) != terms.id:
        raise StateError(f"{state}: is the state of session {belongs[:16]}, not of {terms.id[:16]}; choose another --state")
    folder = state / f"plugin-{provider}"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StateError(f"{folder}: cannot be made: {exc.strerror}; choose another --state") from exc
    peer = known_peer(state)
    context = context_for(settings, terms, peer or nobody(), folder, provider, tell=say)
    return DescribedPeer(plugins.completed(provider, context), state, is_known=peer is not None, runs=runs(state))


def known_peer(state: Path) -> PeerId | None:
    """Return the id of the peer whose state folder this is; ``None`` if none was started in it. Makes nothing.

    Raises:
        StateError: Its key file cannot be used.
    """
    from learnae.codec.identity import Identity

    key = state / "identity.key"
    return Identity.load_or_create(key)[0].peer if key.exists() else None


def nobody() -> PeerId:
    """Return the id that stands for a peer which is not there."""
    from learnae.values.ids import PeerId

    return PeerId("0" * 64)


def runs(state: Path) -> bool:
    """Say whether a peer uses this state folder now. Makes nothing.

    Raises:
        StateError: The folder cannot be used by this user.
    """
    try:
        lock = os.open(state / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise StateError(f"{state}: cannot be used as a state folder: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as exc:
        raise StateError(f"{state}: cannot be locked: {exc.strerror}; choose a --state folder on a local disk") from exc
    finally:
        os.close(lock)
    return False
