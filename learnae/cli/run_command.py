"""``learnae run``: be a peer."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from learnae.cli.output import data, data_json, say
from learnae.cli.settings_options import Given

if TYPE_CHECKING:
    from learnae.cli.live import LiveView
    from learnae.cli.plain import PlainLines, Silence
    from learnae.cli.wording import Metric
    from learnae.runtime.peer import Outcome


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
    import asyncio

    from learnae.cli.wording import Metric
    from learnae.codec.manifests import read_manifest
    from learnae.runtime.running import run_peer

    settings = given.resolve(ctx.obj).settings
    manifest = read_manifest(settings.peer.session)
    metric = Metric(manifest.task)
    try:
        with _reporter(manifest.name, metric, plain=plain, quiet=quiet) as reporter:
            outcome = asyncio.run(run_peer(settings, ctx.obj, listeners=[reporter.take]))
    except KeyboardInterrupt:
        say(f"Interrupted before it had begun; nothing is lost. To go on: {_same_command()}")
        raise
    if json:
        data_json(_as_json(outcome))
    else:
        data(_as_sentence(outcome, metric))
    if outcome.reason != "converged" and not quiet:
        say(f"Everything is kept. To go on: {_same_command()}")


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
