"""What is installed: providers, where they come from, and what failed to load; ``learnae plugins --json`` is a ``Listing``."""

from dataclasses import dataclass
from typing import Any

import msgspec

from learnae.interfaces.provider import Capability, OptionValue, Provider


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a plugin comes from.

    Attributes:
        plugin: The name of its entry point, or of the module that a program handed over.
        distribution: The installed distribution, such as ``learnae-localfs``; none for a module that a program handed over.
        version: That distribution's version.
    """

    plugin: str
    distribution: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        """Write it for people."""
        return f"{self.distribution} {self.version}" if self.distribution else f"the module {self.plugin}"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin, or one hook of it, that does not work; everything else goes on.

    Attributes:
        hook: The hook that failed; none if the plugin as a whole could not be loaded.
        error: What went wrong, in one line.
    """

    source: Source
    error: str
    hook: str | None = None


class OptionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One option of a provider."""

    name: str
    default: OptionValue | None
    summary: str
    flag: str | None


class ProviderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One provider, without the function that opens it."""

    capability: Capability
    name: str
    summary: str
    source: Source
    options: tuple[OptionLine, ...]


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Several providers of one capability under one name: none of them can be used until all but one are uninstalled."""

    capability: Capability
    name: str
    sources: tuple[Source, ...]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that ``learnae plugins`` shows."""

    providers: tuple[ProviderLine, ...]
    failures: tuple[Failure, ...]
    clashes: tuple[Clash, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A provider and where it comes from."""

    provider: Provider[Any]
    capability: Capability
    source: Source

    def line(self) -> ProviderLine:
        """Return what of it can be written down."""
        return ProviderLine(
            capability=self.capability,
            name=self.provider.name,
            summary=self.provider.summary,
            source=self.source,
            options=tuple(
                OptionLine(name=option.name, default=option.default, summary=option.summary, flag=option.flag)
                for option in self.provider.options
            ),
        )
