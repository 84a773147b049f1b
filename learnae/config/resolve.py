"""Where settings come from: defaults, then the file, then the environment, then the options of the command."""

import contextlib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from learnae.config.reading import read_value
from learnae.config.schema import Setting, every_setting
from learnae.config.settings import PeerSettings, PluginTables
from learnae.config.suggestions import did_you_mean, shown
from learnae.errors import ConfigError

PREFIX = "LEARNAE_"
"""What names of environment variables begin with: ``LEARNAE_NETWORK__TRANSPORT`` sets ``network.transport``."""

MAX_FILE_BYTES = 1_048_576
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting's effective value and where it comes from.

    Attributes:
        value: The value.
        source: ``default``, the file's path, the environment variable, or the option.
    """

    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The effective settings.

    Attributes:
        settings: All of them.
        origins: By dotted key: every setting, and every option of a plugin that somebody set.
        file: The file that was read, if any.
    """

    settings: PeerSettings
    origins: Mapping[str, Origin] = field(default_factory=dict)
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that somebody set: where, and the folder to which a relative path refers."""

    value: object
    source: str
    folder: Path | None


def load_settings(
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    flags: Mapping[str, str] | None = None,
    paths: Collection[str] = (),
) -> Resolved:
    """Put the settings together; what comes later wins: defaults, the file, the environment, the overrides.

    Args:
        file: A ``learnae.toml``; relative paths in it refer to its folder, as does the default of ``peer.session``.
        overrides: Dotted key to value, such as ``network.transport``; text is converted.
        environment: Usually ``os.environ``; only names such as ``LEARNAE_NETWORK__TRANSPORT`` are looked at.
        flags: Dotted key to the option that set it, for messages; else it is called ``--set KEY``.
        paths: Dotted keys of plugins' options that are paths.

    Raises:
        ConfigError: The file cannot be read, a key is unknown, or a value cannot be used.
    """
    flags = flags or {}
    given: dict[str, _Given] = {}
    if file is not None:
        folder = file.absolute().parent
        given |= {key: _Given(value, str(file), folder) for key, value in _file_values(file)}
    given |= {key: _Given(value, source, None) for key, value, source in _environment_values(environment or {})}
    for key, value in (overrides or {}).items():
        given[key] = _Given(value, flags.get(key, f"--set {key}"), None)
    default_folder = None if file is None else file.absolute().parent
    known = {setting.key: setting for setting in every_setting()}
    origins = {key: Origin(_placed(setting.default, default_folder), DEFAULT) for key, setting in known.items()}
    plugins: PluginTables = {}
    for key, found in given.items():
        if key.startswith("plugins."):
            value = _plugin_value(key, found, paths)
            _, name, option = key.split(".", 2)
            plugins.setdefault(name, {})[option] = value
        else:
            value = _placed(read_value(_known(known, key, found.source), found.value, found.source), found.folder)
        origins[key] = Origin(value, found.source)
    return Resolved(_settings(known, origins, plugins), origins, file)


def _settings(known: Mapping[str, Setting], origins: Mapping[str, Origin], plugins: PluginTables) -> PeerSettings:
    sections: dict[str, dict[str, object]] = {}
    for key, setting in known.items():
        sections.setdefault(setting.section, {})[setting.name] = origins[key].value
    defaults = PeerSettings()
    return PeerSettings(
        **{name: msgspec.structs.replace(getattr(defaults, name), **values) for name, values in sections.items()}, plugins=plugins
    )


def _known(known: Mapping[str, Setting], key: str, source: str) -> Setting:
    if key in known:
        return known[key]
    section, _, name = key.partition(".")
    siblings = [setting.name for setting in known.values() if setting.section == section]
    if siblings and name:
        what, word, choices = f"setting {key[:80]!r}", name, siblings
    else:
        what, word, choices = (
            f"section {section[:80]!r}",
            section,
            [*{setting.section: None for setting in known.values()}, "plugins"],
        )
    moved = [setting.key for setting in known.values() if setting.name == (name or section)]
    advice = f"; did you mean {moved[0]!r}?" if moved else did_you_mean(word, choices)
    message = f"{source}: there is no {what}{advice or '; there are: ' + ', '.join(choices)}"
    raise ConfigError(message)


def _placed(value: object, folder: Path | None) -> object:
    """Turn a path into an absolute one; without a folder it refers to the current one, as typed."""
    if not isinstance(value, Path):
        return value
    with contextlib.suppress(RuntimeError):  # "~stranger": whoever opens it says that there is no such file
        value = value.expanduser()
    return value if folder is None else folder / value


def _plugin_value(key: str, found: _Given, paths: Collection[str]) -> object:
    if not re.fullmatch(r"plugins\.[a-z][a-z0-9-]*\.[a-z][a-z0-9_]*", key):
        message = f"{found.source}: {key[:80]!r} is no setting; options of plugins are named plugins.NAME.KEY"
        raise ConfigError(message)
    value = found.value
    if value is not None and not isinstance(value, str | int | float | bool):
        message = f"{found.source}: {key} = {shown(value)} cannot be used; accepted: a text, a number, true or false"
        raise ConfigError(message)
    return str(_placed(Path(value), found.folder)) if key in paths and isinstance(value, str) and value else value


def _environment_values(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for variable in sorted(environment):
        section, separator, rest = variable.removeprefix(PREFIX).lower().partition("__")
        if not variable.startswith(PREFIX) or not separator:
            continue
        if section == "plugins":
            # A variable's name has no hyphens, a plugin's has no underscores.
            plugin, _, rest = rest.partition("__")
            section = f"plugins.{plugin.replace('_', '-')}"
        yield f"{section}.{rest}", environment[variable], variable


def _file_values(file: Path) -> Iterator[tuple[str, object]]:
    for section, table in _tables(file).items():
        if not isinstance(table, dict):
            if section in PeerSettings.__struct_fields__:
                message = f"{file}: {section} = {shown(table)} is no section; write [{section}], and its settings below it"
                raise ConfigError(message)
            yield section, table  # the caller says in which section it might belong
            continue
        for name, value in table.items():
            if section != "plugins":
                yield f"{section}.{name}", value
            elif isinstance(value, dict):
                yield from ((f"plugins.{name}.{key}", each) for key, each in value.items())
            else:
                message = (
                    f"{file}: plugins.{name[:80]} = {shown(value)} is no section; write [plugins.NAME], and the options below it"
                )
                raise ConfigError(message)


def _tables(file: Path) -> dict[str, object]:
    try:
        if not file.is_file():
            message = f"{file}: there is no such file; `learnae init` writes one"
            raise ConfigError(message)
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            message = f"{file}: larger than {MAX_FILE_BYTES} bytes: this is no configuration"
            raise ConfigError(message)
        return tomllib.loads(content.decode())
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"{file}: not TOML: {error}"
        raise ConfigError(message) from error
