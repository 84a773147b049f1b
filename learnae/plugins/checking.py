"""What a registering hook returned: checked before anything relies on it."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from learnae.errors import ProviderError
from learnae.interfaces.provider import Option, Provider

PROVIDER_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
OPTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
FLAG = re.compile(r"--[a-z][a-z0-9-]{0,63}")
MOST = 1_000


def checked_providers(returned: object) -> tuple[Provider[Any], ...]:
    """Return the providers that a hook returned.

    Raises:
        ProviderError: It returned something else, or a provider that nobody could use.
    """
    if not isinstance(returned, Iterable) or isinstance(returned, str | bytes):
        message = f"returned {type(returned).__name__} instead of a list of Provider"
        raise ProviderError(message)
    providers = tuple(islice(returned, MOST))
    for provider in providers:
        _check_provider(provider)
    return providers


def _check_provider(returned: object) -> None:
    if not isinstance(returned, Provider):
        message = f"returned {type(returned).__name__} where a Provider belongs"
        raise ProviderError(message)
    provider: Any = returned  # what a stranger puts into its fields need not be of the declared types
    if not isinstance(provider.name, str) or not PROVIDER_NAME.fullmatch(provider.name):
        message = f"the name {provider.name!r} cannot be typed; use small letters, digits and hyphens, a letter first"
    elif not isinstance(provider.summary, str):
        message = f"the summary of {provider.name!r} is no text"
    elif not callable(provider.open) or not (provider.check is None or callable(provider.check)):
        message = f"open or check of {provider.name!r} cannot be called"
    elif not isinstance(provider.options, tuple) or not all(_is_usable(option) for option in provider.options):
        message = f"options of {provider.name!r} must be a tuple of Option with names such as 'poll_s' and flags such as '--poll'"
    elif len({option.name for option in provider.options}) < len(provider.options):
        message = f"two options of {provider.name!r} have one name"
    else:
        return
    raise ProviderError(message)


def _is_usable(found: object) -> bool:
    option: Any = found
    return (
        isinstance(found, Option)
        and _matches(OPTION_NAME, option.name)
        and isinstance(option.default, str | int | float | bool | None)
        and isinstance(option.summary, str)
        and (option.flag is None or _matches(FLAG, option.flag))
    )


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None
