"""Providers closed whatever happens: one that hangs or fails costs a notice, and keeps none of the others open."""

import asyncio
from collections.abc import Awaitable, Callable

from learnae.values.journal import AnyFact, Notice

CLOSING_TIMEOUT_S = 5.0
"""How long one provider may take to close."""


async def close_provider(name: str, aclose: Callable[[], Awaitable[None]], note: Callable[[AnyFact], None]) -> None:
    """Close one provider.

    Args:
        name: For the operator, such as ``transport localfs``.
        aclose: Its method.
        note: Writes a fact to the journal.
    """
    try:
        async with asyncio.timeout(CLOSING_TIMEOUT_S):
            await aclose()
    except TimeoutError:
        note(Notice(f"the {name} did not close within {CLOSING_TIMEOUT_S:g} s"))
    except Exception as exc:  # it is a stranger's code, and the peer has ended
        note(Notice(f"the {name} could not be closed: {type(exc).__name__}: {exc}"))
