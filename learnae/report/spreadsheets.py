"""A run as CSV: a row per peer, and a row per moment."""

import csv
import dataclasses
import io
from collections.abc import Sequence

import msgspec

from learnae.report.history import History
from learnae.report.ledger import carried, held
from learnae.report.series import origin, points
from learnae.report.summary import LedgerTraffic, PeerSummary, Resilience, Standing, Summary

_SERIES = (
    *("event", "accuracy", "loss", "maturity"),
    *("holders", "sent_bytes", "received_bytes", "served_blocks", "neighbours"),
)
_PARTS: dict[str, type[msgspec.Struct]] = {
    "start": Standing,
    "best": Standing,
    "current": Standing,
    "resilience": Resilience,
    "ledger": LedgerTraffic,
}


def peers_csv(summary: Summary) -> str:
    """Write one row per peer, with every number of its summary; nested names are joined, as in ``current_accuracy``."""
    rows = [_flat(peer) for peer in summary.peers]
    return _csv(list(rows[0]), [list(row.values()) for row in rows])


def series_csv(histories: Sequence[History]) -> str:
    """Write what happened to every peer's current model over time.

    Columns: time (seconds since the earliest line of all), peer (its id), name, event (see ``Point.event``), accuracy (percent),
    loss, maturity. Where ledgers were measured there are further rows, which leave those three empty: of event ``holders`` with
    the column holders, and of event ``traffic`` with the others, which hold what all runs of the peer came to so far.
    """
    start = origin(histories)
    rows: list[tuple[float, History, dict[str, object]]] = []
    for history in histories:
        for point in points(history):
            known: dict[str, object] = {"event": point.event, "maturity": point.maturity}
            if point.score is not None:
                known |= {"accuracy": 100.0 * point.score.accuracy, "loss": point.score.loss}
            rows.append((round(point.time - start, 6), history, known))
        counts = [(each.time, {"event": "holders", "holders": each.holders}) for each in held(history)]
        loads = [(load.time, {"event": "traffic"} | dataclasses.asdict(load)) for load in carried(history)]
        rows += [(round(time - start, 6), history, known) for time, known in (*counts, *loads)]
    rows.sort(key=lambda row: row[0])
    return _csv(
        ("time", "peer", "name", *_SERIES),
        [(f"{time:.6f}", history.peer, history.name, *(row.get(name) for name in _SERIES)) for time, history, row in rows],
    )


def _flat(peer: PeerSummary) -> dict[str, object]:
    row: dict[str, object] = {}
    for key in msgspec.structs.fields(PeerSummary):
        value = getattr(peer, key.name)
        if key.name in _PARTS:
            for part in msgspec.structs.fields(_PARTS[key.name]):
                row[f"{key.name}_{part.name}"] = None if value is None else getattr(value, part.name)
        elif isinstance(value, msgspec.Struct):
            row |= {f"{key.name}_{name}": part for name, part in msgspec.structs.asdict(value).items()}
        else:
            row[key.name] = value
    return row


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
