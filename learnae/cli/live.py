"""The live view of a peer on a terminal, drawn with rich."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from learnae.cli.output import talk_console
from learnae.cli.progress import Message, Progress, advance
from learnae.cli.wording import PAST, Metric, ago, curve, doing, neighbours, others, short, size
from learnae.values.choices import Cycle, Phase, Role

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from learnae.values.journal import JournalLine

REFRESHES_PER_SECOND = 5
STYLES = {
    Phase.TRAINING: "cyan",
    Phase.AVERAGING: "magenta",
    Phase.EXPLORING: "magenta",
    Phase.ADOPTING: "magenta",
    Phase.FINISHED: "green",
    Phase.STOPPED: "yellow",
}


class LiveView:
    """Draws what the journal tells, a few times a second, and gives the terminal back as it was.

    ``take`` may be called in another thread than the one that draws: each line replaces one frozen value by the next.
    """

    def __init__(
        self, name: str, metric: Metric, *, clock: Callable[[], float] = time.time, console: Console | None = None
    ) -> None:
        self._name = name
        self._clock = clock
        self._progress = Progress(metric)
        self._console = console or talk_console()
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=REFRESHES_PER_SECOND,
            vertical_overflow="crop",
            redirect_stdout=False,
        )

    def take(self, line: JournalLine) -> None:
        """Take in a line of the journal."""
        self._progress = advance(self._progress, line)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.transient = error is not None and self._progress.started is None  # there was nothing to see yet
        self._live.stop()

    def _draw(self) -> RenderableType:
        height = self._console.size.height
        return draw(
            self._progress,
            self._name,
            self._clock(),
            most_lines=max(0, height - 15),
            blocks=self._console.encoding.lower().startswith("utf"),
        )


def draw(progress: Progress, name: str, now: float, *, most_lines: int = 12, blocks: bool = True) -> RenderableType:
    """Draw a peer's progress.

    Args:
        progress: What is known.
        name: The session's codename.
        now: Seconds since 1970.
        most_lines: How many lines fit for messages and the last cycles; at most half of them are messages.
        blocks: Whether the terminal can show more than ASCII.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in (
        ("score", _score(progress, blocks=blocks)),
        ("doing", _doing(progress, now)),
        ("cycles", _cycles(progress)),
        ("queue", _queue(progress)),
        ("peers", _peers(progress)),
        ("success", _success(progress, now)),
        ("traffic", _traffic(progress)),
    ):
        grid.add_row(label, value)
    parts: list[RenderableType] = [grid]
    messages = _last(progress.messages, most_lines // 2)
    for lines in (messages, _last(progress.cycles, most_lines - len(messages))):
        if lines:
            parts += ["", *(_message(line, blocks=blocks) for line in lines)]
    return Panel(
        Group(*parts),
        title=_title(progress, name, now),
        title_align="left",
        subtitle=None if progress.phase is Phase.STOPPED else Text("Ctrl-C stops; the same command goes on", style="dim"),
        subtitle_align="right",
        box=box.ROUNDED if blocks else box.ASCII,
        border_style="dim",
        padding=(1, 2),
    )


def _title(progress: Progress, name: str, now: float) -> Text:
    title = Text.assemble((name, "bold"))
    if progress.started is not None and progress.peer is not None:
        started = progress.started
        title.append(f" / {short(progress.peer)} / {started.role} / {started.framework} over {started.transport}")
        title.append(f" / {ago(now - progress.began)}", style="dim")
    return title


def _score(progress: Progress, *, blocks: bool) -> Text:
    score, best = progress.score, progress.best
    if score is None or best is None:
        serves = progress.role is Role.FEEDER
        return Text("a feeder has no model to score" if serves else "not scored yet", style="dim")
    text = Text.assemble((progress.metric.value(score), "bold green"), f" {progress.metric.name} on {score.rows} own rows")
    text.append(f", loss {score.loss:.4g}")
    if best.accuracy > score.accuracy:
        text.append(f", best {progress.metric.value(best)}", style="dim")
    if blocks and len(progress.scores) > 1:
        text.append(f"\n{curve(progress.scores)}", style="green")
    return text


def _doing(progress: Progress, now: float) -> Text:
    text = Text(doing(progress.phase, progress.role), style=STYLES.get(progress.phase, ""))
    if progress.since and now - progress.since >= 1:
        text.append(f"  {ago(now - progress.since)}", style="dim")
    return text


def _cycles(progress: Progress) -> Text:
    text = Text.assemble((str(progress.cycle), "bold"))
    for kind in Cycle:
        tried, kept = progress.tried.get(kind, 0), progress.kept.get(kind, 0)
        if not tried:
            continue
        shown = f"{tried} {PAST[kind]}" if kind is Cycle.TRAIN else f"{kept} of {tried} {PAST[kind]}"
        text.append(f", {shown}")
    return text


def _queue(progress: Progress) -> Text:
    return Text(f"{progress.queued} passes over dataslices wait" if progress.queued else "empty")


def _success(progress: Progress, now: float) -> Text:
    if progress.success is None:
        return Text("nothing taken from others yet", style="dim")
    return Text.assemble(progress.success.text, (f"  {ago(now - progress.success.time)} ago", "dim"))


def _peers(progress: Progress) -> Text:
    text = Text(others(progress.peers) if progress.peers else "nobody new met yet")
    if progress.ledgers:
        text.append(f", {neighbours(max(each.neighbours for each in progress.ledgers.values()))} now")
    if progress.holders is not None:
        text.append(f", {progress.holders} can give the own model")
    return text


def _traffic(progress: Progress) -> Text:
    text = Text(
        f"sent {progress.sent} announcements and {progress.stored} files ({size(progress.stored_bytes)}), "
        f"fetched {progress.fetched} files ({size(progress.fetched_bytes)})"
    )
    if progress.ledgers:
        sent = sum(each.sent_bytes for each in progress.ledgers.values())
        received = sum(each.received_bytes for each in progress.ledgers.values())
        text.append(f"\n{' and '.join(progress.ledgers)} in all: sent {size(sent)}, received {size(received)}", style="dim")
    return text


def _last(messages: tuple[Message, ...], most: int) -> tuple[Message, ...]:
    return messages[-most:] if most > 0 else ()


def _message(message: Message, *, blocks: bool) -> Text:
    when = time.strftime("%H:%M:%S", time.localtime(message.time))
    line = Text.assemble((f"{when}  ", "dim"), " ".join(message.text.split()))
    line.no_wrap = True
    line.overflow = "ellipsis" if blocks else "crop"
    return line
