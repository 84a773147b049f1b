"""Sentences that help after a slip of the finger."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``; did you mean 'choice'?`` for the closest choice, or nothing if none is close."""
    close = get_close_matches(word[:80].lower(), sorted(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def either(choices: Sequence[str]) -> str:
    """Write choices as ``a, b or c``."""
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def shown(value: object) -> str:
    """Write a value for an error message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
