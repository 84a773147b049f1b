"""``learnae init``: describe a session."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from learnae.cli.comma_lists import names, widths
from learnae.cli.output import data, data_json, say
from learnae.errors import ConfigError
from learnae.values.choices import Judge, Task

if TYPE_CHECKING:
    from learnae.data.describe import Description
    from learnae.founding import Founded, OwnModel
    from learnae.plugins.facade import Plugins

DATA, MODEL, TERMS, FILES = "Your rows", "The model", "The terms", "Files"


def init(
    ctx: typer.Context,
    *,
    data_file: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="Your rows: CSV, also gzipped, or Parquet.", rich_help_panel=DATA)
    ],
    label: Annotated[str, typer.Option(metavar="COLUMN", help="The column to predict.", rich_help_panel=DATA)],
    features: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="The columns to learn from, in order; by default all others.", rich_help_panel=DATA),
    ] = None,
    exclude: Annotated[str, typer.Option(metavar="A,B", help="Columns to leave out.", rich_help_panel=DATA)] = "",
    task: Annotated[
        Task | None, typer.Option(help="What is predicted; by default as the values suggest.", rich_help_panel=DATA)
    ] = None,
    publish_scaling: Annotated[
        bool,
        typer.Option(
            "--publish-scaling",
            help="Scale features by mean and spread of your training rows, and let everybody see both.",
            rich_help_panel=DATA,
        ),
    ] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read.", rich_help_panel=DATA)
    ] = False,
    hidden: Annotated[
        str, typer.Option(metavar="N,N", help="Widths of the built-in model's hidden layers.", rich_help_panel=MODEL)
    ] = "64,32",
    activation: Annotated[
        str, typer.Option(metavar="relu|tanh", help="What is between its layers.", rich_help_panel=MODEL)
    ] = "relu",
    model: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="A model of your own; give it a --custom-label.", rich_help_panel=MODEL),
    ] = None,
    custom_label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the manifest calls it.", rich_help_panel=MODEL)
    ] = None,
    framework: Annotated[
        str | None, typer.Option(metavar="NAME", help="What you train with [jax].", rich_help_panel=MODEL)
    ] = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="The session's codename.", rich_help_panel=TERMS)] = "session",
    sharing: Annotated[
        bool, typer.Option("--sharing/--no-sharing", help="Whether rows may leave their peers.", rich_help_panel=TERMS)
    ] = False,
    judge: Annotated[Judge, typer.Option(help="What makes a model better.", rich_help_panel=TERMS)] = Judge.ACCURACY,
    min_gain: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="By how much; by default 0, or 0.0001 for the loss.", rich_help_panel=TERMS),
    ] = None,
    validation_share: Annotated[
        float, typer.Option(metavar="NUMBER", help="The share of rows kept for validation.", rich_help_panel=TERMS)
    ] = 0.2,
    slice_size: Annotated[int, typer.Option(metavar="N", help="The most rows in a dataslice.", rich_help_panel=TERMS)] = 500,
    passes: Annotated[
        int, typer.Option(metavar="N", help="How often a peer goes over each dataslice.", rich_help_panel=TERMS)
    ] = 3,
    overuse_threshold: Annotated[
        int,
        typer.Option(metavar="N", help="After how many uses in the whole network a dataslice is ignored.", rich_help_panel=TERMS),
    ] = 20,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Of the first weights and the choice of validation rows.", rich_help_panel=TERMS)
    ] = 0,
    secret: Annotated[
        bool,
        typer.Option("--secret", help="Encrypt everything; session.secret holds the key to it.", rich_help_panel=TERMS),
    ] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.", rich_help_panel=FILES)] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Write what was written as one JSON object to stdout.")] = False,
) -> None:
    """Describe a session, from your rows.

    Writes the session's manifest, session.json, and a commented learnae.toml for you. Give session.json to everybody who shall
    take part, and session.secret, if there is one, only to them.
    """
    from learnae.founding import found_session, secret_in, write_folder

    def told(description: Description) -> None:
        _tell(description, publish_scaling=publish_scaling)

    own_model = _own_model(ctx.obj, custom_label, model, framework)
    manifest = found_session(
        data_file,
        label=label,
        name=name,
        features=names(features) if features is not None else None,
        exclude=names(exclude),
        task=task,
        hidden=widths(hidden),
        activation=activation,
        own_model=own_model,
        slice_size=slice_size,
        passes=passes,
        overuse_threshold=overuse_threshold,
        validation_share=validation_share,
        sharing=sharing,
        judge=judge,
        min_gain=min_gain,
        seed=seed,
        publish_scaling=publish_scaling,
        skip_bad_rows=skip_bad_rows,
        secret=secret_in(out) if secret else None,
        on_described=told,
    )
    founded = write_folder(out, manifest, data=data_file, framework=framework, model=model, options=ctx.obj.options())
    if json:
        data_json({**_files(founded), "session": founded.session})
    else:
        data("\n".join(_files(founded).values()))
    _say_what_next(founded, out, _where_to_meet(ctx.obj), _other_ways(ctx.obj), model=model)


def _files(founded: Founded) -> dict[str, str]:
    found = {"manifest": founded.manifest, "settings": founded.settings, "secret": founded.secret}
    return {name: str(path) for name, path in found.items() if path is not None}


def _own_model(plugins: Plugins, label: str | None, model: str | None, framework: str | None) -> OwnModel | None:
    from learnae.config.training import TrainingSection
    from learnae.founding import OwnModel

    if (label is None) is not (model is None):
        given, other = ("--model", "--custom-label TEXT") if label is None else ("--custom-label", "--model MODULE:FUNCTION")
        raise ConfigError(f"{given} needs {other} beside it: a model of your own has a name for all and code that you have")
    if label is None or model is None:
        return None
    return OwnModel(label, model, framework or TrainingSection().framework, plugins)


def _tell(description: Description, *, publish_scaling: bool) -> None:
    kinds = f"{len(description.classes)} classes" if description.classes else "a number"
    say(
        f"{description.rows} rows, {description.training_rows} of them for training; {len(description.features)} features; "
        f"predicting {description.target!r}: {description.task}, {kinds}."
    )
    if description.skipped:
        say(f"{description.skipped} bad rows were left out.")
    if publish_scaling:
        say("The manifest shows mean and spread of each feature of your training rows to everybody who gets it.")
    else:
        say("Features are used as they are, centre 0 and scale 1: nothing about your rows is published.")
        say("If they are not of similar size, scale them first, or allow --publish-scaling.")


def _where_to_meet(plugins: Plugins) -> str:
    """Write the options without which the default transport cannot be opened, such as ``--folder FOLDER``."""
    from learnae.config.settings import NetworkSection
    from learnae.interfaces.provider import Capability

    transport = NetworkSection().transport
    found = [each.provider for each in plugins.providers(Capability.TRANSPORT) if each.provider.name == transport]
    needed = [option for provider in found for option in provider.options if option.flag and option.default is None]
    return "".join(f" {option.flag} {option.name.upper()}" for option in needed)


def _other_ways(plugins: Plugins) -> list[str]:
    """Return the transports that may take the place of the default one: those that lead out of this process."""
    from learnae.config.settings import NetworkSection
    from learnae.interfaces.provider import Capability

    names = {each.provider.name for each in plugins.providers(Capability.TRANSPORT)}
    return sorted(names - {NetworkSection().transport, "memory"})


def _say_what_next(founded: Founded, out: Path, meet: str, others: list[str], *, model: str | None) -> None:
    where = "" if out == Path() else f" --config {shlex.quote(str(founded.settings))}"
    same = "" if model is None else f" --model {shlex.quote(model)}"
    also = "" if founded.secret is None else f" and, by a way that you trust, {founded.secret}"
    mine = " --secret-file session.secret" if founded.secret is not None else ""
    say("Next, look whether everything is there, and be the first peer:")
    say(f"    learnae check{where}{meet}")
    say(f"    learnae run{where}{meet}")
    say(f"For others, give them {founded.manifest}{also}; they type:")
    say(f"    learnae run --session session.json{mine} --data FILE{same}{meet}")
    if others:
        instead = f" in place of{meet}" if meet else ""
        way = f"--transport {' or '.join(others)}{instead}"
        say(f"To meet another way, all of you type {way}; `learnae plugins` shows the options.")
    if model is None:
        say("Whoever has no JAX types --framework numpy as well.")
