"""``learnae export`` and ``learnae predict``, as a person types them."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from learnae.applying.container import ExportedModel, read_model, write_model
from learnae.applying.model import open_model
from learnae.builtins import numpy_framework
from learnae.codec.manifests import session_id, write_manifest
from learnae.performing.store import Store
from learnae.plugins.facade import Plugins
from learnae.values.choices import Task

Trained = Callable[..., ExportedModel]
WriteState = Callable[[Path, ExportedModel], Store]
WriteRows = Callable[..., Path]
Learnae = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def learnae(tmp_path: Path) -> Learnae:
    """Return a function that runs the program in a new folder."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LEARNAE_")}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "learnae", *map(str, arguments)]
        return subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_export_writes_the_model_of_a_state_folder(
    trained: Trained, write_state: WriteState, learnae: Learnae, tmp_path: Path
) -> None:
    exported = trained()
    store = write_state(tmp_path / "state", exported)  # and it stays open, as while the peer runs
    write_manifest(tmp_path / "session.json", exported.manifest)
    told = learnae("export", "--state", "state", "--out", "model.safetensors", "--json")
    store.close()
    assert told.returncode == 0, told.stderr
    found = read_model(tmp_path / "model.safetensors")
    assert found.manifest == exported.manifest
    assert json.loads(told.stdout) == {
        "file": "model.safetensors",
        "session": session_id(exported.manifest),
        "maturity": 7,
        "parameters": 49,
        "bytes": (tmp_path / "model.safetensors").stat().st_size,
    }


def test_export_takes_a_peers_settings(trained: Trained, write_state: WriteState, learnae: Learnae, tmp_path: Path) -> None:
    exported = trained()
    write_state(tmp_path / "peer" / "state", exported).close()
    write_manifest(tmp_path / "peer" / "session.json", exported.manifest)
    (tmp_path / "peer" / "learnae.toml").write_text('[peer]\nstate = "state"\n')
    told = learnae("export", "--config", "peer/learnae.toml", "--out", "model.safetensors")
    assert (told.returncode, told.stdout) == (0, "model.safetensors\n")
    assert "load_model" in told.stderr


