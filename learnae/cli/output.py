"""Where words go: stdout is data, stderr is talk."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def data(text: str) -> None:
    """Write a line, or several, to stdout: what the command was asked for."""
    typer.echo(text)


def data_json(value: object) -> None:
    """Write one JSON object to stdout: values that msgspec can encode, indented for people who look at it."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say(text: str) -> None:
    """Write a line to stderr: what is going on, what to do next."""
    typer.echo(text, err=True)


def complain(text: str) -> None:
    """Write what went wrong to stderr, in one line whatever the text holds."""
    typer.echo(f"learnae: {' '.join(text.split())}", err=True)


def data_console() -> Console:
    """Make the console for tables on stdout."""
    from rich.console import Console

    return Console(highlight=False)


def talk_console() -> Console:
    """Make the console for live views on stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


class Complaints(logging.Handler):
    """Writes warnings of the library and of plugins as complaints, to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        complain(self.format(record))
