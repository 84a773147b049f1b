"""Lengths of time as an operator writes them: ``90s``, ``10m``, ``2h``, ``1h30m``."""

import re

from learnae.errors import ConfigError

DURATION = r"(?=[0-9])(?:[0-9]{1,6}d)?(?:[0-9]{1,6}h)?(?:[0-9]{1,6}m)?(?:[0-9]{1,9}(?:\.[0-9]{1,3})?s)?"
"""The pattern of a duration: days, hours, minutes and seconds, in this order, each at most once."""

_PARTS = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9.]+)s)?")


def parse_duration(text: str) -> float:
    """Read a duration.

    Args:
        text: Such as ``90s``, ``10m``, ``2h`` or ``1h30m``; seconds may have up to three decimals.

    Returns:
        Seconds, at least 0.

    Raises:
        ConfigError: It is no duration.
    """
    parts = _PARTS.fullmatch(text) if re.fullmatch(DURATION, text) else None
    if parts is None:
        message = f"{text[:40]!r} is no duration; write one such as 90s, 10m, 2h or 1h30m"
        raise ConfigError(message)
    days, hours, minutes, seconds = (float(part or 0) for part in parts.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def format_duration(seconds: float) -> str:
    """Write a duration so that ``parse_duration`` reads it back, to the millisecond.

    Args:
        seconds: At least 0, finite.
    """
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = "".join(f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count)
    if rest or not text:
        text += f"{rest / 1000:g}s" if rest % 1000 == 0 else f"{rest / 1000:.3f}".rstrip("0") + "s"
    return text