def test_predict_writes_a_line_for_each_row(trained: Trained, write_rows: WriteRows, learnae: Learnae, tmp_path: Path) -> None:
    exported = trained(Task.MULTICLASS)
    write_model(tmp_path / "model.safetensors", exported)
    write_rows(tmp_path / "rows.csv", exported, 20, target=False)
    told = learnae("predict", "--model", "model.safetensors", "--data", "rows.csv", "--proba")
    assert told.returncode == 0, told.stderr
    rows = list(csv.DictReader(told.stdout.splitlines()))
    assert [row["line"] for row in rows] == [str(line) for line in range(2, 22)]
    assert list(rows[0]) == ["line", "prediction", "p_0", "p_1", "p_2"]
    for row in rows:
        assert float(row[f"p_{row['prediction']}"]) == max(float(row[f"p_{name}"]) for name in "012")
    aside = learnae("predict", "--model", "model.safetensors", "--data", "rows.csv", "--proba", "--json", "--out", "found.jsonl")
    assert (aside.returncode, aside.stdout) == (0, "")
    objects = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [str(each["prediction"]) for each in objects] == [row["prediction"] for row in rows]
    assert objects[0]["probabilities"].keys() == {"0", "1", "2"}


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_score_compares_with_the_target(
    trained: Trained, write_rows: WriteRows, learnae: Learnae, tmp_path: Path, task: Task
) -> None:
    exported = trained(task)
    write_model(tmp_path / "model.safetensors", exported)
    path = write_rows(tmp_path / "rows.csv", exported, 60)
    told = learnae("predict", "--model", "model.safetensors", "--data", "rows.csv", "--score", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["rows"] == 60
    assert found["accuracy"] > 0.8
    words = learnae("predict", "--model", "model.safetensors", "--data", path, "--score", "--out", "-")
    assert words.stdout.startswith("line,prediction\n2,")
    assert f"{'R²' if task is Task.REGRESSION else 'accuracy'} " in words.stderr
    assert "on 60 rows" in words.stderr


def test_predictions_equal_those_of_the_state(
    trained: Trained, write_state: WriteState, write_rows: WriteRows, learnae: Learnae, tmp_path: Path
) -> None:
    exported = trained()
    write_state(tmp_path / "state", exported).close()
    write_manifest(tmp_path / "terms.json", exported.manifest)
    write_rows(tmp_path / "rows.csv", exported, 30)
    write_model(tmp_path / "model.safetensors", exported)
    of_state = learnae("predict", "--state", "state", "--session", "terms.json", "--data", "rows.csv")
    of_file = learnae("predict", "--model", "model.safetensors", "--data", "rows.csv")
    assert of_state.returncode == of_file.returncode == 0
    assert of_state.stdout == of_file.stdout
    assert len(open_model(exported, plugins=Plugins.of(numpy_framework)).classes) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["export", "--state", "none", "--out", "x"], "there is no peer.sqlite", id="no state"),
        pytest.param(["export", "--out", "x", "--session", "missing.json"], "missing.json", id="no manifest"),
        pytest.param(["export", "--state", "empty", "--out", "x"], "let it train first", id="nothing trained"),
        pytest.param(["predict", "--model", "none.safetensors", "--data", "rows.csv"], "no such file", id="no model"),
        pytest.param(["predict", "--model", "rows.csv", "--data", "rows.csv"], "no model that", id="no model in it"),
        pytest.param(
            ["predict", "--model", "m", "--state", "s", "--data", "rows.csv"], "--state name two models", id="two models"
        ),
        pytest.param(["predict", "--model", "model.safetensors", "--data", "none.csv"], "no such file", id="no rows"),
        pytest.param(["predict", "--model", "model.safetensors", "--data", "bad.csv"], "bad.csv:2", id="a bad row"),
        pytest.param(
            ["predict", "--model", "model.safetensors", "--data", "rows.csv", "--out", "no/where"], "no/where", id="no folder"
        ),
        pytest.param(
            ["predict", "--model", "model.safetensors", "--data", "rows.csv", "--code", "os:system"], "remove", id="code"
        ),
    ],
)
def test_mistakes_are_one_line(
    trained: Trained, write_rows: WriteRows, learnae: Learnae, tmp_path: Path, arguments: list[str], message: str
) -> None:
    exported = trained()
    write_manifest(tmp_path / "session.json", exported.manifest)
    write_model(tmp_path / "model.safetensors", exported)
    write_rows(tmp_path / "rows.csv", exported, 3)
    (tmp_path / "bad.csv").write_text("f0,f1,f2,f3\n1,2,3,x\n")
    (tmp_path / "empty").mkdir()
    Store.open(tmp_path / "empty" / "peer.sqlite", session_id(exported.manifest)).close()
    before = sorted(path.name for path in tmp_path.iterdir())
    told = learnae(*arguments)
    assert told.returncode == 2
    assert message in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_bad_rows_are_left_out_on_demand(trained: Trained, learnae: Learnae, tmp_path: Path) -> None:
    write_model(tmp_path / "model.safetensors", trained())
    (tmp_path / "bad.csv").write_text("f0,f1,f2,f3\n1,2,3,x\n1,2,3,4\n")
    told = learnae("predict", "--model", "model.safetensors", "--data", "bad.csv", "--skip-bad-rows")
    assert told.returncode == 0
    assert [line.split(",")[0] for line in told.stdout.splitlines()] == ["line", "3"]
    assert "left out 1 bad rows" in told.stderr


def test_a_reader_that_goes_away_is_no_bug(trained: Trained, write_rows: WriteRows, tmp_path: Path) -> None:
    exported = trained()
    write_model(tmp_path / "model.safetensors", exported)
    write_rows(tmp_path / "rows.csv", exported, 20_000)
    command = [sys.executable, "-m", "learnae", "predict", "--model", "model.safetensors", "--data", "rows.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line,prediction\n"
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_memory_does_not_grow_with_the_table(trained: Trained, write_rows: WriteRows, tmp_path: Path) -> None:
    exported = trained()
    write_model(tmp_path / "model.safetensors", exported)
    small = write_rows(tmp_path / "small.csv", exported, 20_000)
    header, rest = small.read_bytes().split(b"\n", 1)
    with (tmp_path / "large.csv").open("wb") as file:
        file.write(header + b"\n")
        for _ in range(12):
            file.write(rest)
    code = """
import resource, sys
from learnae.cli import main
try:
    main()
except SystemExit as ended:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, ended.code, file=sys.stderr)
"""
    peaks = []
    for name in ("small.csv", "large.csv"):
        command = [sys.executable, "-c", code, "predict", "--model", "model.safetensors", "--data", name, "--out", "out.csv"]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        peaks.append(int(told.stderr.split()[-2]))
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 240_001
    assert peaks[1] < peaks[0] + 30_000  # kilobytes; the table itself has twenty megabytes
