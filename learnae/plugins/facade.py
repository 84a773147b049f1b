"""The one place that talks to plugins."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import pluggy

from learnae import hookspecs
from learnae.config.suggestions import did_you_mean
from learnae.errors import ConfigError, LearnaeError, ProviderError
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Capability, Context, Finding, Option, Provider
from learnae.interfaces.sensors import SensorSource
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.plugins.checking import checked_providers
from learnae.plugins.listing import Clash, Failure, Listed, Listing, Source
from learnae.plugins.loading import described, load_plugins
from learnae.plugins.options import complete_options
from learnae.values.announcements import ModelRecord
from learnae.values.ids import PeerId
from learnae.values.journal import PhaseChanged

if TYPE_CHECKING:
    import typer

    from learnae.interfaces.commands import PeerCommands

_LOG = logging.getLogger(__name__)
_HOOKS = {
    Capability.TRANSPORT: "learnae_transports",
    Capability.STORAGE: "learnae_storages",
    Capability.SENSORS: "learnae_sensor_sources",
    Capability.FRAMEWORK: "learnae_frameworks",
}
_NOUNS = {
    Capability.TRANSPORT: "transport",
    Capability.STORAGE: "storage",
    Capability.SENSORS: "sensor source",
    Capability.FRAMEWORK: "framework",
}


@dataclass(frozen=True, slots=True)
class _Member:
    """A plugin with a manager of its own, so that nothing it does in a hook can silence another one."""

    source: Source
    manager: pluggy.PluginManager


class Plugins:
    """The plugins of one program; whatever a stranger's one does, the others go on.

    What fails is logged as a warning and kept in ``failures``. Not for several threads at a time.
    """

    def __init__(self, found: Iterable[tuple[Source, object] | Failure]) -> None:
        """Take plugins as ``discover`` and ``of`` find them."""
        self._failures: list[Failure] = []
        self._members: list[_Member] = []
        for each in found:
            if isinstance(each, Failure):
                self._fail(each)
            else:
                self._register(*each)
        self._listed = [
            listed for capability in Capability for member in self._members for listed in self._ask(member, capability)
        ]
        self._listed.sort(key=lambda listed: (listed.capability, listed.provider.name, str(listed.source)))

    @classmethod
    def discover(cls) -> Self:
        """Load every installed plugin: the entry points of the group ``learnae``, the built-in ones among them."""
        return cls(load_plugins(hookspecs.PROJECT))

    @classmethod
    def of(cls, *plugins: object) -> Self:
        """Take these modules or objects, and nothing that is installed: for tests, and for programs that embed a peer."""
        return cls((Source(plugin=str(getattr(plugin, "__name__", type(plugin).__name__))), plugin) for plugin in plugins)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What has failed so far."""
        return tuple(self._failures)

    def providers(self, capability: Capability | None = None) -> list[Listed]:
        """List what is there, sorted by capability and name; those that clash are among them."""
        return [listed for listed in self._listed if capability in {None, listed.capability}]

    def clashes(self) -> tuple[Clash, ...]:
        """List the names that several providers of one capability have."""
        groups: dict[tuple[Capability, str], list[Source]] = {}
        for listed in self._listed:
            groups.setdefault((listed.capability, listed.provider.name), []).append(listed.source)
        return tuple(
            Clash(capability=capability, name=name, sources=tuple(sources))
            for (capability, name), sources in groups.items()
            if len(sources) > 1
        )

    def listing(self) -> Listing:
        """Return everything that ``learnae plugins`` shows."""
        return Listing(providers=tuple(listed.line() for listed in self._listed), failures=self.failures, clashes=self.clashes())

    def options(self) -> dict[str, Option]:
        """Map ``plugins.NAME.KEY`` to the option, for every provider: what the command line and a template need to know."""
        return {
            f"plugins.{listed.provider.name}.{option.name}": option
            for listed in self._listed
            for option in listed.provider.options
        }

    def get(self, capability: Capability, name: str) -> Provider[Any]:
        """Return the provider of that name.

        Raises:
            ProviderError: There is none, or more than one.
        """
        return self._find(capability, name).provider

    def storage_for(self, transport: str) -> str:
        """Return the name of the storage that comes with a transport: the one of the same name.

        Raises:
            ProviderError: There is none.
        """
        names = self._names(Capability.STORAGE)
        if transport in names:
            return transport
        message = (
            f"no storage comes with the transport {transport!r}; choose one with network.storage; installed: {_joined(names)}"
        )
        raise ProviderError(message)

    def check_sections(self, tables: Mapping[str, Mapping[str, object]]) -> None:
        """Check all sections ``[plugins.NAME]``, so that a slip is not taken for a section of a plugin that is not in use.

        Raises:
            ConfigError: No provider of that name, no option of that key, or a value that is not of the option's type.
        """
        for name, given in tables.items():
            known: dict[str, Option] = {}
            found = [listed.provider for listed in self._listed if listed.provider.name == name]
            for provider in found:
                known |= {option.name: option for option in provider.options}
            if not found:
                names = sorted({listed.provider.name for listed in self._listed})
                advice = did_you_mean(name, names) or f"; installed: {_joined(names)}"
                message = f"plugins.{name}: there is no plugin of that name{advice}{self._failed()}"
                raise ConfigError(message)
            complete_options(name, list(known.values()), given)

    @overload
    def open(self, capability: Literal[Capability.TRANSPORT], name: str, context: Context) -> Transport: ...
    @overload
    def open(self, capability: Literal[Capability.STORAGE], name: str, context: Context) -> Storage: ...
    @overload
    def open(self, capability: Literal[Capability.SENSORS], name: str, context: Context) -> SensorSource: ...
    @overload
    def open(self, capability: Literal[Capability.FRAMEWORK], name: str, context: Context) -> ModelFramework: ...
    def open(self, capability: Capability, name: str, context: Context) -> object:
        """Build what a provider provides.

        Args:
            capability: What is wanted.
            name: The provider's name.
            context: With the section ``[plugins.NAME]`` as its ``options``; defaults are filled in here.

        Raises:
            ProviderError: No such provider, two of them, or it cannot be opened.
            ConfigError: An option that it does not have or cannot use.
        """
        listed, context = self._completed(capability, name, context)
        try:
            opened: object = listed.provider.open(context)
        except LearnaeError:
            raise
        except (Exception, SystemExit) as error:
            message = f"the {_NOUNS[capability]} {name!r} of {listed.source} cannot be opened: {described(error)}"
            raise ProviderError(message) from error
        if opened is None:
            message = f"the {_NOUNS[capability]} {name!r} of {listed.source} cannot be opened: it returned nothing"
            raise ProviderError(message)
        return opened

    def check(self, capability: Capability, name: str, context: Context) -> tuple[Finding, ...]:
        """Ask a provider whether ``open`` would work; a check that itself fails is a finding.

        Raises:
            ProviderError: No such provider, or two of them.
            ConfigError: An option that it does not have or cannot use.
        """
        listed, context = self._completed(capability, name, context)
        if listed.provider.check is None:
            return ()
        try:
            return tuple(listed.provider.check(context))
        except (Exception, SystemExit) as error:
            advice = f"report it to the authors of {listed.source}"
            return (
                Finding(ok=False, text=f"the check of {_NOUNS[capability]} {name!r} failed: {described(error)}", advice=advice),
            )

    def completed(self, name: str, context: Context) -> Context:
        """Return a context with the options of all providers of that name, of whatever capability; defaults are filled in.

        Raises:
            ProviderError: There is none.
            ConfigError: An option that they do not have or cannot use.
        """
        found = [listed.provider for listed in self._listed if listed.provider.name == name]
        if not found:
            names = sorted({listed.provider.name for listed in self._listed})
            message = f"no provider named {name[:80]!r}; installed: {_joined(names)}{did_you_mean(name, names)}{self._failed()}"
            raise ProviderError(message)
        options = {option.name: option for provider in found for option in provider.options}
        return replace(context, options=complete_options(name, list(options.values()), context.options))

    def announce_transition(self, peer: PeerId, change: PhaseChanged) -> None:
        """Tell every plugin that a peer's machine changed its phase; raises nothing."""
        self._tell("learnae_transition", peer=peer, change=change)

    def announce_best_model(self, peer: PeerId, record: ModelRecord) -> None:
        """Tell every plugin that a peer has a model better than any before; raises nothing."""
        self._tell("learnae_best_model", peer=peer, record=record)

    def add_commands(self, app: "typer.Typer", commands: "PeerCommands") -> None:
        """Let every plugin add its commands; raises nothing."""
        self._tell("learnae_commands", app=app, commands=commands)

    def _register(self, source: Source, plugin: object) -> None:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(plugin, source.plugin)
            manager.check_pending()
            if not manager.get_hookcallers(plugin):
                message = "it implements no hook; put @hookimpl above functions such as learnae_transports"
                raise ProviderError(message)
        except (Exception, SystemExit) as error:
            self._fail(Failure(source=source, error=described(error)))
        else:
            self._members.append(_Member(source, manager))

    def _call(self, member: _Member, hook: str, arguments: Mapping[str, object]) -> list[object]:
        returned: list[object] = getattr(member.manager.hook, hook)(**arguments)
        return returned

    def _ask(self, member: _Member, capability: Capability) -> list[Listed]:
        hook = _HOOKS[capability]
        if not getattr(member.manager.hook, hook).get_hookimpls():
            return []
        try:
            returned = self._call(member, hook, {}) or [None]  # pluggy leaves out a hook that returned None
            return [Listed(provider, capability, member.source) for each in returned for provider in checked_providers(each)]
        except (Exception, SystemExit) as error:
            self._fail(Failure(source=member.source, hook=hook, error=described(error)))
            return []

    def _tell(self, hook: str, **arguments: object) -> None:
        for member in self._members:
            try:
                self._call(member, hook, arguments)
            except (Exception, SystemExit) as error:
                self._fail(Failure(source=member.source, hook=hook, error=described(error)))

    def _fail(self, failure: Failure) -> None:
        if any((known.source, known.hook) == (failure.source, failure.hook) for known in self._failures):
            return  # an announcing hook that raises does so a thousand times
        self._failures.append(failure)
        where = failure.hook or "cannot be loaded"
        _LOG.warning("plugin %s of %s: %s: %s", failure.source.plugin, failure.source, where, failure.error)

    def _find(self, capability: Capability, name: str) -> Listed:
        found = [listed for listed in self.providers(capability) if listed.provider.name == name]
        match found:
            case [listed]:
                return listed
            case []:
                names = self._names(capability)
                advice = did_you_mean(name, names)
                message = f"no {_NOUNS[capability]} named {name[:80]!r}; installed: {_joined(names)}{advice}{self._failed()}"
            case _:
                sources = " and ".join(str(listed.source) for listed in found)
                message = f"{len(found)} plugins provide a {_NOUNS[capability]} named {name!r}: {sources}; uninstall all but one"
        raise ProviderError(message)

    def _completed(self, capability: Capability, name: str, context: Context) -> tuple[Listed, Context]:
        listed = self._find(capability, name)
        namesakes = [other.provider for other in self._listed if other.provider.name == name]
        elsewhere = {option.name for provider in namesakes for option in provider.options}
        options = complete_options(name, listed.provider.options, context.options, elsewhere=elsewhere)
        return listed, replace(context, options=options)

    def _names(self, capability: Capability) -> list[str]:
        return sorted({listed.provider.name for listed in self.providers(capability)})

    def _failed(self) -> str:
        registering = {None, *_HOOKS.values()}
        names = sorted({failure.source.plugin for failure in self._failures if failure.hook in registering})
        return f"; failed to load: {', '.join(names)} (`learnae plugins` says why)" if names else ""


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
