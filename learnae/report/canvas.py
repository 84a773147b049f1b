"""Paper and colours for figures: Matplotlib without pyplot, and without anything global."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnae.errors import ConfigError
from learnae.report.history import printable
from learnae.values.choices import Cycle, Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
INK = "#1f2933"
FAINT = "#616e7c"
LINE = "#cbd2d9"
BAND = "#dbe4ee"
GOOD = "#0072b2"
BAD = "#d55e00"
PALE = {"#0072b2": "#b3d5e8", "#e69f00": "#f8e2b3", "#009e73": "#b3e2d5", "#d55e00": "#f2cfb3"}
"""What was tried, beside the strong colour of what succeeded."""

# Okabe and Ito's palette (jfly.uni-koeln.de/color, 2008), which the colour-blind tell apart.
PEER_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#4d4d4d")
CYCLE_COLOURS = {Cycle.TRAIN: "#0072b2", Cycle.AVERAGE: "#e69f00", Cycle.EXPLORE: "#009e73", Cycle.ADOPT: "#d55e00"}
PHASE_COLOURS = {
    Phase.WAITING: "#f0e442",
    Phase.SCORING: "#56b4e9",
    Phase.TRAINING: CYCLE_COLOURS[Cycle.TRAIN],
    Phase.AVERAGING: CYCLE_COLOURS[Cycle.AVERAGE],
    Phase.EXPLORING: CYCLE_COLOURS[Cycle.EXPLORE],
    Phase.ADOPTING: CYCLE_COLOURS[Cycle.ADOPT],
    Phase.IDLE: "#dde2e8",
    Phase.FINISHED: "#9aa5b1",
}
"""The phases that a timeline shows, in the order of its legend."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where something stands on the paper, in inches from its upper left corner."""

    left: float
    top: float
    width: float
    height: float


def paper(width: float, height: float) -> Figure:
    """Make an empty white figure, in inches.

    Raises:
        ConfigError: Matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415 - the same
    except ImportError as exc:
        raise ConfigError("figures need Matplotlib, which is not installed; type: pip install 'learnae[figures]'") from exc
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """Draw a figure made by ``paper``; the same figure gives the same bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})
    return stream.getvalue()


def axes(figure: Figure, box: Box, title: str = "", *, grid: str | None = None) -> Axes:
    """Put axes on the paper, in the house style; ``grid`` is the axis whose values get fine lines."""
    width, height = figure.get_size_inches()
    ax = figure.add_axes(
        (box.left / width, 1 - (box.top + box.height) / height, box.width / width, box.height / height), facecolor="white"
    )
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(LINE)
    ax.tick_params(colors=FAINT, labelsize=8.5, length=0, labelcolor=FAINT, pad=5)
    ax.set_axisbelow(True)
    if grid == "y":
        ax.grid(axis="y", color=LINE, linewidth=0.6, alpha=0.7, linestyle="-")
    elif grid == "x":
        ax.grid(axis="x", color=LINE, linewidth=0.6, alpha=0.7, linestyle="-")
    if title:
        write(figure, box.left, box.top - 0.14, title, size=10.5, weight="bold")
    return ax


def write(
    figure: Figure, left: float, top: float, text: str, *, size: float = 9, weight: str = "normal", colour: str = INK
) -> None:
    """Write a line, its baseline ``top`` inches below the upper edge."""
    width, height = figure.get_size_inches()
    figure.text(left / width, 1 - top / height, text, fontsize=size, fontweight=weight, color=colour, ha="left", va="baseline")


def legend_below(ax: Axes, handles: Sequence[object], *, columns: int) -> None:
    """Put a legend below the label of the horizontal axis, the same distance below however tall the axes are."""
    if not handles:
        return
    inches = ax.get_window_extent().height / ax.figure.get_dpi()
    ax.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(-0.01, -0.52 / inches),
        ncols=columns,
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
        handlelength=1.0,
        handleheight=0.9,
        columnspacing=1.1,
        handletextpad=0.45,
        borderaxespad=0.0,
    )
    ax.spines["bottom"].set_color(LINE)


def lettered(text: str, longest: int = 16) -> str:
    """Return a name as Matplotlib can write it: no formulas, nothing that its font lacks, cut where it is too long."""
    from matplotlib import font_manager  # noqa: PLC0415 - as in paper()

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    drawable = "".join(sign if font.get_char_index(ord(sign)) else "?" for sign in text)
    return printable(drawable, longest).replace("$", r"\$")


def spaced(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels as little as possible, so that neighbours are ``gap`` apart and all lie from ``low`` to ``high``.

    Where they cannot all be that far apart they share what room there is.
    """
    if not places:
        return []
    gap = min(gap, (high - low) / max(1, len(places) - 1)) if len(places) > 1 else gap
    order = sorted(range(len(places)), key=lambda index: places[index])
    # Neighbours that would overlap become a block, which stands centred on where its members want to be.
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        members, centre = [index], places[index]
        while True:
            half = gap * (len(members) - 1) / 2
            centre = min(max(centre, low + half), high - half)
            if not blocks:
                break
            before, others = blocks[-1]
            if centre - half - (before + gap * (len(others) - 1) / 2) >= gap - 1e-12:
                break
            blocks.pop()
            members = others + members
            centre = sum(places[member] for member in members) / len(members)
        blocks.append((centre, members))
    moved = [0.0] * len(places)
    for centre, members in blocks:
        for step, member in enumerate(members):
            moved[member] = centre + gap * (step - (len(members) - 1) / 2)
    return moved
