import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from learnae.codec.manifests import read_manifest, session_id
from learnae.config.resolve import load_settings
from learnae.errors import ConfigError
from learnae.founding import OwnModel, found_session, secret_in, write_folder
from learnae.founding.session import LEAST_LOSS_GAIN
from learnae.plugins.facade import Plugins
from learnae.values.choices import Judge, Task
from learnae.values.manifest import Custom, Mlp

Run = Callable[..., subprocess.CompletedProcess[str]]
MODULE = """
from flax import nnx


class Small(nnx.Module):
    def __init__(self, features, rngs):
        self.layer = nnx.Linear(features, 1, rngs=rngs)

    def __call__(self, x):
        return self.layer(x)


def build(manifest):
    return Small(len(manifest.features), nnx.Rngs(manifest.seed))
"""


def test_it_writes_a_session_and_says_what_comes_next(inside: Run, folder: Path) -> None:
    made = inside("init", "--data", "mine.csv", "--label", "label", "--hidden", "16,8", "--name", "hepmass")
    assert made.returncode == 0, made.stderr
    assert made.stdout == "session.json\nlearnae.toml\n"
    manifest = read_manifest(folder / "session.json")
    assert manifest.name == "hepmass"
    assert manifest.architecture == Mlp((16, 8))
    assert manifest.task is Task.BINARY
    assert len(manifest.features) == 27
    assert set(manifest.centre) == {0.0}
    assert set(manifest.scale) == {1.0}
    assert "nothing about your rows is published" in made.stderr
    assert "learnae run --folder FOLDER\n" in made.stderr
    assert "    learnae run --session session.json --data FILE --folder FOLDER\n" in made.stderr
    assert "all of you type --transport iota or ipfs in place of --folder FOLDER; " in made.stderr
    assert made.stderr.endswith("Whoever has no JAX types --framework numpy as well.\n")
    assert load_settings(folder / "learnae.toml").settings.peer.data == folder / "mine.csv"


def test_the_same_command_makes_the_same_session(inside: Run, folder: Path) -> None:
    first = inside("init", "--data", "mine.csv", "--label", "label", "--json")
    again = inside("init", "--data", "mine.csv", "--label", "label", "--json")
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(first.stdout)["session"] == session_id(read_manifest(folder / "session.json"))


def test_another_session_is_not_written_over_the_first(inside: Run, folder: Path) -> None:
    inside("init", "--data", "mine.csv", "--label", "label")
    before = (folder / "session.json").read_bytes()
    refused = inside("init", "--data", "mine.csv", "--label", "label", "--hidden", "3")
    assert refused.returncode == 2
    assert "session.json: another session's manifest is there" in refused.stderr
    assert (folder / "session.json").read_bytes() == before


def test_scaling_is_published_only_when_told_to(inside: Run, folder: Path) -> None:
    made = inside("init", "--data", "mine.csv", "--label", "label", "--publish-scaling")
    assert "shows mean and spread of each feature of your training rows to everybody" in made.stderr
    manifest = read_manifest(folder / "session.json")
    assert 0.0 not in manifest.centre
    assert len(set(manifest.scale)) > 1


def test_a_secret_is_made_once_and_kept(inside: Run, folder: Path) -> None:
    command = ("init", "--data", "mine.csv", "--label", "label", "--secret", "--out", "sealed", "--json")
    first, again = inside(*command), inside(*command)
    assert json.loads(first.stdout) == json.loads(again.stdout)
    assert json.loads(first.stdout)["secret"] == "sealed/session.secret"
    assert (folder / "sealed" / "session.secret").stat().st_mode & 0o777 == 0o600
    settings = load_settings(folder / "sealed" / "learnae.toml").settings
    assert settings.peer.secret_file == folder / "sealed" / "session.secret"
    assert settings.peer.data == folder / "mine.csv"
    assert "--secret-file session.secret" in first.stderr


def test_every_term_can_be_chosen(inside: Run, folder: Path) -> None:
    made = inside(
        *("init", "--data", "mine.csv", "--label", "f0", "--features", "f2,f1,label", "--exclude", "label"),
        *("--task", "regression", "--hidden", "", "--activation", "tanh", "--sharing", "--judge", "loss", "--seed", "7"),
        *("--validation-share", "0.3", "--slice-size", "20", "--passes", "5", "--overuse-threshold", "9", "--skip-bad-rows"),
    )
    assert made.returncode == 0, made.stderr
    manifest = read_manifest(folder / "session.json")
    assert (manifest.task, manifest.features, manifest.target) == (Task.REGRESSION, ("f2", "f1"), "f0")
    assert manifest.architecture == Mlp((), "tanh")
    assert (manifest.sharing, manifest.judge, manifest.min_gain, manifest.seed) == (True, Judge.LOSS, LEAST_LOSS_GAIN, 7)
    assert (manifest.validation_share, manifest.slice_size, manifest.passes, manifest.overuse_threshold) == (0.3, 20, 5, 9)


def test_bad_rows_are_counted(inside: Run, folder: Path) -> None:
    with (folder / "mine.csv").open("a") as file:
        file.write("1," + ",".join(["x"] * 27) + "\n")
    refused = inside("init", "--data", "mine.csv", "--label", "label")
    assert refused.returncode == 2
    assert "mine.csv:122: column 'f0'" in refused.stderr
    assert "1 bad rows were left out." in inside("init", "--data", "mine.csv", "--label", "label", "--skip-bad-rows").stderr


@pytest.mark.slow
def test_a_model_of_ones_own(folder: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "own_model_of_a_test.py").write_text(MODULE)
    monkeypatch.chdir(folder)
    own = OwnModel("small", "own_model_of_a_test:build", "jax", plugins)
    manifest = found_session(folder / "mine.csv", label="label", own_model=own)
    assert manifest.architecture == Custom("small")
    assert [(each.path, each.shape, each.dtype) for each in manifest.parameters] == [
        ("layer/bias", (1,), "float32"),
        ("layer/kernel", (27, 1), "float32"),
    ]
    made = write_folder(folder, manifest, data=folder / "mine.csv", model=own.model, framework="jax")
    assert load_settings(made.settings).settings.training.model == own.model


def test_a_framework_without_own_models_says_so(folder: Path, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match="the framework numpy has only the built-in model"):
        found_session(folder / "mine.csv", label="label", own_model=OwnModel("small", "mine:build", "numpy", plugins))


def test_a_secret_that_is_none_is_not_used(folder: Path) -> None:
    (folder / "session.secret").write_text("hello\n")
    with pytest.raises(ConfigError, match=r"session\.secret"):
        secret_in(folder)


def test_settings_that_a_person_changed_are_not_overwritten(folder: Path) -> None:
    manifest = found_session(folder / "mine.csv", label="label")
    (folder / "learnae.toml").write_text("# mine\n")
    with pytest.raises(ConfigError, match="other settings are there"):
        write_folder(folder, manifest, data=folder / "mine.csv")
    assert not (folder / "session.json").exists()
