"""The program ``learnae``: its commands, those that plugins add, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from learnae.cli.check_command import check
from learnae.cli.demo_command import demo
from learnae.cli.export_command import export
from learnae.cli.grouping import Commands, GroupedCommand
from learnae.cli.init_command import init
from learnae.cli.output import Complaints, complain, data
from learnae.cli.peer_commands import SettingsCommands
from learnae.cli.plugins_command import plugins
from learnae.cli.predict_command import predict
from learnae.cli.report_command import report
from learnae.cli.run_command import run
from learnae.cli.settings_options import with_settings
from learnae.plugins.facade import Plugins

EPILOG = """\
Results go to stdout, everything else to stderr. Exit status: 0 done; 1 `learnae check` found something missing, a peer of
`learnae demo` died, or a bug of LEARNAE, which shows a traceback; 2 something for you to put right, which one line names;
130 interrupted."""


def load() -> Callable[[], None]:
    """Load what is installed; return what runs the command line and ends the process."""
    logging.getLogger("learnae").addHandler(Complaints(logging.WARNING))
    installed = Plugins.discover()
    return partial(make_app(installed), prog_name="learnae", obj=installed)


def make_app(installed: Plugins) -> typer.Typer:
    """Put the commands together; each gets the plugins as ``ctx.obj``."""
    app = typer.Typer(
        cls=Commands,
        epilog=EPILOG,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(_learnae)
    commands: tuple[Callable[..., None], ...] = (
        init,
        with_settings(check, installed),
        with_settings(run, installed),
        demo,
        report,
        export,
        predict,
        plugins,
    )
    for command in commands:
        app.command(cls=GroupedCommand)(command)
    _add_theirs(app, installed)
    return app


def _version(given: bool) -> None:
    if given:
        import learnae

        data(f"learnae {learnae.__version__}")
        raise typer.Exit


def _learnae(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version, and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Train one neural network together, with no server, no shared model and no owner."""
    del version


def _add_theirs(app: typer.Typer, installed: Plugins) -> None:
    """Add the commands of plugins, one by one: one that cannot be built, or takes a name of ours, costs only itself."""
    theirs = typer.Typer(rich_markup_mode=None)
    installed.add_commands(theirs, SettingsCommands(installed))
    _group_options(theirs)
    callbacks = [each.callback for each in app.registered_commands if each.callback is not None]
    taken = {typer.main.get_command_name(callback.__name__) for callback in callbacks}
    for found, ours in ((theirs.registered_commands, app.registered_commands), (theirs.registered_groups, app.registered_groups)):
        for each in found:
            trial: Any = typer.Typer(rich_markup_mode=None)
            trial.callback()(_learnae)
            (trial.registered_commands if found is theirs.registered_commands else trial.registered_groups).append(each)
            try:
                names = set(typer.main.get_group(trial).commands)
            except Exception as error:
                complain(f"a plugin's command {each.name or each.callback!r} cannot be used: {error}")
                continue
            if names & taken:
                complain(f"a plugin's command {min(names & taken)!r} is left out: there is one of that name already")
                continue
            taken |= names
            ours.append(each)  # type: ignore[arg-type]  # the two lists belong together


def _group_options(app: typer.Typer) -> None:
    """Show the options of plugins' commands under headings as well, where they do not want it otherwise."""
    for command in app.registered_commands:
        if command.cls in {None, typer.core.TyperCommand}:
            command.cls = GroupedCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            _group_options(group.typer_instance)
