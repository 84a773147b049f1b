"""Options that hold a list in one text: ``--features f0,f1`` and ``--hidden 64,32``."""

from learnae.errors import ConfigError


def names(text: str) -> tuple[str, ...]:
    """Take the names apart; blanks around them, and empty ones, are left out."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def widths(text: str) -> tuple[int, ...]:
    """Take the widths of hidden layers apart; their bounds are the manifest's business.

    Raises:
        ConfigError: One of them is no whole number.
    """
    try:
        return tuple(int(part) for part in names(text))
    except ValueError as error:
        raise ConfigError(f"--hidden {text}: write widths such as 64,32, or an empty text for none") from error
