"""The panel that shows every peer's accuracy over time, with mean and range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from learnae.report.canvas import FAINT
from learnae.report.history import History
from learnae.report.lines import MOMENTS, Courses, draw_mean, draw_peers, draw_range, label_axes, name_lines, sample
from learnae.report.series import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


def courses(histories: Sequence[History], moments: int = MOMENTS) -> Courses:
    """Sample the accuracy of each peer's current model, in percent; it holds from one event to the next, and after the last."""
    return sample(histories, _percent, moments=moments)


def _percent(history: History) -> list[tuple[float, float]]:
    known = [(point.time, 100 * point.score.accuracy) for point in points(history) if point.score is not None]
    return [(time, value if abs(value) < 1e6 else float("nan")) for time, value in known]


def draw_accuracy(ax: Axes, histories: Sequence[History], unit: tuple[float, str]) -> None:
    """Draw every peer's accuracy, the mean in bold, and the range from the lowest to the highest as a band.

    Args:
        ax: Where; labels of up to eight peers stand to the right of it.
        histories: At least one.
        unit: How many seconds the unit of time has, and its sign.
    """
    sampled = courses(histories)
    times = sampled.times / unit[0]
    label_axes(ax, sampled.times, unit, "accuracy [%]")
    there = ~np.isnan(sampled.values).all(axis=0)
    if not there.any():
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no scores were recorded", transform=ax.transAxes, ha="center", va="center", color=FAINT)
        return
    low, high, mean = (np.full(len(times), np.nan) for _ in range(3))
    low[there] = np.nanmin(sampled.values[:, there], axis=0)
    high[there] = np.nanmax(sampled.values[:, there], axis=0)
    mean[there] = np.nanmean(sampled.values[:, there], axis=0)
    many = len(histories) > 1
    if many:
        draw_range(ax, times, low, high)
    draw_peers(ax, histories, times, sampled.values)
    if many:
        draw_mean(ax, times, mean)
    _limit(ax, low[there], high[there])
    name_lines(ax, histories, sampled.values[:, -1], lambda percent: f"{percent:.1f}")
    if many:
        ax.legend(loc="lower right", fontsize=8.5, frameon=False, labelcolor=FAINT, ncols=3, borderaxespad=0.3)


def _limit(ax: Axes, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Show what matters: the first moments, when models still guess, would squeeze all that follows into a strip."""
    bottom, top = float(np.percentile(low, 8)), float(high.max())
    short = max(0.0, 1.0 - (top - bottom)) / 2
    bottom, top = bottom - short, top + short
    ax.set_ylim(bottom - 0.12 * (top - bottom), top + 0.08 * (top - bottom))
