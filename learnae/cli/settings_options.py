"""Every key of ``learnae.toml`` as an option of a command; help and checks stand in ``learnae.config`` and in the plugins."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from learnae.config.resolve import Resolved, load_settings
from learnae.config.schema import Setting, every_setting
from learnae.errors import ConfigError

if TYPE_CHECKING:
    from learnae.interfaces.provider import Option
    from learnae.plugins.facade import Plugins

DEFAULT_FILE = Path("learnae.toml")
NAMES = {
    "averaging.policy": "--averaging",
    "peer.private": "--private/--share",
    "keeping.own_models": "--keep-own-models",
    "keeping.own_hashlists": "--keep-own-hashlists",
    "keeping.foreign_models": "--keep-foreign-models",
    "keeping.foreign_slices": "--keep-foreign-slices",
    "keeping.foreign_hashlists": "--keep-foreign-hashlists",
}
"""Options that are not called after their key."""

RESERVED = frozenset({"--config", "--set", "--json", "--quiet", "--plain", "--help", "--version"})
PLUGINS = "Plugins"
FILES = "Where settings come from"


@dataclass(frozen=True, slots=True)
class SettingOption:
    """One option.

    Attributes:
        parameter: Its name in Python.
        flag: As it is typed: ``--epochs``; for a switch also its opposite: ``--private/--share``.
        keys: The dotted keys that it sets; more than one where plugins share a flag.
        metavar: What stands for its value; none for a switch.
        summary: One line of help.
        heading: The heading under which ``--help`` shows it.
        is_list: Whether it may be given several times.
    """

    parameter: str
    flag: str
    keys: tuple[str, ...]
    metavar: str | None
    summary: str
    heading: str
    is_list: bool = False

    def as_parameter(self) -> inspect.Parameter:
        """Return what typer makes an option of."""
        kind: Any = bool | None if self.metavar is None else list[str] | None if self.is_list else str | None
        told = typer.Option(self.flag, metavar=self.metavar, help=self.summary, rich_help_panel=self.heading, show_default=False)
        return inspect.Parameter(self.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, told])


@dataclass(frozen=True, slots=True)
class Given:
    """What the operator typed.

    Attributes:
        file: Which ``learnae.toml`` was named, if any.
        overrides: Dotted key to value.
        flags: Dotted key to the option that set it.
    """

    file: Path | None
    overrides: Mapping[str, object]
    flags: Mapping[str, str]

    def resolve(self, plugins: Plugins) -> Resolved:
        """Put the settings together: defaults, the file, the environment, the options.

        Raises:
            ConfigError: Something cannot be used.
        """
        file = self.file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
        paths = {key for key, option in plugins.options().items() if option.path}
        return load_settings(file, self.overrides, os.environ, flags=self.flags, paths=paths)


def setting_options(plugins: Plugins) -> tuple[SettingOption, ...]:
    """List the options for all settings, and those that plugins want to have; a plugin cannot take away a name of ours."""
    ours = [_of_setting(setting) for setting in every_setting()]
    taken = RESERVED | {name for option in ours for name in option.flag.split("/")}
    theirs: dict[str, SettingOption] = {}
    for key, option in plugins.options().items():
        if option.flag is None or option.flag in taken:
            continue
        known = theirs.get(option.flag)
        theirs[option.flag] = _of_plugin(key, option) if known is None else _shared(known, key, option)
    return (*ours, *theirs.values())


def with_settings(function: Callable[..., None], plugins: Plugins) -> Callable[..., None]:
    """Give a command an option for every setting; it gets what was typed as its argument ``given``."""
    options = setting_options(plugins)
    own = [each for each in inspect.signature(function, eval_str=True).parameters.values() if each.name != "given"]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    parameters += [*_FILES, *(option.as_parameter() for option in options)]

    def command(**values: Any) -> None:  # noqa: ANN401  # whatever typer makes of them
        rest = {each.name: values[each.name] for each in own}
        function(given=_collected(options, values), **rest)

    command.__name__ = function.__name__
    command.__module__ = function.__module__
    command.__doc__ = function.__doc__
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer and inspect look for it
    return command


def _collected(options: tuple[SettingOption, ...], values: Mapping[str, Any]) -> Given:
    overrides: dict[str, object] = {}
    for text in values["set_"] or ():
        key, separator, value = text.partition("=")
        if not separator:
            raise ConfigError(f"--set {text}: write --set KEY=VALUE, such as --set network.transport=localfs")
        overrides[key.strip()] = value.strip()
    flags: dict[str, str] = {}
    for option in options:
        value = values[option.parameter]
        if value is None or value == []:
            continue
        for key in option.keys:
            overrides[key] = ",".join(value) if option.is_list else value
            on, _, off = option.flag.partition("/")
            flags[key] = off if value is False else on
    return Given(values["config"], overrides, flags)


def _of_setting(setting: Setting) -> SettingOption:
    flag = NAMES.get(setting.key, f"--{setting.name.removesuffix('_s').replace('_', '-')}")
    metavar = _metavar(setting)
    if metavar is None and "/" not in flag:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    default = setting.default
    shown = "" if default in (None, (), {}) or metavar is None else f" [{default}]"
    return SettingOption(
        setting.key.replace(".", "__"),
        flag,
        (setting.key,),
        metavar,
        setting.summary + shown,
        setting.section.capitalize(),
        setting.shape == "list",
    )


def _metavar(setting: Setting) -> str | None:  # noqa: PLR0911  # a table of kinds
    if setting.accepted.startswith("true or false"):
        return None
    if setting.path:
        return "PATH"
    if setting.key == "peer.until":
        return "converged|forever|TIME"
    if setting.section == "keeping":
        return setting.accepted.partition(" such as ")[0].replace(", or ", "|").replace(", ", "|")
    match setting.shape, setting.default:
        case "list", _:
            return "A,B"
        case "table", _:
            return "{ A = 1 }"
        case _, StrEnum() as choice:
            return "|".join(type(choice))
        case _, float():
            return "SECONDS" if setting.name.endswith("_s") else "NUMBER"
        case _ if setting.accepted.startswith("a whole number"):
            return "N"
        case _:
            return "NAME"


def _of_plugin(key: str, option: Option) -> SettingOption:
    flag = str(option.flag)
    metavar: str | None = "PATH" if option.path else "VALUE"
    if isinstance(option.default, bool):
        metavar, flag = None, f"{flag}/--no-{flag.removeprefix('--')}"
    shown = "" if option.default is None or metavar is None else f" [{option.default}]"
    summary = f"{option.summary}{shown} ({key.split('.')[1]})"
    several = option.several and metavar == "VALUE"
    return SettingOption(f"flag{str(option.flag).replace('-', '_')}", flag, (key,), metavar, summary, PLUGINS, several)


def _shared(known: SettingOption, key: str, option: Option) -> SettingOption:
    """Let one option serve several plugins, so that none can take another's away; one of another kind is left to ``--set``."""
    other = _of_plugin(key, option)
    if (other.flag, other.metavar, other.is_list) != (known.flag, known.metavar, known.is_list):
        return known
    return replace(known, keys=(*known.keys, key), summary=f"{known.summary}; {other.summary}")


_FILES = (
    inspect.Parameter(
        "config",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="FILE",
                help="The settings; by default learnae.toml in the current folder, if it is there.",
                rich_help_panel=FILES,
            ),
        ],
    ),
    inspect.Parameter(
        "set_",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="Any setting by its key, such as plugins.localfs.fsync=false; may be given several times.",
                rich_help_panel=FILES,
                show_default=False,
            ),
        ],
    ),
)
