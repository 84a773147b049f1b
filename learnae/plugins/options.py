"""The options of a provider: defaults filled in, values checked against them."""

import math
from collections.abc import Collection, Mapping

from learnae.config.suggestions import did_you_mean, shown
from learnae.errors import ConfigError
from learnae.interfaces.provider import Option, OptionValue

_ACCEPTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def complete_options(
    name: str, options: Collection[Option], given: Mapping[str, object], *, elsewhere: Collection[str] = ()
) -> dict[str, OptionValue | None]:
    """Return all options of a provider: what is given, else the default.

    Args:
        name: The provider's, for errors.
        options: What it takes.
        given: The section ``[plugins.NAME]``; text is converted, so that the environment can set everything.
        elsewhere: Keys of the section that belong to a provider of another capability with the same name.

    Raises:
        ConfigError: An unknown key, or a value that is not of the option's type.
    """
    check_keys(name, given, {option.name for option in options} | set(elsewhere))
    return {
        option.name: _fitted(name, option, given[option.name]) if option.name in given else option.default for option in options
    }


def check_keys(name: str, given: Collection[str], known: Collection[str]) -> None:
    """Refuse keys of a section that nobody knows.

    Raises:
        ConfigError: There is one.
    """
    for key in sorted(set(given) - set(known)):
        advice = did_you_mean(key, known) or (f"; it has {', '.join(sorted(known))}" if known else "; it has no options")
        message = f"plugins.{name} has no option {key[:80]!r}{advice}"
        raise ConfigError(message)


def _fitted(name: str, option: Option, value: object) -> OptionValue | None:
    kind = str if option.default is None else type(option.default)
    if option.default is None and (value is None or value == ""):
        return None
    try:
        return _converted(kind, value)
    except (TypeError, ValueError, OverflowError) as error:
        message = f"plugins.{name}.{option.name} = {shown(value)} cannot be used; accepted: {_ACCEPTED[kind]}"
        raise ConfigError(message) from error


def _converted(kind: type[OptionValue], value: object) -> OptionValue:
    if kind is bool and isinstance(value, str):
        return {"true": True, "false": False}[value.lower()] if value.lower() in {"true", "false"} else _refuse(value)
    if isinstance(value, bool) is not (kind is bool):
        return _refuse(value)
    if kind is int and isinstance(value, str):
        return int(value)
    if kind is float and isinstance(value, str | int | float):
        number = float(value)
        return number if math.isfinite(number) else _refuse(value)
    return value if isinstance(value, kind) else _refuse(value)


def _refuse(value: object) -> OptionValue:
    raise ValueError(value)
