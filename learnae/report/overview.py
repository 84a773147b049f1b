"""The picture of a run: accuracy over time, what each peer was doing, what came of averaging, and what was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from learnae.report.accuracy import draw_accuracy
from learnae.report.canvas import (
    CYCLE_COLOURS,
    FAINT,
    INK,
    PALE,
    PHASE_COLOURS,
    Box,
    axes,
    legend_below,
    lettered,
    paper,
    to_png,
    write,
)
from learnae.report.history import History
from learnae.report.lines import LABELLED, colours
from learnae.report.panels import draw_resilience, draw_sent
from learnae.report.series import extent, origin, spans
from learnae.report.summary import PeerSummary, Summary
from learnae.report.units import byte_unit, show_bytes, show_number, show_seconds, time_unit
from learnae.values.choices import Cycle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 60
"""The most peers that get a row of their own; the accuracy shows all."""
WIDTH = 15.0
_NAMES = 1.35
_TIMELINE = 7.0
_BARS = 2.35
_LEDGER = 2.6
"""How tall the panels are that only ledgers which measure themselves fill."""


def render_overview(histories: Sequence[History], summary: Summary, *, title: str | None = None) -> bytes:
    """Draw the picture of a run as PNG.

    Args:
        histories: At least one.
        summary: What ``summarise`` made of the same histories.
        title: The headline; by default one that counts the peers.

    Raises:
        ConfigError: Matplotlib is not installed.
    """
    shown = histories[:SHOWN]
    rows = max(1.1, min(0.40, 0.11 + 2.2 / len(shown)) * len(shown)) if len(shown) < 40 else 0.185 * len(shown)
    below = 6.0
    measured = _measured(summary)
    figure = paper(WIDTH, below + rows + 1.15 + (_LEDGER + 1.35 if measured else 0.0))
    unit = time_unit(extent(histories))
    write(figure, _NAMES, 0.5, lettered(title or _headline(histories), 90), size=16, weight="bold")
    write(figure, _NAMES, 0.8, lettered(_subtitle(summary), 160), size=9.5, colour=FAINT)
    draw_accuracy(
        axes(figure, Box(_NAMES, 1.45, _TIMELINE, 3.4), "Accuracy on each peer's own validation rows", grid="y"), histories, unit
    )
    _draw_figures(figure, Box(_NAMES + _TIMELINE + 1.5, 1.45, 4.6, 3.4), summary)
    timeline = axes(figure, Box(_NAMES, below, _TIMELINE, rows), "What each peer was doing", grid="x")
    _name_rows(timeline, shown, coloured=len(histories) <= LABELLED)
    _draw_timeline(timeline, shown, histories, unit)
    left = _NAMES + _TIMELINE + 0.45
    peers = summary.peers[:SHOWN]
    _draw_attempts(axes(figure, Box(left, below, _BARS, rows), "Averages: kept of tried", grid="x"), peers)
    _draw_bytes(axes(figure, Box(left + _BARS + 0.6, below, _BARS, rows), "Bytes sent", grid="x"), peers)
    if len(histories) > SHOWN:
        write(figure, _NAMES, below - 0.42, f"the first {SHOWN} of {len(histories)} peers", size=8.5, colour=FAINT)
    # Wide enough for one is the place below the times; names and axes of the second need more room than the bars above it.
    places = ((_NAMES, _TIMELINE), (_NAMES + _TIMELINE + 1.9, 3.0))
    for (heading, draw), (edge, width) in zip(measured, places, strict=False):
        draw(axes(figure, Box(edge, below + rows + 1.5, width, _LEDGER), heading, grid="y"), histories, unit)
    return to_png(figure)


def _measured(summary: Summary) -> list[tuple[str, Callable[[Axes, Sequence[History], tuple[float, str]], None]]]:
    """Return headings of the panels for which there are numbers, and what draws them."""
    panels: list[tuple[str, Callable[[Axes, Sequence[History], tuple[float, str]], None]]] = []
    if summary.resilience is not None:
        panels.append(("Resilience: from how many peers a model can be had", draw_resilience))
    if summary.ledger is not None:
        panels.append(("Sent by the ledgers, in all", draw_sent))
    return panels


def _headline(histories: Sequence[History]) -> str:
    return f"LEARNAE: {len(histories)} peers training together" if len(histories) > 1 else "LEARNAE: one peer"


def _subtitle(summary: Summary) -> str:
    sessions = ", ".join(session[:8] for session in summary.sessions[:3]) or "unknown"
    kinds = ", ".join(sorted({peer.framework for peer in summary.peers if peer.framework})) or "unknown"
    return f"session {sessions} · frameworks: {kinds} · {show_seconds(summary.seconds)} · {summary.cycles.total} work cycles"


def _draw_figures(figure: Figure, box: Box, summary: Summary) -> None:
    """Write the numbers that one looks for first, large, two in a row."""
    averaging = [peer.averaging for peer in summary.peers]
    now, restarts = summary.current, sum(peer.restarts for peer in summary.peers)
    entries = [
        ("mean accuracy, last", "-" if now is None else f"{show_number(now.mean, 2)} %"),
        ("spread (highest - lowest)", "-" if now is None or now.peers < 2 else f"{show_number(now.spread, 2)} points"),
        ("averages kept of tried", f"{sum(each.successes for each in averaging)} of {sum(each.attempts for each in averaging)}"),
        ("passes over dataslices", str(summary.uses) if summary.uses else "-"),
        ("sent in all", show_bytes(summary.sent_bytes)),
        ("restarts", str(restarts)),
    ]
    if summary.overshoot is not None:
        entries[3] = (f"passes, {summary.overshoot} beyond the threshold of {summary.threshold}", str(summary.uses))
    if summary.resilience is not None:
        entries.append(("holders of a model, on average", show_number(summary.resilience.mean, 1)))
    if summary.ledger is not None:
        entries.append(("sent by the ledgers themselves", show_bytes(summary.ledger.sent_bytes)))
    for index, (caption, number) in enumerate(entries):
        left = box.left + (index % 2) * box.width / 2
        top = box.top + 0.45 + (index // 2) * box.height / ((len(entries) + 1) // 2)
        write(figure, left, top, number, size=19, weight="bold", colour=INK)
        write(figure, left, top + 0.24, caption, size=9, colour=FAINT)


def _name_rows(ax: Axes, shown: Sequence[History], *, coloured: bool) -> None:
    ax.set_ylim(len(shown) - 0.5, -0.5)
    size = 9.0 if len(shown) <= 20 else 7.5
    ax.set_yticks(range(len(shown)), [lettered(history.name, 14) for history in shown], fontsize=size, color=INK)
    for label, colour in zip(ax.get_yticklabels(), colours(shown), strict=True):
        label.set_color(colour if coloured and len(shown) > 1 else INK)


def _draw_timeline(ax: Axes, shown: Sequence[History], histories: Sequence[History], unit: tuple[float, str]) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 - an extra
    from matplotlib.patches import Patch  # noqa: PLC0415 - the same

    start, used, restarted = origin(histories), set(), False
    ax.set_xlim(0.0, max(extent(histories), 1e-6) / unit[0])
    for row, history in enumerate(shown):
        stretches = [span for span in spans(history) if span.phase in PHASE_COLOURS]
        used |= {span.phase for span in stretches}
        for phase in {span.phase for span in stretches}:
            bars = [((s.start - start) / unit[0], (s.end - s.start) / unit[0]) for s in stretches if s.phase is phase]
            ax.broken_barh(bars, (row - 0.36, 0.72), facecolor=PHASE_COLOURS[phase], linewidth=0)
        again = [(run[0].time - start) / unit[0] for run in history.runs()[1:]]
        restarted = restarted or bool(again)
        ax.plot(again, [row] * len(again), linestyle="none", marker="|", markersize=11, markeredgewidth=1.8, color=INK, zorder=5)
    ax.set_xlabel(f"time since the start [{unit[1]}]", color=FAINT, fontsize=9)
    handles: list[Patch | Line2D] = [Patch(color=colour, label=phase) for phase, colour in PHASE_COLOURS.items() if phase in used]
    if restarted:
        handles.append(
            Line2D([], [], linestyle="none", marker="|", markersize=10, markeredgewidth=1.8, color=INK, label="started again")
        )
    legend_below(ax, handles, columns=9)


def _draw_attempts(ax: Axes, peers: Sequence[PeerSummary]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - the same

    kinds = (Cycle.AVERAGE, Cycle.EXPLORE, Cycle.ADOPT)
    counts = [[peer.averaging, peer.exploring, peer.adopting] for peer in peers]
    most = max((each.attempts for row in counts for each in row), default=0)
    room = max(most, 1) * (1.24 if len(peers) <= 12 else 1.05)
    ax.set_xlim(0, room)
    ax.set_ylim(len(peers) - 0.5, -0.5)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for step, kind in enumerate(kinds):
        places = [row + (step - 1) * 0.26 for row in range(len(peers))]
        strong = CYCLE_COLOURS[kind]
        ax.barh(places, [row[step].attempts for row in counts], height=0.22, color=PALE[strong], linewidth=0)
        ax.barh(places, [row[step].successes for row in counts], height=0.22, color=strong, linewidth=0)
        if len(peers) <= 12:
            for place, row in zip(places, counts, strict=True):
                each = row[step]
                if each.attempts:
                    label = f"{each.successes}/{each.attempts}"
                    ax.text(each.attempts + 0.02 * room, place, label, va="center_baseline", fontsize=6.5, color=FAINT)
    ax.set_xlabel("cycles (strong: kept, pale: tried)", color=FAINT, fontsize=9)
    legend_below(ax, [Patch(color=CYCLE_COLOURS[kind], label=kind) for kind in kinds], columns=3)


def _draw_bytes(ax: Axes, peers: Sequence[PeerSummary]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - the same

    most = max((peer.sent_bytes for peer in peers), default=0)
    size, sign = byte_unit(most)
    rows = range(len(peers))
    files = [peer.file_bytes / size for peer in peers]
    ax.barh(rows, files, height=0.62, color="#56b4e9", linewidth=0)
    ax.barh(rows, [peer.announcement_bytes / size for peer in peers], left=files, height=0.62, color="#4d4d4d", linewidth=0)
    ax.set_xlim(0, max(most / size, 1e-9) * 1.3)
    ax.set_ylim(len(peers) - 0.5, -0.5)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
    if most == 0:
        ax.set_xticks([0])
    for row, peer in enumerate(peers):
        ax.text(
            (peer.sent_bytes + 0.03 * most) / size,
            row,
            show_bytes(peer.sent_bytes),
            va="center",
            fontsize=8 if len(peers) <= 20 else 6.5,
            color=FAINT,
        )
    ax.set_xlabel(f"sent [{sign}]", color=FAINT, fontsize=9)
    legend_below(ax, [Patch(color="#56b4e9", label="files"), Patch(color="#4d4d4d", label="announcements")], columns=2)
