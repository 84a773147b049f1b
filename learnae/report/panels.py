"""The panels that only ledgers which measure themselves fill: resilience and bytes sent (figures 9 and 12 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from learnae.report.canvas import legend_below
from learnae.report.history import History
from learnae.report.ledger import carried, held
from learnae.report.lines import LABELLED, draw_mean, draw_peers, draw_range, label_axes, name_lines, sample
from learnae.report.units import byte_unit, show_bytes, show_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_BESIDE_INCHES = 0.024
"""How far lines of the same whole number are drawn apart, and by at most what share of one."""
_BESIDE_SHARE = 0.5
_BELOW = 0.06
"""What share of their height panels have below 0, so that a line at 0, or beside it, is seen whole."""


def draw_resilience(ax: Axes, histories: Sequence[History], unit: tuple[float, str]) -> None:
    """Draw from how many peers each one's model could be had, the mean in bold, and the range as a band.

    Numbers are small and whole, so that lines would hide one another: equal ones are drawn side by side.

    Args:
        ax: Where; labels of up to eight peers stand to the right of it.
        histories: At least one of them with a count.
        unit: How many seconds the unit of time has, and its sign.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    sampled = sample(histories, _holders, outlives=False)
    label_axes(ax, sampled.times, unit, "peers")
    low, high, mean = _spread(sampled.values)
    top = 1.12 * max(1.0, float(np.nanmax(sampled.values)))
    ax.set_ylim(-_BELOW * top, top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    inches = ax.get_window_extent().height / ax.figure.get_dpi()
    beside = min(_BESIDE_INCHES / inches * top, _BESIDE_SHARE / len(histories)) if 1 < len(histories) <= LABELLED else 0.0
    places = beside * ((len(histories) - 1) / 2 - np.arange(len(histories)))
    _draw(ax, histories, sampled.times / unit[0], sampled.values + places[:, np.newaxis], (low, high, mean))
    name_lines(ax, histories, _last(histories, _holders), lambda count: show_number(count, 0))


def draw_sent(ax: Axes, histories: Sequence[History], unit: tuple[float, str]) -> None:
    """Draw how many bytes each peer's ledgers had sent, and the mean in bold.

    Args:
        ax: Where; labels of up to eight peers stand to the right of it.
        histories: At least one of them with a measurement.
        unit: How many seconds the unit of time has, and its sign.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    sampled = sample(histories, _sent)
    top = float(np.nanmax(sampled.values))
    size, sign = byte_unit(top)
    label_axes(ax, sampled.times, unit, f"sent [{sign}]")
    highest = 1.08 * max(top / size, 1.0)
    ax.set_ylim(-_BELOW * highest, highest)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=size == 1.0))
    _, _, mean = _spread(sampled.values)
    _draw(ax, histories, sampled.times / unit[0], sampled.values / size, (None, None, mean / size))
    name_lines(ax, histories, _last(histories, _sent) / size, lambda share: show_bytes(share * size))


def _holders(history: History) -> list[tuple[float, float]]:
    return [(each.time, float(each.holders)) for each in held(history)]


def _sent(history: History) -> list[tuple[float, float]]:
    course = [(each.time, float(each.sent_bytes)) for each in carried(history)]
    return [(history.lines[0].time, 0.0), *course] if course else []


def _spread(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return lowest, highest and mean, float64 ``[moments]``; no mean where most peers have no number, yet or any more."""
    low, high, mean = (np.full(values.shape[1], np.nan) for _ in range(3))
    known = ~np.isnan(values)
    there = known.any(axis=0)
    low[there], high[there] = np.nanmin(values[:, there], axis=0), np.nanmax(values[:, there], axis=0)
    most = 2 * known.sum(axis=0) >= max(1, known.any(axis=1).sum())
    mean[most] = np.nanmean(values[:, most], axis=0)
    return low, high, mean


def _last(histories: Sequence[History], known: Callable[[History], Sequence[tuple[float, float]]]) -> NDArray[np.float64]:
    """Return each peer's last number, float64 ``[peers]``; NaN for one that has none."""
    found = (known(history) for history in histories)
    return np.array([course[-1][1] if course else np.nan for course in found])


def _draw(
    ax: Axes,
    histories: Sequence[History],
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    spread: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, NDArray[np.float64]],
) -> None:
    low, high, mean = spread
    many = len(histories) > 1
    if many and low is not None and high is not None:
        draw_range(ax, times, low, high)
    draw_peers(ax, histories, times, values)
    if many:
        draw_mean(ax, times, mean)
        handles, _ = ax.get_legend_handles_labels()
        legend_below(ax, handles, columns=3)
