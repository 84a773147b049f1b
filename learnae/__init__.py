"""LEARNAE: train one neural network together, with no server, no shared model and no owner.

This module is the public face: what it exports stays. Names are loaded when they are first used, so that ``import learnae`` is
cheap and imports neither NumPy nor any plugin.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from learnae.applying.model import Model, load_model
    from learnae.applying.states import offered_locators
    from learnae.codec.seal import read_secret
    from learnae.config.resolve import load_settings
    from learnae.config.settings import PeerSettings
    from learnae.errors import (
        BadContentError,
        ClonedIdentityError,
        ConfigError,
        DamagedError,
        DataError,
        ForgedError,
        IllegalTransitionError,
        LearnaeError,
        NotFoundError,
        OperatorError,
        PeerError,
        ProviderError,
        StateError,
        TooLargeError,
        UnavailableError,
        UsageError,
        WorldError,
    )
    from learnae.founding import found_session, write_folder
    from learnae.hookspecs import hookimpl
    from learnae.interfaces.commands import DescribedPeer, PeerCommands
    from learnae.interfaces.framework import ModelFramework, Trained
    from learnae.interfaces.provider import Capability, Context, Finding, Option, Provider
    from learnae.interfaces.sensors import Packet, Reading, SensorSource
    from learnae.interfaces.storage import Storage
    from learnae.interfaces.transport import Transport
    from learnae.plugins.facade import Plugins
    from learnae.runtime.peer import Outcome
    from learnae.runtime.running import run_peer
    from learnae.values.announcements import ModelRecord
    from learnae.values.arrays import Rows, Weights
    from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role, Task
    from learnae.values.ids import Digest, Locator, PeerId, SensorId, SessionId
    from learnae.values.journal import PhaseChanged
    from learnae.values.manifest import Custom, Limits, Manifest, Mlp, Parameter
    from learnae.values.scores import Score

    __version__: str

__all__ = [
    "Averaging",
    "BadContentError",
    "Capability",
    "ClonedIdentityError",
    "ConfigError",
    "Context",
    "Custom",
    "Cycle",
    "DamagedError",
    "DataError",
    "DescribedPeer",
    "Digest",
    "Finding",
    "ForgedError",
    "IllegalTransitionError",
    "Judge",
    "LearnaeError",
    "Limits",
    "Locator",
    "Manifest",
    "Mlp",
    "Model",
    "ModelFramework",
    "ModelRecord",
    "NotFoundError",
    "OperatorError",
    "Option",
    "Outcome",
    "Packet",
    "Parameter",
    "PeerCommands",
    "PeerError",
    "PeerId",
    "PeerSettings",
    "Phase",
    "PhaseChanged",
    "Plugins",
    "Provider",
    "ProviderError",
    "Reading",
    "Role",
    "Rows",
    "Score",
    "SensorId",
    "SensorSource",
    "SessionId",
    "StateError",
    "Storage",
    "Task",
    "TooLargeError",
    "Trained",
    "Transport",
    "UnavailableError",
    "UsageError",
    "Weights",
    "WorldError",
    "__version__",
    "found_session",
    "hookimpl",
    "load_model",
    "load_settings",
    "offered_locators",
    "read_secret",
    "run_peer",
    "write_folder",
]

_HOMES = {
    "learnae.applying.model": ("Model", "load_model"),
    "learnae.applying.states": ("offered_locators",),
    "learnae.codec.seal": ("read_secret",),
    "learnae.config.resolve": ("load_settings",),
    "learnae.config.settings": ("PeerSettings",),
    "learnae.errors": (
        "BadContentError",
        "ClonedIdentityError",
        "ConfigError",
        "DamagedError",
        "DataError",
        "ForgedError",
        "IllegalTransitionError",
        "LearnaeError",
        "NotFoundError",
        "OperatorError",
        "PeerError",
        "ProviderError",
        "StateError",
        "TooLargeError",
        "UnavailableError",
        "UsageError",
        "WorldError",
    ),
    "learnae.founding": ("found_session", "write_folder"),
    "learnae.hookspecs": ("hookimpl",),
    "learnae.interfaces.commands": ("DescribedPeer", "PeerCommands"),
    "learnae.interfaces.framework": ("ModelFramework", "Trained"),
    "learnae.interfaces.provider": ("Capability", "Context", "Finding", "Option", "Provider"),
    "learnae.interfaces.sensors": ("Packet", "Reading", "SensorSource"),
    "learnae.interfaces.storage": ("Storage",),
    "learnae.interfaces.transport": ("Transport",),
    "learnae.plugins.facade": ("Plugins",),
    "learnae.runtime.peer": ("Outcome",),
    "learnae.runtime.running": ("run_peer",),
    "learnae.values.announcements": ("ModelRecord",),
    "learnae.values.arrays": ("Rows", "Weights"),
    "learnae.values.choices": ("Averaging", "Cycle", "Judge", "Phase", "Role", "Task"),
    "learnae.values.ids": ("Digest", "Locator", "PeerId", "SensorId", "SessionId"),
    "learnae.values.journal": ("PhaseChanged",),
    "learnae.values.manifest": ("Custom", "Limits", "Manifest", "Mlp", "Parameter"),
    "learnae.values.scores": ("Score",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker that saw __getattr__ would believe in every name

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415  # costs more than all the rest of this module

            value = version("learnae")
        elif name in _HOME_OF:
            from importlib import import_module  # noqa: PLC0415  # kept out of the module's public names

            value = getattr(import_module(_HOME_OF[name]), name)
        else:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
