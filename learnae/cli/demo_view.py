"""How a demo shows what its peers are doing: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from learnae.cli.output import say, talk_console
from learnae.demo.plan import PeerView, Watcher
from learnae.values.choices import Phase

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_INTERVAL_S = 5.0
REFRESHES_PER_SECOND = 8
_WORDS = {Phase.NEW: "starting", Phase.IDLE: "listening"}
_STYLES = {
    Phase.TRAINING: "cyan",
    Phase.AVERAGING: "magenta",
    Phase.EXPLORING: "magenta",
    Phase.ADOPTING: "magenta",
    Phase.FINISHED: "green",
    Phase.STOPPED: "dim",
}


class PlainDemo(Watcher):
    """Writes each sentence, and every few seconds a line with what everybody is doing."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = self._told_s = clock()
        self._told: tuple[PeerView, ...] = ()

    def said(self, text: str) -> None:
        """Write a sentence."""
        self._told_s = self._clock()
        say(f"{self._told_s - self._began_s:5.1f} s  {text}")

    def seen(self, peers: tuple[PeerView, ...]) -> None:
        """Write what everybody is doing, if that is news and some time has gone by."""
        if peers != self._told and self._clock() - self._told_s >= PLAIN_INTERVAL_S:
            self._told = peers
            self.said("; ".join(_sentence(each) for each in peers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass


class LiveDemo(Watcher):
    """Draws a line for each peer, and gives the terminal back with what was said."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, console: Console | None = None) -> None:
        from rich.live import Live

        self._clock = clock
        self._began_s = clock()
        self._console = console or talk_console()
        self._peers: tuple[PeerView, ...] = ()
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def said(self, text: str) -> None:
        """Write a sentence above the lines of the peers."""
        from rich.text import Text

        self._peers = ()
        self._console.print(Text(f"{self._clock() - self._began_s:5.1f} s  {text}"))

    def seen(self, peers: tuple[PeerView, ...]) -> None:
        """Remember what everybody is doing, to draw it."""
        self._peers = peers

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def _draw(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for each in self._peers:
            table.add_row(
                f"  {each.name}",
                Text(_doing(each.phase).ljust(10), style=_STYLES.get(each.phase, "")),
                Text(_accuracy(each).rjust(8)),
                Text(f"cycle {each.cycle}", style="dim"),
            )
        return table


def _sentence(peer: PeerView) -> str:
    return f"{peer.name} {_doing(peer.phase)}, {_accuracy(peer)}, cycle {peer.cycle}"


def _doing(phase: Phase) -> str:
    return _WORDS.get(phase, phase.value)


def _accuracy(peer: PeerView) -> str:
    return "-" if peer.accuracy is None else f"{peer.accuracy:.2f} %"
