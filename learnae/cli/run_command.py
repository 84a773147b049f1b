"""``learnae run``: be a peer."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from learnae.cli.entry import INTERRUPTED_STATUS, leaving_at_once
from learnae.cli.grouping import OPERATOR_STATUS
from learnae.cli.output import complain, data, data_json, say
from learnae.cli.settings_options import Given
from learnae.errors import OperatorError

if TYPE_CHECKING:
    from learnae.cli.live import LiveView
    from learnae.cli.plain import PlainLines, Silence
    from learnae.cli.wording import Metric
    from learnae.runtime.peer import Outcome
    from learnae.values.journal import JournalLine

THREADS_TIMEOUT_S = 1.0
"""How long threads that were told to end may take to."""


def run(
    ctx: typer.Context,
    given: Given,
    *,
    plain: Annotated[bool, typer.Option("--plain", help="Write lines, also where there is a terminal.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while running.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write how it ended as one JSON object to stdout.")] = False,
) -> None:
    """Be a peer of a session.

    Ctrl-C stops it, and so does --until; the same command goes on where the last one ended, however it ended. Settings come from
    learnae.toml, the environment (LEARNAE_NETWORK__TRANSPORT=localfs) and the options below; `learnae check` shows what is in
    effect and why.
    """
    with leaving_at_once():
        import asyncio

        from learnae.cli.wording import Metric
        from learnae.codec.manifests import read_manifest
        from learnae.runtime.running import run_peer
        from learnae.values.journal import PhaseChanged

    settings = given.resolve(ctx.obj).settings
    manifest = read_manifest(settings.peer.session)
    metric = Metric(manifest.task)
    has_begun = False

    def watch(line: JournalLine) -> None:
        nonlocal has_begun
        has_begun = has_begun or isinstance(line.fact, PhaseChanged)

    with _no_thread_left():
        try:
            with _reporter(manifest.name, metric, plain=plain, quiet=quiet) as reporter:
                outcome = asyncio.run(run_peer(settings, ctx.obj, listeners=[watch, reporter.take]))
        except KeyboardInterrupt:
            kept = "; what was finished is kept" if has_begun else " before it had begun; nothing is lost"
            say(f"Interrupted{kept}. To go on: {_same_command()}")
            raise
        if json:
            data_json(_as_json(outcome))
        else:
            data(_as_sentence(outcome, metric))
        if outcome.reason != "converged" and not quiet:
            say(f"Everything is kept. To go on: {_same_command()}")


@contextmanager
def _no_thread_left() -> Iterator[None]:
    """End the process, once all is closed and said, if a thread of the peer's still runs: the interpreter would wait for it.

    A training step that outlasted the peer's patience is such a thread, and so is a file operation on a mount that hangs.
    """
    before = set(threading.enumerate())
    try:
        yield
    except KeyboardInterrupt:
        _end_if_left(before, INTERRUPTED_STATUS)
        raise
    except OperatorError as exc:
        _end_if_left(before, OPERATOR_STATUS, str(exc))
        raise
    _end_if_left(before, 0)


def _end_if_left(before: set[threading.Thread], status: int, complaint: str = "") -> None:
    left = [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("learnae-")]
    ends_s = time.monotonic() + THREADS_TIMEOUT_S
    for thread in left:
        thread.join(max(0.0, ends_s - time.monotonic()))
    if any(thread.is_alive() for thread in left):
        if complaint:
            complain(complaint)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reporter(name: str, metric: Metric, *, plain: bool, quiet: bool) -> LiveView | PlainLines | Silence:
    from learnae.cli.plain import PlainLines, Silence

    if quiet:
        return Silence()
    if plain or not sys.stderr.isatty():
        return PlainLines(metric)
    from learnae.cli.live import LiveView

    return LiveView(name, metric)


def _same_command() -> str:
    return shlex.join(["learnae", *sys.argv[1:]])


def _as_sentence(outcome: Outcome, metric: Metric) -> str:
    score = f": {metric.whole(outcome.score)} on {outcome.score.rows} own rows" if outcome.score is not None else ""
    return f"{outcome.reason} after {outcome.cycle} work cycles{score}"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "reason": outcome.reason,
        "peer": outcome.peer,
        "session": outcome.session,
        "cycle": outcome.cycle,
        "model": outcome.model,
        "score": outcome.score,
    }
