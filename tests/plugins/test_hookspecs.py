"""Every hook's docstring carries a plugin to paste; here it is pasted."""

import importlib.util
import inspect
import logging
import textwrap
from pathlib import Path
from types import ModuleType

import pytest
import typer

from learnae import hookspecs
from learnae.cli.peer_commands import SettingsCommands
from learnae.plugins import Plugins
from learnae.values.announcements import ModelRecord
from learnae.values.choices import Phase
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import PhaseChanged
from learnae.values.scores import Score

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("learnae_"))
PEER = PeerId("a" * 64)


def pasted(hook: str, folder: Path) -> ModuleType:
    documentation = inspect.getdoc(getattr(hookspecs, hook)) or ""
    _, _, code = documentation.partition("A plugin to paste::\n")
    file = folder / f"{hook}_plugin.py"
    file.write_text(textwrap.dedent(code), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_these_are_the_hooks() -> None:
    assert HOOKS == [
        "learnae_best_model",
        "learnae_commands",
        "learnae_frameworks",
        "learnae_sensor_sources",
        "learnae_storages",
        "learnae_transition",
        "learnae_transports",
    ]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_plugin_in_its_documentation_works(hook: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plugins = Plugins.of(pasted(hook, tmp_path))
    app = typer.Typer()
    with caplog.at_level(logging.INFO):
        plugins.announce_transition(PEER, PhaseChanged(before=Phase.NEW, after=Phase.SCORING, cycle=0))
        record = ModelRecord(digest=Digest("d" * 64), score=Score(accuracy=0.5, loss=0.7, rows=10), maturity=1)
        plugins.announce_best_model(PEER, record)
        plugins.add_commands(app, SettingsCommands(plugins))
    assert plugins.failures == ()
    did = len(plugins.providers()) + len(caplog.records) + len(app.registered_commands)
    assert did == 1
