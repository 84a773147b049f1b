import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]

pytestmark = pytest.mark.usefixtures("session")


def said(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Read lines of stderr until one holds these words."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    pytest.fail(f"it ended with {process.wait()} and never said {words!r}:\n{''.join(lines)}")


def test_two_peers_train_together_and_end(start: Start, learnae: Run, quick: tuple[str, ...]) -> None:
    together = (*quick, "--until", "converged", "--expect-peers", "1", "--json")
    other = start("run", *together, "--data", "theirs.csv", "--state", "b")
    mine = learnae("run", *together, "--state", "a")
    theirs_out, theirs_err = other.communicate(timeout=60)
    assert (mine.returncode, other.returncode) == (0, 0), mine.stderr + theirs_err
    first, second = json.loads(mine.stdout), json.loads(theirs_out)
    assert first["reason"] == second["reason"] == "converged"
    assert first["session"] == second["session"]
    assert first["peer"] != second["peer"]
    assert first["score"]["rows"] > 0
    assert f"met peer {second['peer'][:8]}: 1 other peer met so far" in mine.stderr
    assert "rows stay here: the session's manifest does not allow sharing" in mine.stderr
    assert " trained: accuracy" in mine.stderr, mine.stderr


def test_the_same_command_goes_on(learnae: Run, quick: tuple[str, ...]) -> None:
    command = ("run", *quick, "--until", "converged", "--state", "a")
    first = learnae(*command, "--json")
    again = learnae(*command, "--json")
    before, after = json.loads(first.stdout), json.loads(again.stdout)
    assert after["peer"] == before["peer"]
    assert after["cycle"] == before["cycle"] > 0
    assert after["model"] == before["model"]
    assert f"going on after cycle {before['cycle']}" in again.stderr


def test_without_json_the_end_is_one_sentence(learnae: Run, quick: tuple[str, ...]) -> None:
    ended = learnae("run", *quick, "--until", "converged", "--quiet", "--state", "a")
    assert ended.stderr == ""
    assert ended.stdout.startswith("converged after ")
    assert ended.stdout.count("\n") == 1


def test_its_time_can_be_over(learnae: Run, quick: tuple[str, ...]) -> None:
    ended = learnae("run", *quick, "--until", "0.5s", "--state", "a")
    assert ended.returncode == 0
    assert ended.stdout.startswith("its time is over after ")


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGTERM, id="terminate")])
def test_a_signal_stops_it_cleanly_and_it_says_how_to_go_on(start: Start, quick: tuple[str, ...], number: signal.Signals) -> None:
    peer = start("run", *quick, "--state", "a")
    said(peer, "finished: nothing more to gain")
    peer.send_signal(number)
    stdout, stderr = peer.communicate(timeout=60)
    assert peer.returncode == 0
    assert stdout.startswith("interrupted after ")
    assert "Everything is kept. To go on: learnae run --folder shared" in stderr
    assert "Traceback" not in stderr


def test_a_second_process_on_the_same_state_is_refused(start: Start, learnae: Run, quick: tuple[str, ...]) -> None:
    peer = start("run", *quick, "--state", "a")
    said(peer, "finished: nothing more to gain")
    second = learnae("run", *quick, "--state", "a")
    assert second.returncode == 2
    assert (
        second.stderr
        == f"learnae: a: another peer uses this state folder (process {peer.pid}); stop it, or choose another --state\n"
    )
    checked = learnae("check", *quick, "--state", "a")
    assert checked.returncode == 0, "what is asked about runs"
    assert "which runs now: nobody else can use it at the same time" in checked.stdout


def test_settings_come_from_file_environment_and_options(learnae: Run, folder: Path, quick: tuple[str, ...]) -> None:
    (folder / "other.toml").write_text('[peer]\nuntil = "converged"\ndata = "theirs.csv"\n[training]\nframework = "numpy"\n')
    ended = learnae("run", *quick, "--config", "other.toml", "--state", "a", "--json", env={"LEARNAE_TRAINING__OPTIMISER": "sgd"})
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["reason"] == "converged"


def test_a_feeder_says_that_it_does_not_train(start: Start, learnae: Run, folder: Path, quick: tuple[str, ...]) -> None:
    assert (
        learnae("init", "--data", "mine.csv", "--label", "label", "--sharing", "--out", "open", "--hidden", "4").returncode == 0
    )
    feeder = start("run", "--session", "open/session.json", *quick, "--role", "feeder", "--state", "a")
    lines = said(feeder, "took in ")
    assert any("no training and no averaging: a feeder only shares its rows" in line for line in lines)
    feeder.send_signal(signal.SIGINT)
    assert feeder.communicate(timeout=60)[0].startswith("interrupted after 0 work cycles")
    assert feeder.returncode == 0


def test_one_that_may_share_and_is_private_says_so(learnae: Run, quick: tuple[str, ...]) -> None:
    learnae("init", "--data", "mine.csv", "--label", "label", "--sharing", "--out", "open", "--hidden", "4")
    ended = learnae("run", "--session", "open/session.json", *quick, "--private", "--state", "a", "--until", "converged")
    assert "--private was given" in ended.stderr


def test_a_session_with_a_secret(learnae: Run, folder: Path, quick: tuple[str, ...]) -> None:
    learnae(
        "init", "--data", "mine.csv", "--label", "label", "--secret", "--out", "sealed", "--hidden", "4", "--framework", "numpy"
    )
    assert (folder / "sealed" / "session.secret").stat().st_mode & 0o777 == 0o600
    ended = learnae("run", "--config", "sealed/learnae.toml", *quick, "--state", "a", "--until", "converged")
    assert ended.returncode == 0, ended.stderr
    without = learnae("run", "--session", "sealed/session.json", *quick, "--state", "a")
    assert without.returncode == 2
    assert without.stderr == "learnae: this session has a secret: name its file with --secret-file; whoever invited you has it\n"


def test_python_m_learnae_is_the_same_program(folder: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "learnae", "--version"],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.startswith("learnae ")
