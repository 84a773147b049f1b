"""Lines over time, one for each peer: what they are made of, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learnae.report.canvas import BAND, FAINT, INK, PEER_COLOURS, lettered, spaced
from learnae.report.history import History
from learnae.report.series import origin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOMENTS = 1200
LABELLED = 8
"""The most peers that are told apart by colour and by name."""
_LINE_COLOUR = "#7b95b0"


@dataclass(frozen=True, slots=True)
class Courses:
    """A number of each peer's over time.

    Attributes:
        times: float64 ``[moments]``, seconds since the earliest line of all, evenly spaced.
        values: float64 ``[peers, moments]``; NaN where a peer has none.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]


def sample(
    histories: Sequence[History],
    known: Callable[[History], Sequence[tuple[float, float]]],
    *,
    moments: int = MOMENTS,
    outlives: bool = True,
) -> Courses:
    """Sample a number that holds from one moment at which it is known to the next.

    Args:
        histories: At least one.
        known: Gives moments, in seconds as in the journal, and numbers; in the order in which they happened.
        moments: How many samples to take.
        outlives: Whether the last number holds to the end of all journals, or only to the end of the peer's own.
    """
    start = origin(histories)
    end = max(line.time for history in histories for line in history.lines)
    times = np.linspace(0.0, max(end - start, 1e-6), moments)
    values = np.full((len(histories), moments), np.nan)
    for row, history in enumerate(histories):
        found = known(history)
        if not found:
            continue
        # The wall clock may have been set back: the order of the lines holds, not their times.
        when = np.maximum.accumulate([time - start for time, _ in found])
        index = np.searchsorted(when, times, side="right") - 1
        numbers = np.array([number for _, number in found])
        values[row] = np.where(index >= 0, numbers[np.maximum(index, 0)], np.nan)
        if not outlives:
            last = max(when[-1], max(line.time for line in history.lines) - start)
            # One moment more: what was known between the last two is seen too.
            values[row, 1:][times[:-1] >= last] = np.nan
    return Courses(times, values)


def colours(histories: Sequence[History]) -> list[str]:
    """Give each peer its colour; where there are too many to tell apart, all have the same."""
    if len(histories) > LABELLED:
        return [_LINE_COLOUR] * len(histories)
    return list(PEER_COLOURS[: len(histories)])


def label_axes(ax: Axes, times: NDArray[np.float64], unit: tuple[float, str], what: str) -> None:
    """Let the horizontal axis be the time, in a unit of so many seconds and with a sign, and name the vertical one."""
    ax.set_xlim(0.0, times[-1] / unit[0])
    ax.set_xlabel(f"time since the start [{unit[1]}]", color=FAINT, fontsize=9)
    ax.set_ylabel(what, color=FAINT, fontsize=9)


def draw_peers(ax: Axes, histories: Sequence[History], times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Draw every peer's number as steps; coloured lines have their names at their ends, see ``name_lines``."""
    crowd = len(histories) > LABELLED
    for row, colour in enumerate(colours(histories)):
        ax.step(
            times,
            values[row],
            where="post",
            color=colour,
            linewidth=0.8 if crowd else 1.4,
            alpha=0.55 if crowd else 0.9,
            zorder=2,
            label="each peer" if crowd and row == 0 else None,
        )


def draw_range(ax: Axes, times: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Draw a band from the lowest to the highest."""
    ax.fill_between(times, low, high, step="post", color=BAND, alpha=0.75, linewidth=0, zorder=1, label="lowest to highest")


def draw_mean(ax: Axes, times: NDArray[np.float64], mean: NDArray[np.float64]) -> None:
    """Draw the mean in bold, before all else."""
    ax.step(times, mean, where="post", color="white", linewidth=4.2, zorder=3)
    ax.step(times, mean, where="post", color=INK, linewidth=2.4, zorder=4, label="mean")


def name_lines(ax: Axes, histories: Sequence[History], last: NDArray[np.float64], write: Callable[[float], str]) -> None:
    """Write names and last numbers to the right of the axes, if the peers can be told apart.

    Args:
        ax: Where the lines are; its limits are set.
        histories: Whose they are.
        last: float64 ``[peers]``; who has NaN gets no name.
        write: Writes a number.
    """
    if len(histories) > LABELLED:
        return
    bottom, top = ax.get_ylim()
    shown = [row for row in range(len(histories)) if not np.isnan(last[row])]
    wished = [float(np.clip(last[row], bottom, top)) for row in shown]
    inches = ax.get_window_extent().height / ax.figure.get_dpi()
    places = spaced(wished, 0.165 / inches * (top - bottom), bottom, top)
    for row, end, place in zip(shown, wished, places, strict=True):
        colour = colours(histories)[row]
        ax.plot([1.0, 1.018], [end, place], transform=ax.get_yaxis_transform(), color=colour, linewidth=0.8, clip_on=False)
        ax.text(
            1.024,
            place,
            f"{lettered(histories[row].name, 11)}  {write(float(last[row]))}",
            transform=ax.get_yaxis_transform(),
            color=colour,
            fontsize=8.5,
            va="center",
        )
