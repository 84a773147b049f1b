"""The picture of a demo: every peer alone and together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from learnae.errors import UsageError
from learnae.report.accuracy import draw_accuracy
from learnae.report.canvas import BAD, FAINT, GOOD, INK, LINE, Box, axes, lettered, paper, to_png, write
from learnae.report.history import History
from learnae.report.series import extent
from learnae.report.units import time_unit
from learnae.report.writing import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALONE = "#8a94a0"
_NAMES = 1.45
_PLOT = 5.4
_GAINS = 0.85
_COURSES = 5.2


def draw_comparison(
    path: Path,
    rows: Sequence[tuple[str, float, float]],
    *,
    title: str,
    subtitle: str = "",
    histories: Sequence[History] | None = None,
) -> Path:
    """Draw what each peer reached alone and together, as PNG, with both means and spreads.

    Args:
        path: The file to write; whole or not at all.
        rows: For each peer its name, accuracy alone and accuracy together, in percent; at least one peer.
        title: The headline: one line.
        subtitle: A line below it, such as where the data came from.
        histories: The peers' journals; with them accuracy over time stands beside the comparison.

    Returns:
        The path.

    Raises:
        ConfigError: Matplotlib is not installed.
        OperatorError: The file cannot be written.
        UsageError: No rows, or a number that is not finite.
    """
    if not rows:
        raise UsageError("draw_comparison needs at least one row")
    if not all(math.isfinite(value) for _, *values in rows for value in values):
        raise UsageError("draw_comparison needs finite accuracies")
    return write_atomically(path, _render(sorted(rows, key=lambda row: (-row[1], row[0])), title, subtitle, histories))


def _render(rows: Sequence[tuple[str, float, float]], title: str, subtitle: str, histories: Sequence[History] | None) -> bytes:
    each = 0.36 if len(rows) <= 12 else max(0.17, 4.5 / len(rows))
    tall = max(each * len(rows), 1.2)
    top = 1.75
    width = _NAMES + _PLOT + _GAINS + (_COURSES + 2.0 if histories else 0.3)
    figure = paper(width, top + tall + 1.9)
    write(figure, _NAMES, 0.52, lettered(title, 90 if histories else 54), size=16, weight="bold")
    write(figure, _NAMES, 0.83, lettered(subtitle, 160 if histories else 92), size=9.5, colour=FAINT)
    plot = axes(figure, Box(_NAMES, top, _PLOT, tall), grid="x")
    write(figure, _NAMES, top - 0.42, "Accuracy of each peer on rows that no peer saw", size=10.5, weight="bold")
    ranges = axes(figure, Box(_NAMES, top + tall + 0.1, _PLOT, 1.0), grid="x")
    _draw_rows(plot, rows)
    _draw_ranges(ranges, rows)
    _limit((plot, ranges), rows)
    if histories:
        left = _NAMES + _PLOT + _GAINS + 0.75
        write(figure, left, top - 0.42, "Together, over time: accuracy on own validation rows", size=10.5, weight="bold")
        draw_accuracy(
            axes(figure, Box(left, top, _COURSES, min(tall + 1.1, 5.5)), grid="y"), histories, time_unit(extent(histories))
        )
    return to_png(figure)


def _draw_rows(ax: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    size = 9.5 if len(rows) <= 20 else 7.5
    dot = 58 if len(rows) <= 20 else 26
    for place, (_, alone, together) in enumerate(rows):
        colour = GOOD if together >= alone else BAD
        ax.plot([alone, together], [place, place], color=colour, linewidth=2.2, alpha=0.45, solid_capstyle="round", zorder=2)
        ax.text(
            1.0 + 0.03,
            place,
            f"{together - alone:+.2f}",
            transform=ax.get_yaxis_transform(),
            color=colour,
            fontsize=size,
            va="center",
            ha="left",
        )
    places = range(len(rows))
    ax.scatter([row[1] for row in rows], places, s=dot, color="white", edgecolors=ALONE, linewidths=1.8, zorder=3, label="alone")
    ax.scatter([row[2] for row in rows], places, s=dot, color=GOOD, zorder=4, label="together")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(list(places), [lettered(row[0], 14) for row in rows], fontsize=size, color=INK)
    ax.tick_params(axis="x", labelbottom=False)
    ax.spines["bottom"].set_visible(False)
    for together, colour in ((False, ALONE), (True, GOOD)):
        ax.axvline(_mean(rows, together=together), color=colour, linewidth=1.3, linestyle=(0, (4, 3)), zorder=1)
    ax.text(1.03, 1.0, "gain", transform=ax.transAxes, color=FAINT, fontsize=8.5, va="bottom", ha="left")
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.015, 1.0),
        ncols=2,
        fontsize=9,
        frameon=False,
        labelcolor=INK,
        handletextpad=0.1,
        columnspacing=1.0,
        borderaxespad=0.0,
    )


def _draw_ranges(ax: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    """Draw mean and range, alone and together, one below the other on the same scale."""
    for place, (together, colour) in enumerate(((False, ALONE), (True, GOOD))):
        values = _values(rows, together=together)
        low, high, mean = min(values), max(values), _mean(rows, together=together)
        ax.plot([low, high], [place, place], color=colour, linewidth=7, alpha=0.35, solid_capstyle="round", zorder=2)
        ax.plot([mean], [place], marker="D", markersize=6.5, color=colour, zorder=4)
        ax.axvline(mean, color=colour, linewidth=1.3, linestyle=(0, (4, 3)), zorder=1)
        ax.text(
            0.0,
            place - 0.34,
            f"mean {mean:.2f} %, spread {high - low:.2f} points",
            transform=ax.get_yaxis_transform(),
            color=INK,
            fontsize=8.5,
            va="center",
            ha="left",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
            zorder=5,
        )
    gain = _mean(rows, together=True) - _mean(rows, together=False)
    ax.text(
        1.03,
        0.5,
        f"{gain:+.2f}",
        transform=ax.get_yaxis_transform(),
        color=GOOD if gain >= 0 else BAD,
        fontsize=10.5,
        fontweight="bold",
        va="center",
    )
    ax.set_ylim(1.45, -0.7)
    ax.set_yticks([0, 1], ["all, alone", "all, together"], fontsize=9, color=INK, fontweight="bold")
    ax.spines["top"].set_visible(True)
    ax.spines["top"].set_color(LINE)
    ax.set_xlabel("accuracy [%]", color=FAINT, fontsize=9)


def _limit(both: tuple[Axes, Axes], rows: Sequence[tuple[str, float, float]]) -> None:
    values = [value for _, *pair in rows for value in pair]
    room = max(max(values) - min(values), 0.5)
    for ax in both:
        ax.set_xlim(min(values) - 0.09 * room, max(values) + 0.09 * room)


def _values(rows: Sequence[tuple[str, float, float]], *, together: bool) -> list[float]:
    return [row[2] if together else row[1] for row in rows]


def _mean(rows: Sequence[tuple[str, float, float]], *, together: bool) -> float:
    return sum(_values(rows, together=together)) / len(rows)
