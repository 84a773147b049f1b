"""A stranger's commands that are about a peer: they know which one, whether it runs, and how its provider would be opened."""

import json
import subprocess
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from learnae import UnavailableError
from learnae.cli.program import make_app
from learnae.cli.reference import reference
from learnae.codec.identity import Identity
from learnae.codec.manifests import write_manifest
from learnae.plugins.facade import Plugins
from learnae.testing.rows import toy_manifest

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]

PIGEONS = """
    import json as writing
    import typer
    from learnae import DescribedPeer, Option, Provider, UnavailableError, hookimpl

    LOFT, DEPTH = Option("loft", "roof", "Where.", "--loft"), Option("depth", 3, "How far.")


    @hookimpl
    def learnae_transports():
        return [Provider("pigeons", "Messages on the legs of birds.", print, (LOFT,))]


    @hookimpl
    def learnae_storages():
        return [Provider("pigeons", "Letters in a loft.", print, (LOFT, DEPTH))]


    @hookimpl
    def learnae_commands(app, commands):
        pigeons = typer.Typer(help="Birds.", no_args_is_help=True)
        app.add_typer(pigeons, name="pigeons")

        @pigeons.command()
        @commands.for_peer("pigeons")
        def about(peer: DescribedPeer, word: str, *, json: bool = False) -> None:
            '''Say what there is to know.'''
            context = peer.context
            context.tell("coo")
            typer.echo(writing.dumps({
                "word": word, "json": json, "options": dict(context.options), "known": peer.is_known, "runs": peer.runs,
                "state": str(peer.state), "folder": str(context.state), "peer": context.peer, "key": context.network_key,
                "name": context.manifest.name,
            }))

        @pigeons.command()
        @commands.for_peer("pigeons")
        def sleep(peer: DescribedPeer) -> None:
            '''Fail.'''
            raise UnavailableError("the birds sleep")
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment in which the stranger's distribution is installed."""
    facts = tmp_path / "site" / "learnae_pigeons-2.5.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: learnae_pigeons\nVersion: 2.5\n")
    (facts / "entry_points.txt").write_text("[learnae]\npigeons = learnae_pigeons\n")
    (tmp_path / "site" / "learnae_pigeons.py").write_text(textwrap.dedent(PIGEONS))
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.usefixtures("session")
def test_a_command_knows_the_peer_before_it_was_ever_started(learnae: Run, installed: dict[str, str], folder: Path) -> None:
    told = learnae("pigeons", "about", "hello", "--json", "--state", "a", "--loft", "tower", env=installed)
    assert (told.returncode, told.stderr) == (0, "coo\n")
    assert json.loads(told.stdout) == {
        "word": "hello",
        "json": True,
        "options": {"loft": "tower", "depth": 3},
        "known": False,
        "runs": False,
        "state": "a",
        "folder": "a/plugin-pigeons",
        "peer": "0" * 64,
        "key": None,
        "name": "hepmass",
    }
    assert sorted(path.name for path in folder.glob("a/**/*")) == ["plugin-pigeons"], "no key: the peer is not there yet"
    assert (folder / "a").stat().st_mode & 0o77 == 0


@pytest.mark.usefixtures("session")
def test_a_command_works_while_the_peer_runs(
    learnae: Run, start: Start, installed: dict[str, str], folder: Path, quick: tuple[str, ...]
) -> None:
    running = start("run", *quick, "--state", "a", "--plain")
    assert running.stderr is not None
    running.stderr.readline()
    deadline = time.monotonic() + 60
    while not (folder / "a" / "identity.key").exists():
        assert time.monotonic() < deadline
    told = json.loads(learnae("pigeons", "about", "hello", "--state", "a", env=installed).stdout)
    assert told["known"]
    assert told["runs"]
    checked = learnae("check", *quick, "--state", "a")
    assert checked.returncode == 0, checked.stdout
    assert "which runs now: nobody else can use it at the same time" in checked.stdout
    running.kill()
    running.wait()
    told = json.loads(learnae("pigeons", "about", "hello", "--state", "a", env=installed).stdout)
    assert told["known"]
    assert not told["runs"]
    assert told["peer"] == Identity.load_or_create(folder / "a" / "identity.key")[0].peer


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["about", "x", "--epochs", "0"], "--epochs", id="setting"),
        pytest.param(["about", "x", "--session", "no.json"], "no.json: there is no such session", id="session"),
        pytest.param(["about", "x", "--set", "plugins.pigeons.depth=deep"], "accepted: a whole number", id="option"),
        pytest.param(["about", "x", "--state", "mine.csv"], "mine.csv/plugin-pigeons: cannot be made", id="state"),
        pytest.param(["sleep"], "the birds sleep", id="world"),
    ],
)
def test_what_is_wrong_is_one_line(learnae: Run, installed: dict[str, str], arguments: list[str], words: str) -> None:
    told = learnae("pigeons", *arguments, env=installed)
    assert told.returncode == 2
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_its_help_has_headings_and_the_reference_has_it(
    learnae: Run, installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped = learnae("pigeons", "about", "--help", env=installed).stdout
    assert [line for line in helped.splitlines() if line.endswith(":") and not line.startswith(" ")][:2] == [
        "Arguments:",
        "Options:",
    ]
    assert "\nTraining:\n" in helped
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    import learnae_pigeons  # type: ignore[import-not-found]  # a stranger's

    written = reference(Plugins.of(learnae_pigeons))
    section = written.partition("### learnae pigeons about\n")[2].partition("\n### ")[0]
    assert "Say what there is to know." in section
    assert "| `--json / --no-json` |" in section
    assert "And these of [`learnae run`](#learnae-run): Where settings come from, Peer, Training, " in section
    assert section.rstrip().endswith(", Plugins.")


def test_an_unknown_provider_is_named(monkeypatch: pytest.MonkeyPatch, session: object, folder: Path) -> None:
    import typer
    import typer.main

    from learnae import DescribedPeer, PeerCommands, ProviderError, hookimpl

    class Plugin:
        @hookimpl
        def learnae_commands(self, app: typer.Typer, commands: PeerCommands) -> None:
            @app.command()
            @commands.for_peer("pigeon")
            def about(peer: DescribedPeer) -> None:
                raise UnavailableError

    monkeypatch.chdir(folder)
    command = typer.main.get_group(make_app(Plugins.of(Plugin()))).commands["about"]
    with pytest.raises(ProviderError, match="no provider named 'pigeon'; installed: none"):
        command(["--state", "b", "--set", "training.framework=numpy"], standalone_mode=False)


@pytest.mark.usefixtures("session")
def test_the_state_of_another_session_is_refused(learnae: Run, installed: dict[str, str], folder: Path) -> None:
    (folder / "state").mkdir()
    write_manifest(folder / "state" / "session.json", toy_manifest(seed=7))
    told = learnae("pigeons", "about", "word", "--state", "state", env=installed)
    assert told.returncode == 2
    assert "state: is the state of session " in told.stderr
    assert not (folder / "state" / "plugin-pigeons").exists()
