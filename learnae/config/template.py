"""Settings as text: the commented ``learnae.toml``, and the table of the manual."""

import json
import re
from collections.abc import Mapping
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from learnae.config.schema import every_setting
from learnae.config.settings import PeerSettings

HEADER = """\
# The settings of this peer. A line that begins with "#" and a key shows the default; take the "#" away to change it.
# Each setting can also be given in the environment (LEARNAE_NETWORK__TRANSPORT=localfs) or as an option, which win.
# Relative paths refer to the folder of this file.
"""


class PluginSetting(Protocol):
    """An option of a plugin, as far as a template needs it."""

    @property
    def default(self) -> object:
        """What it is when nobody sets it."""

    @property
    def summary(self) -> str:
        """One line of help."""


def commented_toml(settings: PeerSettings, summaries: Mapping[str, PluginSetting] | None = None) -> str:
    """Write a ``learnae.toml`` that, loaded, gives these settings: every key, its help, and its default behind a ``#``.

    Args:
        settings: What differs from the defaults is set.
        summaries: Dotted key, such as ``plugins.localfs.folder``, to the plugin's option (``Plugins.options()``).
    """
    lines = [HEADER.rstrip("\n")]
    for section, members in groupby(every_setting(), attrgetter("section")):
        lines += ["", f"[{section}]"]
        for setting in members:
            value = getattr(getattr(settings, section), setting.name)
            lines += [f"# {setting.summary}", f"# Accepted: {setting.accepted}."]
            lines.append(_line(setting.name, value, is_default=value == setting.default))
    summaries = summaries or {}
    known = {tuple(key.split(".", 2)[1:]): what for key, what in summaries.items()}
    for name in sorted(settings.plugins.keys() | {plugin for plugin, _ in known}):
        lines += ["", f"[plugins.{name}]"]
        values = settings.plugins.get(name, {})
        for key in sorted(values.keys() | {option for plugin, option in known if plugin == name}):
            what = known.get((name, key))
            if what is not None:
                lines.append(f"# {what.summary}")
            default = what.default if what is not None else None
            lines.append(_line(key, values.get(key, default), is_default=key not in values))
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """Write every setting as a Markdown table: key, default, what is accepted, what it is."""
    rows = [
        f"| `{setting.key}` | {_shown_default(setting.default)} | {setting.accepted} | {setting.summary} |"
        for setting in every_setting()
    ]
    return "\n".join(["| key | default | accepted | what it is |", "|---|---|---|---|", *rows]) + "\n"


def toml_value(value: object) -> str:
    """Write a value as TOML does; none is an empty text.

    Args:
        value: Text, a number, a truth value, a path, ``None``, or lists and tables of those.
    """
    match value:
        case None:
            return '""'
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            # TOML's basic strings are JSON's, but for the delete character.
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(toml_value(each) for each in value)}]"
        case dict():
            pairs = ", ".join(f"{_key(str(key))} = {toml_value(each)}" for key, each in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case _:
            raise TypeError(value)


def _line(key: str, value: object, *, is_default: bool) -> str:
    return f"{'#' if is_default else ''}{_key(key)} = {toml_value(value)}"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)


def _shown_default(value: object) -> str:
    return "none" if value is None else f"`{toml_value(value)}`"
