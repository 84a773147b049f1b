"""Tables and figures from any run's ``events.jsonl``; figures need the extra ``figures``."""

from learnae.report.comparison import draw_comparison
from learnae.report.history import History, Journal, Naming, merge
from learnae.report.ledger import Carried, Held, carried, held
from learnae.report.overview import render_overview
from learnae.report.reading import read_histories, read_journal
from learnae.report.schema import events_schema
from learnae.report.series import Point, Span, points, spans
from learnae.report.spreadsheets import peers_csv, series_csv
from learnae.report.summarising import summarise
from learnae.report.summary import (
    Attempts,
    Cycles,
    LedgerTraffic,
    PeerSummary,
    Resilience,
    SliceSummary,
    Spread,
    Standing,
    Summary,
)
from learnae.report.tables import as_table, as_text, show
from learnae.report.writing import Format, write_report

__all__ = [
    "Attempts",
    "Carried",
    "Cycles",
    "Format",
    "Held",
    "History",
    "Journal",
    "LedgerTraffic",
    "Naming",
    "PeerSummary",
    "Point",
    "Resilience",
    "SliceSummary",
    "Span",
    "Spread",
    "Standing",
    "Summary",
    "as_table",
    "as_text",
    "carried",
    "draw_comparison",
    "events_schema",
    "held",
    "merge",
    "peers_csv",
    "points",
    "read_histories",
    "read_journal",
    "render_overview",
    "series_csv",
    "show",
    "spans",
    "summarise",
    "write_report",
]
