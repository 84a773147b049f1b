"""Strangers' plugins on the command line; tests/packaging does the same with one that is really installed."""

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from learnae import Option, Provider, hookimpl
from learnae.cli.program import make_app
from learnae.cli.settings_options import Given, setting_options, with_settings
from learnae.plugins.facade import Plugins

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """
    import typer
    from learnae import Option, Provider, hookimpl


    def open_pigeons(context):
        raise ValueError(f"no pigeon flies from {context.options['loft']}")


    @hookimpl
    def learnae_transports():
        loft = Option("loft", "roof", "Where.", "--loft")
        return [Provider("pigeons", "Messages on the legs of birds.", open_pigeons, (loft,))]


    @hookimpl
    def learnae_commands(app):
        @app.command()
        def greet(name: str) -> None:
            '''Greet somebody.'''
            typer.echo(f"Hello {name}")
"""
BROKEN = "import a_module_that_nobody_has\n"


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    """The environment in which two strangers' distributions are installed, one of which cannot be imported."""
    place = tmp_path / "site"
    for name, code in (("learnae_pigeons", GOOD), ("learnae_broken", BROKEN)):
        entry = name.removeprefix("learnae_")
        facts = place / f"{name}-2.5.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
        (facts / "entry_points.txt").write_text(f"[learnae]\n{entry} = {name}\n")
        (place / f"{name}.py").write_text(textwrap.dedent(code))
    return {"PYTHONPATH": str(place)}


def test_they_are_listed_with_where_they_come_from(learnae: Run, path: dict[str, str]) -> None:
    told = learnae("plugins", "--json", env=path)
    assert told.returncode == 0
    listing = json.loads(told.stdout)
    [pigeons] = [each for each in listing["providers"] if each["name"] == "pigeons"]
    assert pigeons["source"] == {"plugin": "pigeons", "distribution": "learnae-pigeons", "version": "2.5"}
    [failure] = listing["failures"]
    assert failure["error"] == "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"
    assert told.stderr.startswith("learnae: plugin broken of learnae-broken 2.5: cannot be loaded")


def test_people_see_the_same(learnae: Run, path: dict[str, str]) -> None:
    told = learnae("plugins", env=path).stdout
    assert "pigeons  Messages on the legs of birds.  (learnae-pigeons 2.5)" in told
    assert "--loft  Where. [roof]" in told
    assert "failed  broken of learnae-broken 2.5: ModuleNotFoundError" in told


@pytest.mark.usefixtures("session")
def test_its_option_and_its_provider_are_used(learnae: Run, path: dict[str, str]) -> None:
    ended = learnae(
        *("run", "--quiet", "--transport", "pigeons", "--storage", "localfs", "--folder", "shared", "--state", "a"),
        *("--loft", "tower"),
        env=path,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "learnae: the transport 'pigeons' of learnae-pigeons 2.5 cannot be opened: ValueError: no pigeon flies from tower"
    )


def test_its_command_is_there(learnae: Run, path: dict[str, str]) -> None:
    assert learnae("greet", "Ada", env=path).stdout == "Hello Ada\n"
    assert "Greet somebody." in learnae("--help", env=path).stdout


def provide(*options: Option, name: str = "pigeons") -> Any:
    class Plugin:
        @hookimpl
        def learnae_transports(self) -> list[Provider[Any]]:
            return [Provider(name, "Birds.", lambda context: context, options)]

    return Plugin()


def command(function: Callable[..., None]) -> Any:
    class Plugin:
        @hookimpl
        def learnae_commands(self, app: typer.Typer) -> None:
            app.command()(function)

    return Plugin()


def names(plugins: Plugins) -> set[str]:
    return set(typer.main.get_group(make_app(plugins)).commands)


def test_a_plugin_cannot_take_a_name_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        """Take over."""

    theirs = typer.main.get_group(make_app(Plugins.of(command(run)))).commands["run"]
    assert theirs.help is not None
    assert "Take over" not in theirs.help
    assert capsys.readouterr().err == "learnae: a plugin's command 'run' is left out: there is one of that name already\n"


def test_a_command_that_cannot_be_built_costs_only_itself(capsys: pytest.CaptureFixture[str]) -> None:
    def odd(value: Annotated[str, typer.Option(), typer.Argument()]) -> None:
        """Take what no command line can give."""

    def even() -> None:
        """Be good."""

    assert names(Plugins.of(command(odd), command(even))) == names(Plugins.of()) | {"even"}
    assert "cannot be used" in capsys.readouterr().err


def test_a_group_of_commands_can_be_added() -> None:
    class Plugin:
        @hookimpl
        def learnae_commands(self, app: typer.Typer) -> None:
            birds = typer.Typer()
            birds.command("feed")(lambda: None)
            birds.callback()(lambda: None)
            app.add_typer(birds, name="birds")

    assert names(Plugins.of(Plugin())) == names(Plugins.of()) | {"birds"}


def test_a_flag_that_two_plugins_have_sets_both() -> None:
    folder = Option("folder", None, "Where.", "--folder")
    plugins = Plugins.of(provide(folder, name="one"), provide(folder, name="two"))
    [option] = [each for each in setting_options(plugins) if each.flag == "--folder"]
    assert option.keys == ("plugins.one.folder", "plugins.two.folder")


def test_a_flag_of_ours_stays_ours() -> None:
    plugins = Plugins.of(provide(Option("data", None, "Theirs.", "--data"), Option("q", None, "Theirs.", "--quiet")))
    flags = [each.flag for each in setting_options(plugins)]
    assert flags.count("--data") == 1
    assert "--quiet" not in flags


def test_a_switch_has_an_opposite() -> None:
    plugins = Plugins.of(provide(Option("fast", default=True, summary="Be quick.", flag="--fast")))
    [option] = [each for each in setting_options(plugins) if each.keys == ("plugins.pigeons.fast",)]
    assert option.flag == "--fast/--no-fast"
    given = Given(None, {"plugins.pigeons.fast": False}, {"plugins.pigeons.fast": "--no-fast"})
    assert given.resolve(plugins).settings.plugins == {"pigeons": {"fast": False}}


def test_a_path_in_the_file_refers_to_the_files_folder(tmp_path: Path) -> None:
    file = tmp_path / "learnae.toml"
    file.write_text('[plugins.pigeons]\nloft = "roof"\n')
    plugins = Plugins.of(provide(Option("loft", None, "Where.", "--loft", path=True)))
    assert Given(file, {}, {}).resolve(plugins).settings.plugins["pigeons"]["loft"] == str(tmp_path / "roof")


def test_a_flag_may_be_given_several_times() -> None:
    plugins = Plugins.of(provide(Option("lofts", None, "Where.", "--loft", several=True)))
    heard: list[Given] = []

    def hear(given: Given) -> None:
        heard.append(given)

    app = typer.Typer()
    app.command()(with_settings(hear, plugins))
    typer.main.get_command(app)(["--loft", "a,b", "--loft", "c"], standalone_mode=False)
    assert heard[0].overrides == {"plugins.pigeons.lofts": "a,b,c"}
