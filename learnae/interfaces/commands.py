"""What a plugin's own commands are given: all options of ``learnae run``, and the peer that they describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from learnae.interfaces.provider import Context


@dataclass(frozen=True, slots=True)
class DescribedPeer:
    """The peer that the options of a command describe; it may run at the same time.

    Attributes:
        context: What the provider would be opened with if the peer were started with these options. Its folder exists. Its
            ``peer`` and ``owner`` are nobody's if the peer was never started: ``is_known`` tells. ``tell`` writes to stderr.
        state: The peer's state folder. It exists; what is in it belongs to the peer.
        is_known: Whether the peer was started before.
        runs: Whether it runs now.
    """

    context: Context
    state: Path
    is_known: bool
    runs: bool


class PeerCommands(Protocol):
    """Makes commands of functions that want to know which peer they are about."""

    def for_peer(self, provider: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Return a decorator that gives a command all options of ``learnae run``.

        The function has a parameter called ``peer``, which is given a ``DescribedPeer``, and may have others, which become
        options and arguments as typer makes them; all annotations must be known when the hook is called. The decorator goes
        under ``@app.command()``.

        When the command is called, settings are read as for ``learnae run``, and folders for the peer's state are made where
        there are none; no key is made and nothing is opened. What is wrong is one line and exit status 2, as everywhere, and
        so is an error of ``OperatorError`` or ``WorldError`` that the function raises.

        Args:
            provider: The name of the plugin's provider, whose options the context has.
        """
