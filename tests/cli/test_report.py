import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def journal(learnae: Run, session: object, folder: Path, quick: tuple[str, ...]) -> Path:
    """The journal of a peer that has run."""
    assert learnae("run", *quick, "--state", "a", "--until", "converged", "--quiet").returncode == 0
    return folder / "a" / "events.jsonl"


@pytest.mark.usefixtures("journal")
def test_a_table_and_files(inside: Run, folder: Path) -> None:
    told = inside("report", "a", "--out", "out", "--threshold", "20")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("peer ")
    assert "Work cycles: " in told.stdout
    assert {file.name for file in (folder / "out").iterdir()} == {
        *("report.txt", "report.json", "report.png", "peers.csv", "series.csv")
    }
    assert "wrote out/report.png" in told.stderr


def test_json_and_damaged_lines(inside: Run, journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b'{"time": "x"}\n', *lines[3:]]))
    refused = inside("report", "a")
    assert refused.returncode == 2
    assert "line 4" in refused.stderr
    told = inside("report", "a", "--json", "--skip-damaged")
    assert json.loads(told.stdout)["damaged_lines"] == 1


def test_the_schema(inside: Run) -> None:
    told = inside("report", "--schema")
    assert json.loads(told.stdout)["title"] == "A line of LEARNAE's events.jsonl"


def test_nothing_to_report(inside: Run) -> None:
    assert inside("report", ".").returncode == 2
    assert inside("report", "nowhere").stderr.startswith("learnae: ")
    assert "name the folder of a peer that has run" in inside("report").stderr
