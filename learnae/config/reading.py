"""One value at a time: from a TOML value, or from text, to what a setting's type says."""

import math
import tomllib
from pathlib import Path

import msgspec

from learnae.config.schema import Setting
from learnae.config.suggestions import shown
from learnae.errors import ConfigError


def read_value(setting: Setting, value: object, source: str) -> object:
    """Check a value against its setting.

    Args:
        setting: Which one.
        value: A value as TOML or Python has it, or text: text is converted, so that the environment and the command line can
            set everything. Lists are written ``a,b`` there, tables as inline TOML, none as nothing.
        source: Where it comes from, for the error.

    Raises:
        ConfigError: The setting does not accept it.
    """
    try:
        return _convert(setting, value)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, ValueError) as error:
        message = f"{source}: {setting.key} = {shown(value)} cannot be used; accepted: {setting.accepted}"
        raise ConfigError(message) from error


def _convert(setting: Setting, value: object) -> object:
    if value == "" and setting.optional:
        return None
    if isinstance(value, str) and setting.shape == "list":
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, str) and setting.shape == "table":
        value = tomllib.loads(f"value = {value}")["value"] if value.strip() else {}
    elif setting.path and isinstance(value, str) and ("\0" in value or not value):
        raise ValueError(value)
    found: object = msgspec.convert(value, setting.annotation, strict=not isinstance(value, str), dec_hook=_path)
    numbers = found.values() if isinstance(found, dict) else [found]
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise ValueError(value)
    return found


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(value)
