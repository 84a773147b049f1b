"""How a plugin offers a capability: a name, a summary, its options, and a function that opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from learnae.values.ids import PeerId, SessionId
    from learnae.values.manifest import Manifest

T_co = TypeVar("T_co", covariant=True)
OptionValue = str | int | float | bool


class Capability(StrEnum):
    """The kinds of provider."""

    TRANSPORT = "transport"
    STORAGE = "storage"
    SENSORS = "sensors"
    FRAMEWORK = "framework"


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a provider: key ``name`` of the section ``[plugins.PROVIDER]`` of ``learnae.toml``.

    Attributes:
        name: The key, lower case with underscores.
        default: What it is when nobody sets it; its type is the option's type. ``None`` means text without a default.
        summary: One line for ``--help`` and the commented configuration.
        flag: A command-line option of its own, such as ``--folder``; without one ``--set plugins.PROVIDER.KEY=VALUE`` serves.
        path: Whether it is a path: in a file, a relative one refers to the file's folder.
        several: Whether the flag may be given several times; the values are joined by commas. For text without a default.
    """

    name: str
    default: OptionValue | None
    summary: str
    flag: str | None = None
    path: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What a provider knows when it is opened.

    Attributes:
        manifest: The session's terms.
        session: The session's id.
        rendezvous: 64 hexadecimal digits under which the session's peers meet on a ledger. It is derived from the session's
            id and secret, so that who lacks the secret cannot tell which session it is.
        peer: The own id.
        owner: 64 hexadecimal digits that stand for the own id on a ledger, blinded in the same way.
        state: A folder of this peer's that the provider may use; it exists and is private.
        options: The provider's own options, complete: defaults are filled in.
        model: ``module:function`` that the operator named for a custom architecture, framework only.
        training: ``optimiser``, ``learning_rate`` and so on, framework only (see ``learnae.config.training``).
        network_key: 64 hexadecimal digits that only who has the session's secret can compute, for a ledger that can keep
            strangers out of its network; ``None`` if the session has no secret.
        secret_file: The file with the session's secret, for a provider that opens what others than peers sealed; ``None`` if it
            has none. ``learnae.read_secret`` reads it.
        tell: Takes a sentence for the operator, in any thread: what a provider had to do without being asked, or cannot do.
    """

    manifest: Manifest
    session: SessionId
    rendezvous: str
    peer: PeerId
    owner: str
    state: Path
    options: Mapping[str, OptionValue | None] = field(default_factory=dict)
    model: str | None = None
    training: Mapping[str, object] = field(default_factory=dict)
    network_key: str | None = None
    secret_file: Path | None = None
    tell: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``learnae check``.

    Attributes:
        ok: Whether this is as it must be.
        text: What was looked at and what was found.
        advice: What to type if it is not.
    """

    ok: bool
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Provider(Generic[T_co]):
    """One capability of a plugin, as its hook returns it. Making one must cost nothing: heavy imports belong into ``open``.

    Attributes:
        name: By which the operator chooses it: lower-case letters, digits and hyphens.
        summary: One line for ``learnae plugins``.
        open: Imports what it needs and builds the object. Raises ``ProviderError`` if something is missing, and says what to
            type; ``ConfigError`` for an option that it cannot use.
        options: Its settings.
        check: Looks whether ``open`` would work, for ``learnae check``; must not create anything that stays, neither in
            ``Context.state``, which is the folder that ``open`` would get and need not be there yet, nor elsewhere.
    """

    name: str
    summary: str
    open: Callable[[Context], T_co]
    options: tuple[Option, ...] = ()
    check: Callable[[Context], Sequence[Finding]] | None = None
