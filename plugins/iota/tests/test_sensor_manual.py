"""What README and docs/sensors.md tell the reader to type about sensors works, with a test's node in place of the reader's."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread

from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.report import read_journal
from learnae.values.journal import ReadingsReceived

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE, ROWS = "http://127.0.0.1:14265", 120
SERVE = "learnae tangle serve"
"""Runs until it is ended; tests of its own do that. Here a node on a free port stands for it."""


def typed(page: Path) -> list[str]:
    """Return the commands that a page shows after a prompt, with the lines that continue them."""
    blocks = [block.replace("\\\n", " ") for block in BLOCK.findall(page.read_text())]
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/sensors.md"])
def test_what_the_manual_says_works_as_it_stands(name: str, tmp_path: Path) -> None:
    columns, rows = synthetic_rows(ROWS, 0)
    for file in ("rows.csv", "readings.csv"):
        write_csv(tmp_path / file, columns, rows)
    commands = typed(ROOT / name)
    assert commands[0] == SERVE
    if not any(command.startswith("learnae init") for command in commands):
        commands.insert(1, "learnae init --data rows.csv --label label --name hepmass --out session")
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(tmp_path / "home"),
        "LEARNAE_TRAINING__FRAMEWORK": "numpy",
    }
    key, told = "KEY", {}
    with node_in_thread(settings=NodeSettings(milestone_interval_s=0.05, max_requests_per_s=0)) as node:
        for command in commands[1:]:
            words = [word.replace(NODE, node.url) for word in shlex.split(command)]
            words = [key if word in {"KEY", "29d2c8..."} else word for word in words]
            done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, f"{words}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
            told[" ".join(words[:3])] = done.stdout
            if words[1:3] == ["sensor", "stream"]:
                key = done.stdout.split()[0]
    [journal] = tmp_path.rglob("events.jsonl")
    facts = [line.fact for line in read_journal(journal).lines]
    assert sum(fact.accepted for fact in facts if isinstance(fact, ReadingsReceived)) == ROWS
    if "learnae sensor list" in told:
        assert key in told["learnae sensor list"]
        assert "  admitted" in told["learnae sensor list"]
        assert len(told["learnae sensor read"].splitlines()) == ROWS
