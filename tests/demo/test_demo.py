"""Real demos: peers as processes, a table, pictures."""

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.report.reading import read_journal
from learnae.values.choices import Cycle
from learnae.values.journal import CycleEnded

Start = Callable[..., "subprocess.Popen[str]"]
Learnae = Callable[..., subprocess.CompletedProcess[str]]

PNG = b"\x89PNG\r\n\x1a\n"


def _hepmass_like(path: Path, rows: int) -> Path:
    """Write rows as HEPMASS has them: a header that begins ``# label``, classes ``0.0`` and ``1.0``, and the column ``mass``."""
    columns, raw = synthetic_rows(rows, 11)
    with path.open("w") as file:
        file.write("# " + ",".join(columns) + ",mass\n")
        for row in raw.tolist():
            file.write(",".join([f"{row[0]:.1f}", *(f"{value:.6g}" for value in row[1:])]) + ",1000.0\n")
    return path


def _trained(journal: Path) -> int:
    facts = [line.fact for line in read_journal(journal).lines]
    return sum(isinstance(fact, CycleEnded) and fact.kind is Cycle.TRAIN for fact in facts)


def test_from_nothing_to_a_table_and_pictures(learnae: Learnae, small: tuple[str, ...], tmp_path: Path) -> None:
    told = learnae("demo", "--peers", "3", *small, "--json")
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert list(result) == [
        "peers",
        "mean_alone",
        "mean_together",
        "spread_alone",
        "spread_together",
        "test_rows",
        "data",
        "seconds",
    ]
    assert [list(each) for each in result["peers"]] == [["peer", "alone", "together"]] * 3
    assert [each["peer"] for each in result["peers"]] == ["peer-1", "peer-2", "peer-3"]
    assert (result["data"], result["test_rows"]) == ("synthetic", 4000)
    for kind in ("alone", "together"):
        values = [each[kind] for each in result["peers"]]
        assert all(30 < value < 100 for value in values)
        assert result[f"mean_{kind}"] == pytest.approx(sum(values) / 3, abs=1e-3)
        assert result[f"spread_{kind}"] == pytest.approx(max(values) - min(values), abs=1e-3)
    out = tmp_path / "learnae-demo"
    for picture in ("comparison.png", "report.png"):
        assert (out / picture).read_bytes().startswith(PNG)
        assert str(out / picture) in told.stderr
    for peer in ("peer-1", "peer-2", "peer-3"):
        passes = [_trained(out / peer / state / "events.jsonl") for state in ("alone", "state")]
        assert passes[0] == passes[1] > 0
    assert "unequal" not in told.stderr
    # The test's rows are nobody else's.
    seen: set[str] = set()
    for peer in ("peer-1", "peer-2", "peer-3"):
        rows = (out / peer / "rows.csv").read_text().splitlines()[1:]
        assert len(rows) == 100
        assert not seen & set(rows)
        seen |= set(rows)
    assert not seen & set((out / "test-rows.csv").read_text().splitlines()[1:])


def test_own_rows_in_the_layout_of_hepmass(learnae: Learnae, small: tuple[str, ...], tmp_path: Path) -> None:
    path = _hepmass_like(tmp_path / "hepmass.csv", 400)
    options = ("--data", path, "--label", "label", "--exclude", "mass", "--peers", "2")
    told = learnae("demo", *options, *small, "--out", "here", "--averaging", "soup", "--judge", "loss")
    assert told.returncode == 0, told.stderr
    assert f"200 rows that no peer saw ({path})" in told.stdout
    for words in ("peer-1", "peer-2", "mean", "spread", "together", "alone"):
        assert words in told.stdout
    manifest = json.loads((tmp_path / "here" / "session.json").read_text())
    assert manifest["features"] == [f"f{index}" for index in range(27)]
    assert manifest["classes"] == ["0.0", "1.0"]
    assert manifest["judge"] == "loss"
    with (tmp_path / "here" / "peer-2" / "rows.csv").open() as file:
        assert next(csv.reader(file))[0] == "label"

    # A second demo replaces what the first made, and nothing else.
    (tmp_path / "here" / "notes.txt").write_text("mine")
    (tmp_path / "here" / "peer-1" / "stray").write_text("made by a demo's peer")
    again = learnae("demo", *options, *small, "--out", "here")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "here" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "here" / "peer-1" / "stray").exists()

    # And what a peer learnt can be used.
    config = "here/peer-2/learnae.toml"
    assert learnae("export", "--config", config, "--out", "model.safetensors").returncode == 0
    scored = learnae("predict", "--model", "model.safetensors", "--data", path, "--score", "--json")
    assert json.loads(scored.stdout)["rows"] == 400


