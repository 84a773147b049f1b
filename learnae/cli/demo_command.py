"""``learnae demo``: several peers on this machine, from nothing to a table and a picture."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from learnae.cli.comma_lists import names, widths
from learnae.cli.output import complain, data, data_console, data_json, say
from learnae.errors import ConfigError
from learnae.values.choices import Averaging, Judge

if TYPE_CHECKING:
    from learnae.cli.demo_view import LiveDemo, PlainDemo
    from learnae.demo.plan import DemoResult

ROWS, TRAINING, LEDGER = "The rows", "Training", "The ledger"
FAILED_STATUS = 1


def demo(
    ctx: typer.Context,
    *,
    peers: Annotated[int, typer.Option("--peers", metavar="N", help="How many peers, each a process of its own.")] = 4,
    data_file: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Your own rows: CSV, also gzipped, or Parquet; else they are made up.",
            rich_help_panel=ROWS,
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="The column to predict.", rich_help_panel=ROWS)
    ] = None,
    features: Annotated[
        str,
        typer.Option("--features", metavar="A,B", help="The columns to learn from; by default all others.", rich_help_panel=ROWS),
    ] = "",
    exclude: Annotated[str, typer.Option("--exclude", metavar="A,B", help="Columns to leave out.", rich_help_panel=ROWS)] = "",
    rows_per_peer: Annotated[
        int,
        typer.Option(
            "--rows-per-peer", metavar="N", help="Rows of each peer, for training and validation.", rich_help_panel=ROWS
        ),
    ] = 400,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read.", rich_help_panel=ROWS)
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Chooses the rows, who gets which, and the first weights.", rich_help_panel=ROWS
        ),
    ] = 0,
    framework: Annotated[
        str | None,
        typer.Option(
            "--framework",
            metavar="NAME",
            help="What computes; by default jax if it is installed, else numpy.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    averaging: Annotated[
        Averaging, typer.Option("--averaging", help="How models are averaged.", rich_help_panel=TRAINING)
    ] = Averaging.PAIRWISE,
    judge: Annotated[
        Judge, typer.Option("--judge", help="What makes a model better.", rich_help_panel=TRAINING)
    ] = Judge.ACCURACY,
    hidden: Annotated[
        str, typer.Option("--hidden", metavar="N,N", help="Widths of the model's hidden layers.", rich_help_panel=TRAINING)
    ] = "64,32",
    epochs: Annotated[
        int, typer.Option("--epochs", metavar="N", help="Passes over the rows of one work cycle.", rich_help_panel=TRAINING)
    ] = 5,
    passes: Annotated[
        int,
        typer.Option(
            "--passes", metavar="N", help="How often a peer goes over each of its dataslices.", rich_help_panel=TRAINING
        ),
    ] = 3,
    transport: Annotated[
        str, typer.Option("--transport", metavar="NAME", help="What carries announcements.", rich_help_panel=LEDGER)
    ] = "localfs",
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="NAME", help="What keeps models [that of the transport].", rich_help_panel=LEDGER),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of every peer; may be given several times."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where everything goes; what an earlier demo made there is replaced.")
    ] = Path("learnae-demo"),
    limit: Annotated[
        str, typer.Option("--limit", metavar="TIME", help="Stop, and score what is there, after so long alone or together.")
    ] = "10m",
    plain: Annotated[bool, typer.Option("--plain", help="Write lines, also where there is a terminal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the result as one JSON object to stdout.")] = False,
) -> None:
    """Let several peers train on this machine, alone and then together.

    Each peer is a process of its own with rows of its own. In the end all models are scored on rows that no peer trained or
    chose with: the table goes to stdout, pictures and everything else to --out.
    """
    from learnae.config.duration import parse_duration
    from learnae.demo.plan import DemoPlan, PeerFailedError
    from learnae.demo.running import run_demo

    plan = DemoPlan(
        out=out,
        peers=peers,
        data=data_file,
        label=label,
        features=names(features),
        exclude=names(exclude),
        skip_bad_rows=skip_bad_rows,
        rows_per_peer=rows_per_peer,
        seed=seed,
        transport=transport,
        storage=storage,
        framework=framework,
        averaging=averaging,
        judge=judge,
        hidden=widths(hidden),
        epochs=epochs,
        passes=passes,
        overrides=_overrides(settings or []),
        limit_s=parse_duration(limit),
    )
    try:
        with _ended_like_ctrl_c(), _watcher(plain=plain) as watcher:
            result = run_demo(plan, ctx.obj, watcher=watcher)
    except PeerFailedError as error:
        summary, _, log = str(error).partition("\n")
        complain(summary)
        say(log)
        raise typer.Exit(FAILED_STATUS) from error
    except KeyboardInterrupt:
        say("Interrupted; no peer is left running.")
        raise
    if json:
        data_json(_as_json(result))
    else:
        _show(result)
    for picture in result.pictures:
        say(f"wrote {picture}")
    say(f"everything else is in {result.folder}; to take a model out of it:")
    say(f"    learnae export --config {shlex.quote(str(result.folder / 'peer-1' / 'learnae.toml'))} --out model.safetensors")


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a closed terminal stop the peers as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watcher(*, plain: bool) -> LiveDemo | PlainDemo:
    from learnae.cli.demo_view import LiveDemo, PlainDemo

    return PlainDemo() if plain or not sys.stderr.isatty() else LiveDemo()


def _overrides(settings: list[str]) -> dict[str, object]:
    overrides: dict[str, object] = {}
    for text in settings:
        key, separator, value = text.partition("=")
        if not separator:
            raise ConfigError(f"--set {text}: write --set KEY=VALUE, such as --set training.learning_rate=0.01")
        overrides[key.strip()] = value.strip()
    return overrides


def _as_json(result: DemoResult) -> dict[str, Any]:
    return {
        "peers": [
            {"peer": each.peer, "alone": round(each.alone, 4), "together": round(each.together, 4)} for each in result.peers
        ],
        "mean_alone": round(result.mean_alone, 4),
        "mean_together": round(result.mean_together, 4),
        "spread_alone": round(result.spread_alone, 4),
        "spread_together": round(result.spread_together, 4),
        "test_rows": result.test_rows,
        "data": result.data,
        "seconds": round(result.seconds, 3),
    }


def _show(result: DemoResult) -> None:
    from rich import box
    from rich.table import Table

    data(f"{result.metric.capitalize()} in percent on {result.test_rows} rows that no peer saw ({result.data}):")
    table = Table(box=box.SIMPLE)
    table.add_column("peer")
    for name in ("alone", "together", "gain"):
        table.add_column(name, justify="right")
    for each in result.peers:
        table.add_row(each.peer, f"{each.alone:.2f}", f"{each.together:.2f}", f"{each.together - each.alone:+.2f}")
    table.add_section()
    for name, alone, together in (
        ("mean", result.mean_alone, result.mean_together),
        ("spread (max - min)", result.spread_alone, result.spread_together),
    ):
        table.add_row(name, f"{alone:.2f}", f"{together:.2f}", f"{together - alone:+.2f}", style="bold" if name == "mean" else "")
    data_console().print(table)
