"""``learnae predict``: the model on new rows."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from learnae.cli.export_command import WHICH, peer_settings
from learnae.cli.output import data, data_json, say
from learnae.errors import ConfigError
from learnae.values.choices import Task

if TYPE_CHECKING:
    from learnae.applying.model import Model
    from learnae.applying.predicting import Predicted
    from learnae.plugins.facade import Plugins
    from learnae.values.scores import Score

STDOUT = "-"
HOW = "How to run it"


def predict(
    ctx: typer.Context,
    *,
    table: Annotated[
        Path,
        typer.Option("--data", metavar="FILE", help="The rows: CSV, also gzipped, or Parquet; the target may be missing."),
    ],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="What `learnae export` wrote.", rich_help_panel=WHICH)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Or the settings of a peer, for its own model.", rich_help_panel=WHICH),
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="Or its state folder.", rich_help_panel=WHICH)
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(
            "--session", metavar="FILE", help="The session's manifest; by default the state folder's copy.", rich_help_panel=WHICH
        ),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE|-", help="Where predictions go [-: stdout].")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Also write how likely each class is.")] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Compare with the target, and write how right the predictions are instead of them.")
    ] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read, and count them, instead of stopping.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write a JSON object for each row, one a line, instead of CSV.")] = False,
    framework: Annotated[
        str | None, typer.Option("--framework", metavar="NAME", help="What computes.", rich_help_panel=HOW)
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(
            "--code",
            metavar="MODULE:FUNCTION",
            help="Builds the network of a session with a model of its own.",
            rich_help_panel=HOW,
        ),
    ] = None,
) -> None:
    """Predict the target of new rows.

    Writes CSV, a line for each row: its line in the file, the prediction and, with --proba, a probability for each class. Rows
    are read and written some thousand at a time, however large the file.
    """
    from learnae.applying.predicting import Tally, predict_table
    from learnae.data.rows import BadRows

    opened = _open(ctx.obj, model, config, state, session, framework=framework, code=code)
    task = opened.manifest.task
    if proba and task is Task.REGRESSION:
        raise ConfigError("--proba: this model is a regression, which has no classes; leave the option out")
    bad_rows, tally = BadRows(skip=skip_bad_rows), Tally(task)
    parts = predict_table(opened, table, bad_rows=bad_rows, probabilities=proba, score=score)
    target = out if out is not None or score else STDOUT
    with _written(target) as file:
        writer = _writer(file, opened, proba=proba, json=json) if file is not None else None
        for part in parts:
            if writer is not None:
                writer.write(part)
            if score:
                tally.add(part)
    if bad_rows.skipped:
        say(f"left out {bad_rows.skipped} bad rows, the first: {bad_rows.first}")
    if score:
        _tell(tally.score(table), task, table, json=json, aside=target == STDOUT)


def _open(
    plugins: Plugins,
    model: Path | None,
    config: Path | None,
    state: Path | None,
    session: Path | None,
    *,
    framework: str | None,
    code: str | None,
) -> Model:
    from learnae.applying.model import load_model, open_model
    from learnae.applying.states import own_model

    if model is not None:
        if named := [name for name, each in (("--config", config), ("--state", state), ("--session", session)) if each]:
            raise ConfigError(f"--model {model} and {named[0]} name two models; leave one of them out")
        return load_model(model, model=code, framework=framework, plugins=plugins)
    settings = peer_settings(config, state, session)
    return open_model(own_model(settings), model=code or settings.training.model, framework=framework, plugins=plugins)


@contextlib.contextmanager
def _written(target: str | None) -> Iterator[TextIO | None]:
    """Open where predictions go; a file is there whole or not at all."""
    if target is None or target == STDOUT:
        yield None if target is None else sys.stdout
        return
    from learnae.applying.drafts import whole_file

    with whole_file(Path(target)) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()


class _Csv:
    """Writes predictions as CSV."""

    def __init__(self, file: TextIO, model: Model, *, proba: bool) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(["line", "prediction", *(f"p_{name}" for name in model.classes if proba)])

    def write(self, part: Predicted) -> None:
        """Write some rows."""
        columns: list[list[Any]] = [part.lines.tolist(), [_shown(value) for value in part.predictions.tolist()]]
        if part.probabilities is not None:
            columns += [[f"{value:.6g}" for value in column] for column in part.probabilities.T.tolist()]
        self._writer.writerows(zip(*columns, strict=True))


class _Json:
    """Writes predictions as JSON, an object a line."""

    def __init__(self, file: TextIO, model: Model) -> None:
        self._file = file
        self._classes = model.classes

    def write(self, part: Predicted) -> None:
        """Write some rows."""
        import msgspec

        rows: list[dict[str, Any]] = [
            {"line": line, "prediction": prediction}
            for line, prediction in zip(part.lines.tolist(), part.predictions.tolist(), strict=True)
        ]
        if part.probabilities is not None:
            for row, values in zip(rows, part.probabilities.tolist(), strict=True):
                row["probabilities"] = dict(zip(self._classes, values, strict=True))
        self._file.writelines(msgspec.json.encode(row).decode() + "\n" for row in rows)


def _writer(file: TextIO, model: Model, *, proba: bool, json: bool) -> _Csv | _Json:
    return _Json(file, model) if json else _Csv(file, model, proba=proba)


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"


def _tell(score: Score, task: Task, table: Path, *, json: bool, aside: bool) -> None:
    """Write the score: to stdout, or beside the predictions if these go there."""
    from learnae.cli.wording import Metric

    sentence = f"{Metric(task).whole(score)} on {score.rows} rows of {table}"
    if aside:
        say(sentence)
    elif json:
        data_json({"accuracy": score.accuracy, "loss": score.loss, "rows": score.rows})
    else:
        data(sentence)
