"""What the benchmarks show at leisure, in a small: real peers on real daemons, through faults, and over a while."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
pytestmark = pytest.mark.slow


def play(kubo: Path, script: str, *arguments: str, timeout_s: float = 420.0) -> str:
    """Run a benchmark, and return what it printed."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        env={**os.environ, "KUBO_BINARY": str(kubo)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def namespaces() -> None:
    """Skip where this user cannot make hosts out of network namespaces."""
    tried = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import hosts; sys.exit(not hosts.is_possible())",
    ]
    if subprocess.run(tried, check=False, capture_output=True).returncode:
        pytest.skip("network namespaces need root and the program ip")


def test_a_daemon_that_is_killed_comes_back_and_its_peer_says_so(kubo_binary: Path) -> None:
    told = play(kubo_binary, "ipfs_faults.py", "--only", "daemon", "--rows", "200")
    assert "both ways of news flow again" in told
    assert "bob said: 'nothing'" not in told
    assert "never started again: True" in told


def test_a_peer_that_is_killed_adopts_its_daemon_and_goes_on(kubo_binary: Path) -> None:
    told = play(kubo_binary, "ipfs_faults.py", "--only", "peer", "--rows", "200")
    assert "daemon adopted: True" in told
    assert "resumed: True" in told
    (before, went_on) = re.findall(r"cycle (\d+) before, went on from (\d+)", told)[0]
    assert int(went_on) >= int(before), "nothing is lost"


def test_the_death_of_the_bootstrap_stops_nobody(kubo_binary: Path) -> None:
    told = play(kubo_binary, "ipfs_faults.py", "--only", "bootstrap", "--rows", "200")
    assert "knows bob's model, and bob its" in told
    assert "dan hears of it" in told


@pytest.mark.usefixtures("namespaces")
def test_a_cable_that_was_out_is_caught_up_with(kubo_binary: Path) -> None:
    told = play(kubo_binary, "ipfs_faults.py", "--only", "cut", "--cut-s", "20", "--rows", "200")
    assert "both know models from after that" in told
    assert "never started again: True" in told


@pytest.mark.usefixtures("namespaces")
def test_two_that_reach_only_a_third_train_together_through_it(kubo_binary: Path) -> None:
    told = play(kubo_binary, "ipfs_faults.py", "--only", "third", "--rows", "200")
    assert told.count("through mid") == 3
