"""Two minutes of ``benchmarks/ipfs_soak.py``: six peers that join, leave and are killed, and what those that stay cost."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "ipfs_soak.py"


@pytest.mark.slow
def test_peers_that_join_and_leave_cost_the_others_neither_files_nor_threads(kubo_binary: Path, tmp_path: Path) -> None:
    table, figure = tmp_path / "soak.csv", tmp_path / "soak.png"
    command = [sys.executable, str(SCRIPT), "--minutes", "2", "--every-s", "8", "--table", str(table), "--figure", str(figure)]
    done = subprocess.run(
        command, env={**os.environ, "KUBO_BINARY": str(kubo_binary)}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    assert figure.read_bytes().startswith(b"\x89PNG")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    for name in ("ann", "bob"):
        mine = [row for row in rows if row["peer"] == name]
        half = len(mine) // 2
        assert half >= 1
        for field, slack in (("peer_files", 32), ("peer_threads", 32), ("daemon_files", 96)):
            early, late = (max(float(row[field]) for row in part) for part in (mine[:half], mine[half:]))
            assert late <= early + slack, f"{name}: {field} went from {early:g} to {late:g}"