def test_a_regression_and_words_as_classes(learnae: Learnae, small: tuple[str, ...], tmp_path: Path) -> None:
    random = np.random.Generator(np.random.PCG64(3))
    features = random.standard_normal((330, 3))
    with (tmp_path / "words.csv").open("w") as file:
        file.write('"size, cm",b,kind,c\n')
        for one, two, three in features.tolist():
            kind = '"big, ""red"""' if one > 0.3 else "small" if two > 0 else "none"
            file.write(f"{one},{two},{kind},{three}\n")
    told = learnae("demo", "--data", "words.csv", "--label", "kind", "--peers", "2", *small, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads((tmp_path / "learnae-demo" / "session.json").read_text())["classes"] == ['big, "red"', "none", "small"]
    write_csv(
        tmp_path / "numbers.csv", ("y", "a", "b", "c"), np.column_stack([features @ [1, 2, 3], features]).astype(np.float32)
    )
    told = learnae("demo", "--data", "numbers.csv", "--label", "y", "--peers", "2", *small)
    assert told.returncode == 0, told.stderr
    assert "R² in percent" in told.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--peers", "1"], "--peers 1: a whole number from 2", id="one peer"),
        pytest.param(["--rows-per-peer", "3"], "--rows-per-peer 3", id="too few rows a peer"),
        pytest.param(["--data", "small.csv"], "--label NAME", id="no label"),
        pytest.param(["--label", "x"], "--data FILE", id="a label without data"),
        pytest.param(["--data", "small.csv", "--label", "lable"], "did you mean 'label'", id="no such column"),
        pytest.param(["--data", "none.csv", "--label", "x"], "no such file", id="no such file"),
        pytest.param(["--data", "small.csv", "--label", "label"], "test rows need 1700", id="too few rows"),
        pytest.param(["--data", "bad.csv", "--label", "label"], "bad.csv:3", id="a bad row"),
        pytest.param(["--transport", "memory"], "localfs", id="memory"),
        pytest.param(["--transport", "pigeon"], "installed:", id="no such transport"),
        pytest.param(["--framework", "tensors"], "installed:", id="no such framework"),
        pytest.param(["--set", "peer.until=forever"], "the demo sets it", id="a setting of the demo's own"),
        pytest.param(["--set", "training.epoch=1"], "epochs", id="no such setting"),
        pytest.param(["--set", "training"], "KEY=VALUE", id="no setting"),
        pytest.param(["--hidden", "a"], "--hidden a", id="no width"),
        pytest.param(["--limit", "soon"], "'soon' is no duration", id="no duration"),
        pytest.param(["--out", "taken"], "taken/peer-1 is there", id="somebody else's folder"),
        pytest.param(["--out", "small.csv"], "--out", id="a file for a folder"),
    ],
)
def test_mistakes_are_one_line(learnae: Learnae, tmp_path: Path, options: list[str], message: str) -> None:
    columns, raw = synthetic_rows(300, 1)
    write_csv(tmp_path / "small.csv", columns, raw)
    (tmp_path / "bad.csv").write_text("label,a\n1,2\n0,x\n")
    (tmp_path / "taken" / "peer-1").mkdir(parents=True)
    told = learnae("demo", *options)
    assert told.returncode == 2, told.stderr
    assert message in told.stderr
    assert len(told.stderr.splitlines()) == 1


def _peers_of(folder: Path) -> list[psutil.Process]:
    """List the processes that have this folder in their command line."""
    everybody = psutil.process_iter(["cmdline"])
    return [each for each in everybody if any(str(folder) in part for part in each.info["cmdline"] or ())]


def _until(reached: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 130, id="SIGTERM"),
        pytest.param(signal.SIGKILL, -9, id="kill -9"),
    ],
)
def test_nobody_is_left_running(
    start: Start, small: tuple[str, ...], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    if number is signal.SIGKILL and not hasattr(os, "pidfd_open"):
        pytest.skip("elsewhere than on Linux peers end when their time is over")
    demo = start("demo", "--peers", "2", *small, "--set", "network.quiet_period_s=60", "--out", "here")
    journals = [tmp_path / "here" / f"peer-{index}" / "state" / "events.jsonl" for index in (1, 2)]
    _until(lambda: all(path.exists() for path in journals) or demo.poll() is not None, "the peers did not start")
    assert demo.poll() is None, demo.stderr and demo.stderr.read()
    assert len(_peers_of(tmp_path / "here")) == 2
    demo.send_signal(number)
    _, stderr = demo.communicate(timeout=60)
    assert demo.returncode == status
    assert "Traceback" not in stderr
    _until(lambda: not _peers_of(tmp_path / "here"), "peers are left running")


def test_a_peer_that_dies_is_named_with_its_log(start: Start, small: tuple[str, ...], tmp_path: Path) -> None:
    demo = start("demo", "--peers", "2", *small, "--set", "network.quiet_period_s=60", "--out", "here")
    journal = tmp_path / "here" / "peer-2" / "state" / "events.jsonl"
    _until(lambda: (journal.exists() and b'"phase"' in journal.read_bytes()) or demo.poll() is not None, "no peer started")
    (victim,) = [process for process in _peers_of(tmp_path / "here") if "peer-2" in " ".join(process.cmdline())]
    victim.kill()
    _, stderr = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "learnae: peer-2 was killed by signal 9; its log" in stderr
    assert "log.txt" in stderr
    assert "Traceback" not in stderr
    assert not _peers_of(tmp_path / "here")


def test_what_is_there_when_the_time_is_over_is_scored(learnae: Learnae, small: tuple[str, ...]) -> None:
    told = learnae("demo", "--peers", "2", *small, "--set", "network.quiet_period_s=60", "--limit", "8s", "--json")
    assert told.returncode == 0, told.stderr
    assert "not everybody was finished after 8 seconds" in told.stderr
    assert len(json.loads(told.stdout)["peers"]) == 2


def test_two_demos_do_not_share_a_folder(start: Start, learnae: Learnae, small: tuple[str, ...], tmp_path: Path) -> None:
    first = start("demo", "--peers", "2", *small, "--set", "network.quiet_period_s=60", "--out", "here")
    _until(lambda: (tmp_path / "here" / "session.json").exists() or first.poll() is not None, "it did not begin")
    second = learnae("demo", "--peers", "2", *small, "--out", "here")
    assert second.returncode == 2
    assert "another demo is at work there" in second.stderr
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
