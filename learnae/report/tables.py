"""A summary as a table: for the terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnae.report.summary import Attempts, LedgerTraffic, PeerSummary, Resilience, Spread, Standing, Summary
from learnae.report.units import show_bytes, show_count, show_number, show_seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class _Column:
    """One column.

    Attributes:
        rank: The higher, the sooner it is left out where a line is short; 0: never.
        optional: It is left out where it would be empty for everybody.
        words: Words stand to the left, numbers to the right.
    """

    title: str
    cell: Callable[[PeerSummary], str]
    rank: int
    optional: bool = False
    words: bool = False


def _carried(cell: Callable[[LedgerTraffic], str]) -> Callable[[PeerSummary], str]:
    return lambda peer: NOTHING if peer.ledger is None else cell(peer.ledger)


_COLUMNS = (
    _Column("peer", lambda peer: peer.name, 0, words=True),
    _Column("role", lambda peer: peer.role or NOTHING, 4, words=True),
    _Column("framework", lambda peer: peer.framework or NOTHING, 8, words=True),
    _Column("start %", lambda peer: _percent(peer.start), 3),
    _Column("best %", lambda peer: _percent(peer.best), 5),
    _Column("now %", lambda peer: _percent(peer.current), 0),
    _Column("loss", lambda peer: NOTHING if peer.current is None else show_number(peer.current.loss, 3), 3),
    _Column("train", lambda peer: str(peer.cycles.train), 1),
    _Column("average", lambda peer: _share(peer.averaging), 1),
    _Column("explore", lambda peer: _share(peer.exploring), 2),
    _Column("adopt", lambda peer: _share(peer.adopting), 2),
    _Column("slices", lambda peer: _count(peer.slices), 7, optional=True),
    _Column("uses", lambda peer: _count(peer.uses), 6, optional=True),
    _Column("over", lambda peer: _count(peer.overshoot or 0), 4, optional=True),
    _Column("published", lambda peer: str(peer.published), 7),
    _Column("sent", lambda peer: show_bytes(peer.sent_bytes), 3),
    _Column("received", lambda peer: show_bytes(peer.received_bytes), 5),
    _Column("resilience", lambda peer: _resilience(peer.resilience), 4, optional=True),
    _Column("ledger sent", _carried(lambda ledger: show_bytes(ledger.sent_bytes)), 4, optional=True),
    _Column("ledger received", _carried(lambda ledger: show_bytes(ledger.received_bytes)), 6, optional=True),
    _Column("blocks served", _carried(lambda ledger: show_count(ledger.served_blocks)), 7, optional=True),
    _Column("neighbours", _carried(lambda ledger: show_number(ledger.neighbours, 1)), 7, optional=True),
    _Column("refused", lambda peer: _count(peer.refused), 4, optional=True),
    _Column("quarantined", lambda peer: _count(peer.quarantined), 6, optional=True),
    _Column("restarts", lambda peer: _count(peer.restarts), 5, optional=True),
    _Column("time", lambda peer: show_seconds(peer.seconds), 6),
)


def as_text(summary: Summary) -> str:
    """Write the table and the sentences below it as plain text, lines ended, the same on every terminal."""
    columns, rows = _cells(summary)
    grid = [[column.title for column in columns], *rows]
    widths = [max(len(row[index]) for row in grid) for index in range(len(columns))]
    lines = [
        "  ".join(_pad(cell, width, column) for cell, width, column in zip(row, widths, columns, strict=True)) for row in grid
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([line.rstrip() for line in lines] + ["", *sentences(summary)]) + "\n"


def as_table(summary: Summary, *, width: int | None = None) -> Table:
    """Make the table for ``rich``.

    Args:
        summary: What to show.
        width: How many characters fit on a line: the least important columns are left out until the table fits, the name and
            the accuracy never. Without it all columns are there.
    """
    from rich import box  # noqa: PLC0415 - rich is slow to import, and only the terminal needs it
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    columns, rows = _fitting(*_cells(summary), width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.title, justify="left" if column.words else "right", no_wrap=True, overflow="ellipsis")
    for row in rows:
        # Text, not str: a name such as "[red]" is no markup.
        table.add_row(*(Text(cell) for cell in row))
    return table


def show(summary: Summary, console: Console) -> None:
    """Print the table and the sentences below it: as wide as the terminal, or plain and whole where it is none."""
    from rich.text import Text  # noqa: PLC0415 - as above

    if console.is_terminal:
        console.print(as_table(summary, width=console.width), "", *(Text(sentence) for sentence in sentences(summary)), sep="\n")
    else:
        console.print(Text(as_text(summary).removesuffix("\n")), soft_wrap=True)


def sentences(summary: Summary) -> tuple[str, ...]:
    """Say what holds for the whole network, a sentence a line."""
    found: list[str] = []
    for when, spread in (("first", summary.start), ("best", summary.best), ("last", summary.current)):
        if spread is not None:
            found.append(_about(when, spread))
    found.append(
        f"Work cycles: {summary.cycles.total} ({summary.cycles.train} train, {summary.cycles.average} average, "
        f"{summary.cycles.explore} explore, {summary.cycles.adopt} adopt) in {show_seconds(summary.seconds)}; "
        f"sent {show_bytes(summary.sent_bytes)}, received {show_bytes(summary.received_bytes)} of files."
    )
    if summary.slices:
        most = summary.slices[0].uses
        limit = "" if summary.threshold is None else f"; threshold {summary.threshold}, overshoot {summary.overshoot}"
        found.append(
            f"Dataslices: {len(summary.slices)}, used {summary.uses} times in the whole network, one at most {most} times{limit}."
        )
    if summary.resilience is not None:
        found.append(
            f"Resilience: a peer's model could be had from {show_number(summary.resilience.mean, 1)} peers on average "
            f"({show_count(summary.resilience.lowest)} to {show_count(summary.resilience.highest)}), "
            f"from {show_number(summary.resilience.last, 1)} when last counted."
        )
    if summary.ledger is not None:
        found.append(
            f"The ledgers' own count, protocol and all: sent {show_bytes(summary.ledger.sent_bytes)}, "
            f"received {show_bytes(summary.ledger.received_bytes)}."
        )
    if len(summary.sessions) > 1:
        found.append(
            f"Attention: these peers are of {len(summary.sessions)} different sessions; means over them compare unlike things."
        )
    if summary.damaged_lines:
        found.append(f"Attention: {summary.damaged_lines} damaged line(s) were left out.")
    return tuple(found)


def _cells(summary: Summary) -> tuple[list[_Column], list[list[str]]]:
    columns = [
        column for column in _COLUMNS if not column.optional or any(column.cell(peer) != NOTHING for peer in summary.peers)
    ]
    return columns, [[column.cell(peer) for column in columns] for peer in summary.peers]


def _fitting(columns: list[_Column], rows: list[list[str]], width: int | None) -> tuple[list[_Column], list[list[str]]]:
    kept = list(range(len(columns)))
    needs = [max([len(column.title), *(len(row[index]) for row in rows)]) for index, column in enumerate(columns)]
    while width is not None and sum(needs[index] + 2 for index in kept) > width + 2:
        last = max(kept, key=lambda index: columns[index].rank)
        if columns[last].rank == 0:
            break
        kept.remove(last)
    return [columns[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _pad(cell: str, width: int, column: _Column) -> str:
    return cell.ljust(width) if column.words else cell.rjust(width)


def _about(when: str, spread: Spread) -> str:
    return (
        f"Accuracy, {when} score: mean {show_number(spread.mean, 2)} %, spread {show_number(spread.spread, 2)} points "
        f"({show_number(spread.lowest, 2)} to {show_number(spread.highest, 2)}) over {spread.peers} peer(s)."
    )


def _percent(standing: Standing | None) -> str:
    return NOTHING if standing is None else show_number(standing.accuracy, 2)


def _share(attempts: Attempts) -> str:
    return f"{attempts.successes}/{attempts.attempts}" if attempts.attempts else NOTHING


def _resilience(resilience: Resilience | None) -> str:
    if resilience is None:
        return NOTHING
    return f"{show_number(resilience.mean, 1)}, last {show_number(resilience.last, 0)}"


def _count(number: int) -> str:
    return str(number) if number else NOTHING
