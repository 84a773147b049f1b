"""Which files stay offered, as an operator writes it: ``all``, ``last 3``, ``best``, ``none``."""

import re
from typing import Final

from learnae.errors import ConfigError
from learnae.values.persistency import ALL, BEST, NONE, Policy

LAST: Final = "last [1-9][0-9]{0,5}"
"""The pattern of the latest so many."""

_WORDS: Final = {"all": ALL, "best": BEST, "none": NONE}


def parse_policy(text: str) -> Policy:
    """Read a policy.

    Args:
        text: ``all``, ``best``, ``none``, or ``last N`` with N from 1 to 999999.

    Raises:
        ConfigError: It is no policy.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not re.fullmatch(LAST, text):
        message = f"{text[:40]!r} is no policy; write all, best, none, or last and a number, such as last 3"
        raise ConfigError(message)
    return Policy(last=int(text.removeprefix("last ")))
