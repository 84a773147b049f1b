"""The panel that shows every peer's accuracy over time, with mean and range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learnae.report.canvas import BAND, FAINT, INK, PEER_COLOURS, lettered, spaced
from learnae.report.history import History
from learnae.report.series import origin, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOMENTS = 1200
LABELLED = 8
_LINE_COLOUR = "#7b95b0"


@dataclass(frozen=True, slots=True)
class Courses:
    """Accuracies over time.

    Attributes:
        times: float64 ``[moments]``, seconds since the earliest line of all, evenly spaced.
        percent: float64 ``[peers, moments]``; NaN before a peer's first score.
    """

    times: NDArray[np.float64]
    percent: NDArray[np.float64]


def courses(histories: Sequence[History], moments: int = MOMENTS) -> Courses:
    """Sample the accuracy of each peer's current model; it holds from one event to the next, and after the last."""
    start = origin(histories)
    end = max(line.time for history in histories for line in history.lines)
    times = np.linspace(0.0, max(end - start, 1e-6), moments)
    percent = np.full((len(histories), moments), np.nan)
    for row, history in enumerate(histories):
        known = [(point.time - start, 100 * point.score.accuracy) for point in points(history) if point.score is not None]
        if known:
            # The wall clock may have been set back: the order of the lines holds, not their times.
            when = np.maximum.accumulate([time for time, _ in known])
            index = np.searchsorted(when, times, side="right") - 1
            values = np.array([value if abs(value) < 1e6 else np.nan for _, value in known])
            percent[row] = np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
    return Courses(times, percent)


def colours(histories: Sequence[History]) -> list[str]:
    """Give each peer its colour; where there are too many to tell apart, all have the same."""
    if len(histories) > LABELLED:
        return [_LINE_COLOUR] * len(histories)
    return list(PEER_COLOURS[: len(histories)])


def draw_accuracy(ax: Axes, histories: Sequence[History], unit: tuple[float, str]) -> None:
    """Draw every peer's accuracy, the mean in bold, and the range from the lowest to the highest as a band.

    Args:
        ax: Where; labels of up to eight peers stand to the right of it.
        histories: At least one.
        unit: How many seconds the unit of time has, and its sign.
    """
    sampled = courses(histories)
    times = sampled.times / unit[0]
    ax.set_xlim(0.0, times[-1])
    ax.set_xlabel(f"time since the start [{unit[1]}]", color=FAINT, fontsize=9)
    ax.set_ylabel("accuracy [%]", color=FAINT, fontsize=9)
    there = ~np.isnan(sampled.percent).all(axis=0)
    if not there.any():
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no scores were recorded", transform=ax.transAxes, ha="center", va="center", color=FAINT)
        return
    low, high, mean = (np.full(len(times), np.nan) for _ in range(3))
    low[there] = np.nanmin(sampled.percent[:, there], axis=0)
    high[there] = np.nanmax(sampled.percent[:, there], axis=0)
    mean[there] = np.nanmean(sampled.percent[:, there], axis=0)
    many = len(histories) > 1
    if many:
        ax.fill_between(times, low, high, step="post", color=BAND, alpha=0.75, linewidth=0, zorder=1, label="lowest to highest")
    for row, colour in enumerate(colours(histories)):
        # Coloured lines have their names at their ends.
        crowd = len(histories) > LABELLED
        ax.step(
            times,
            sampled.percent[row],
            where="post",
            color=colour,
            linewidth=0.8 if crowd else 1.4,
            alpha=0.55 if crowd else 0.9,
            zorder=2,
            label="each peer" if crowd and row == 0 else None,
        )
    if many:
        ax.step(times, mean, where="post", color="white", linewidth=4.2, zorder=3)
        ax.step(times, mean, where="post", color=INK, linewidth=2.4, zorder=4, label="mean")
    _limit(ax, low[there], high[there])
    if len(histories) <= LABELLED:
        _name_lines(ax, histories, sampled)
    if many:
        ax.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=FAINT, ncols=3, borderaxespad=0.3)


def _limit(ax: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Show what matters: the first moments, when models still guess, would squeeze all that follows into a strip."""
    bottom, top = float(np.percentile(low, 8)), float(high.max())
    short = max(0.0, 1.0 - (top - bottom)) / 2
    bottom, top = bottom - short, top + short
    ax.set_ylim(bottom - 0.12 * (top - bottom), top + 0.08 * (top - bottom))


def _name_lines(ax: Axes, histories: Sequence[History], sampled: Courses) -> None:
    bottom, top = ax.get_ylim()
    last = sampled.percent[:, -1]
    shown = [row for row in range(len(histories)) if not np.isnan(last[row])]
    wished = [float(np.clip(last[row], bottom, top)) for row in shown]
    inches = ax.get_window_extent().height / ax.figure.get_dpi()
    for row, place in zip(shown, spaced(wished, 0.165 / inches * (top - bottom), bottom, top), strict=True):
        colour = colours(histories)[row]
        end = float(np.clip(last[row], bottom, top))
        ax.plot([1.0, 1.018], [end, place], transform=ax.get_yaxis_transform(), color=colour, linewidth=0.8, clip_on=False)
        ax.text(
            1.024,
            place,
            f"{lettered(histories[row].name, 11)}  {last[row]:.1f}",
            transform=ax.get_yaxis_transform(),
            color=colour,
            fontsize=8.5,
            va="center",
        )
