"""``learnae report``: tables and figures of what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from learnae.cli.output import data_console, data_json, say


def report(
    *,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Journals, or folders to search for events.jsonl.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Also write report.txt, report.json, peers.csv, series.csv and report.png there."
        ),
    ] = None,
    threshold: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The session's overuse threshold, to tell the overshoot over it.")
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out lines that cannot be read, and count them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the summary as one JSON object to stdout.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Write the JSON Schema of a line of events.jsonl, and end.")] = False,
) -> None:
    """Show what came of one or many peers.

    A table of what their journals tell; with --out also CSV files and a picture. A peer's journal is events.jsonl in its state
    folder.
    """
    from learnae.report import events_schema, read_histories, show, summarise, write_report

    if schema:
        data_json(events_schema())
        return
    if not paths:
        raise typer.BadParameter("name the folder of a peer that has run, or one above several", param_hint="PATH...")
    histories = read_histories(paths, skip_damaged=skip_damaged)
    summary = summarise(histories, threshold=threshold)
    if json:
        data_json(summary)
    else:
        show(summary, data_console())
    if out is not None:
        for file in write_report(histories, out, threshold=threshold):
            say(f"wrote {file}")
