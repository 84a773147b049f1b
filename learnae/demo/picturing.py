"""The demo's pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from learnae.demo.plan import SYNTHETIC
from learnae.demo.session import PICTURE, REPORT, PeerFiles
from learnae.report.history import History, merge
from learnae.report.reading import read_journal
from learnae.values.choices import Task

if TYPE_CHECKING:
    from learnae.demo.plan import DemoPlan, PeerResult, Watcher


def draw(
    plan: DemoPlan, results: tuple[PeerResult, ...], peers: tuple[PeerFiles, ...], *, task: Task, test_rows: int, watcher: Watcher
) -> tuple[Path, ...]:
    """Draw the comparison, and what happened while the peers trained together; return the files.

    Without Matplotlib nothing is drawn, and the watcher is told what to type.

    Raises:
        OperatorError: A file cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        watcher.said("no pictures: Matplotlib is not installed; type: pip install 'learnae[figures]'")
        return ()
    from learnae.report.comparison import draw_comparison  # noqa: PLC0415 - slow to import, and an extra
    from learnae.report.overview import render_overview  # noqa: PLC0415 - the same
    from learnae.report.summarising import summarise  # noqa: PLC0415 - the same
    from learnae.report.writing import write_atomically  # noqa: PLC0415 - the same

    folder = peers[0].folder.parent
    histories = _histories(peers)
    number = "R²" if task is Task.REGRESSION else "accuracy"
    comparison = draw_comparison(
        folder / PICTURE,
        [(each.peer, each.alone, each.together) for each in results],
        title=f"{len(results)} peers, {_rows(plan)} each: alone, and together",
        subtitle=f"Percent {number} on {test_rows} {_kind(plan)}that no peer trained or chose with. "
        f"{plan.averaging.capitalize()} averaging, judged by {plan.judge}; {plan.transport}; seed {plan.seed}.",
        histories=histories,
    )
    title = f"LEARNAE: {len(results)} peers training together on {_rows(plan)} each"
    report = write_atomically(folder / REPORT, render_overview(histories, summarise(histories), title=title))
    return comparison, report


def _histories(peers: tuple[PeerFiles, ...]) -> tuple[History, ...]:
    journals = {files.name: read_journal(files.journal(alone=False), skip_damaged=True) for files in peers}
    return merge(journals.values(), names={journal.lines[0].peer: name for name, journal in journals.items() if journal.lines})


def _kind(plan: DemoPlan) -> str:
    return f"{SYNTHETIC} rows " if plan.data is None else f"rows of {plan.data.name} "


def _rows(plan: DemoPlan) -> str:
    return f"{plan.rows_per_peer} {_kind(plan)}".strip()
