import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from learnae import Context, Finding, Option, Provider, hookimpl
from learnae.builtins import numpy_framework
from learnae.cli.inspection import inspect_peer
from learnae.cli.settings_options import Given
from learnae.codec.identity import Identity
from learnae.plugins.facade import Plugins

Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("session")


def test_all_is_well(inside: Run, folder: Path, quick: tuple[str, ...]) -> None:
    before = sorted(folder.rglob("*"))
    checked = inside("check", *quick, "--state", "a")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.endswith("All is well.\n")
    assert "framework 'numpy' opens, and its model is the session's" in checked.stdout
    assert f"{folder}/mine.csv: the columns are there, and the first 120 rows fit" in checked.stdout
    assert sorted(folder.rglob("*")) == before, "it makes nothing"


def test_it_says_what_is_in_effect_and_why(inside: Run, folder: Path) -> None:
    (folder / "learnae.toml").write_text('[training]\nframework = "numpy"\nepochs = 9\n[plugins.localfs]\nfolder = "shared"\n')
    checked = inside("check", "--data", "mine.csv", "--json", "--expect-peers", "2", env={"LEARNAE_TRAINING__OPTIMISER": "sgd"})
    assert checked.returncode == 0, checked.stdout
    found = json.loads(checked.stdout)
    assert found["ok"] is True
    assert found["file"] == "learnae.toml"
    settings = {each["key"]: (each["value"], each["source"]) for each in found["settings"]}
    assert settings["training.epochs"] == (9, "learnae.toml")
    assert settings["training.optimiser"] == ("sgd", "LEARNAE_TRAINING__OPTIMISER")
    assert settings["network.expect_peers"] == (2, "--expect-peers")
    assert settings["peer.data"] == ("mine.csv", "--data")
    assert settings["peer.role"] == ("full", "default")
    assert settings["plugins.localfs.folder"][1] == "learnae.toml"


def test_everything_that_is_missing_is_named_with_what_to_type(inside: Run) -> None:
    checked = inside(
        *("check", "--transport", "localfz", "--storage", "nothing", "--data", "no.csv", "--optimiser", "adm"),
        *("--state", "mine.csv/a", "--json"),
    )
    assert checked.returncode == 1
    found = json.loads(checked.stdout)
    assert found["ok"] is False
    wrong = [each["text"] for each in found["findings"] if not each["ok"]]
    for words in ("no transport named 'localfz'", "no storage named 'nothing'", "no.csv", "adm", "mine.csv/a"):
        assert any(words in text for text in wrong), (words, wrong)
    assert all(each["advice"] for each in found["findings"] if not each["ok"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--session", "no.json"], "no.json: there is no such session", id="no-manifest"),
        pytest.param(["--secret-file", "mine.csv"], "this session has no secret", id="no-secret-wanted"),
        pytest.param(["--role", "trainer"], "a trainer has no rows of its own", id="trainer-with-rows"),
        pytest.param(["--folder", "no/such/folder"], "no/such/folder is not there", id="no-shared-folder"),
    ],
)
def test_what_is_missing(inside: Run, options: list[str], words: str) -> None:
    checked = inside("check", "--folder", "shared", *options)
    assert checked.returncode == 1
    assert words in checked.stdout
    assert "type: " in checked.stdout


def test_a_table_with_other_columns(inside: Run, folder: Path) -> None:
    (folder / "other.csv").write_text("a,b\n1,2\n")
    checked = inside("check", "--folder", "shared", "--data", "other.csv")
    assert checked.returncode == 1
    assert "other.csv: there is no column 'f0'" in checked.stdout


def test_settings_that_cannot_be_read_are_another_status(inside: Run) -> None:
    checked = inside("check", "--epochs", "0")
    assert checked.returncode == 2
    assert checked.stdout == ""


def test_the_state_of_another_session(inside: Run, learnae: Run, quick: tuple[str, ...]) -> None:
    assert learnae("run", *quick, "--state", "a", "--until", "converged").returncode == 0
    assert "state folder a is there, of peer " in inside("check", *quick, "--state", "a").stdout
    inside("init", "--data", "mine.csv", "--label", "label", "--hidden", "3", "--out", "other", "--framework", "numpy")
    checked = inside("check", "--config", "other/learnae.toml", *quick, "--state", "a")
    assert checked.returncode == 1
    assert "is the state of session" in checked.stdout


def test_another_model_than_the_sessions(inside: Run, folder: Path) -> None:
    manifest = folder / "session.json"
    manifest.write_text(manifest.read_text().replace('"seed": 0', '"seed": 1'))
    checked = inside("check", "--folder", "shared")
    assert checked.returncode == 1
    assert "its model does not begin with the weights that the session agreed on" in checked.stdout


class Birds:
    """A stranger's ledger that takes note of what its check is told."""

    def __init__(self) -> None:
        self.asked: list[Context] = []

    def check(self, context: Context) -> list[Finding]:
        self.asked.append(context)
        return [Finding(True, f"the loft {context.options['loft']} stands")]

    def provider(self) -> Provider[Any]:
        return Provider("pigeons", "Birds.", lambda context: context, (Option("loft", "roof", "Where."),), self.check)

    @hookimpl
    def learnae_transports(self) -> list[Provider[Any]]:
        return [self.provider()]

    @hookimpl
    def learnae_storages(self) -> list[Provider[Any]]:
        return [self.provider()]


def test_a_provider_is_asked_once_and_told_where_it_would_be(folder: Path, learnae: Run, quick: tuple[str, ...]) -> None:
    def asked() -> Context:
        birds = Birds()
        given = Given(folder / "learnae.toml", {"network.transport": "pigeons", "peer.state": str(folder / "a")}, {})
        plugins = Plugins.of(birds, numpy_framework)
        findings = inspect_peer(given.resolve(plugins).settings, plugins)
        assert [finding.text for finding in findings if "loft" in finding.text] == ["the loft roof stands"]
        assert all(finding.ok for finding in findings), findings
        [context] = birds.asked
        return context

    before = asked()
    assert before.state == folder / "a" / "plugin-pigeons"
    assert before.peer == "0" * 64
    assert not (folder / "a").exists()
    assert learnae("run", *quick, "--state", "a", "--until", "converged").returncode == 0
    after = asked()
    assert after.peer == Identity.load_or_create(folder / "a" / "identity.key")[0].peer
    assert not (folder / "a" / "plugin-pigeons").exists()
