"""State folders that are in use, copied, lost in part, damaged, or on a full disk: one sentence, and a way on."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from learnae.config.resolve import load_settings
from learnae.errors import StateError
from learnae.plugins.facade import Plugins
from learnae.runtime.running import run_peer
from learnae.values.journal import PeerStopped, SliceUsed

PASSES = 2
DEADLINE_S = 60.0


def _wait_until(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    """Look again and again, until it is so, or one of the processes ended."""
    until_s = time.monotonic() + DEADLINE_S
    while not condition() and all(process.poll() is None for process in processes):
        assert time.monotonic() < until_s
        time.sleep(0.02)


def _is_announced(stage: Any, name: str) -> Callable[[], bool]:
    return lambda: any("published" in entry and '"model"' in entry["published"] for entry in stage.diary(name))


def _refused(ended: Any, *words: str) -> None:
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert all(word in ended.err for word in words), ended.err


def test_a_second_process_on_one_state_folder_is_refused(stage: Any) -> None:
    stage.describe("anna", rows=120, seed=3, until="forever")
    first = stage.start("anna")
    _wait_until(_is_announced(stage, "anna"), first)
    before = stage.key("anna")
    _refused(stage.run("anna"), f"process {first.pid}", "--state")
    assert stage.key("anna") == before
    first.send_signal(signal.SIGTERM)
    assert stage.end(first).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_an_orderly_way(stage: Any, number: signal.Signals) -> None:
    stage.describe("anna", rows=120, seed=3, until="forever")
    process = stage.start("anna")
    _wait_until(_is_announced(stage, "anna"), process)
    process.send_signal(number)
    ended = stage.end(process)
    assert (ended.code, ended.out, ended.err) == (0, "interrupted\n", "")
    assert isinstance(stage.journal("anna")[-1].fact, PeerStopped)
    presences = [a.announcement for a in stage.announcements("anna") if a.announcement.subject == "presence"]
    own = stage.journal("anna")[-1].peer
    assert max((a for a in presences if a.author == own), key=lambda a: a.sequence).content.leaving


def test_a_copy_of_a_state_folder_is_noticed(stage: Any) -> None:
    assert stage.run("anna", "model", 2, 0).was_killed
    shutil.copytree(stage.state("anna"), stage.state("copy"))
    stage.describe("anna", rows=120, seed=3, until="forever")
    stage.describe("copy", rows=120, seed=4, until="forever")
    both = [stage.start("anna"), stage.start("copy")]
    _wait_until(lambda: False, *both)
    stopped = [process for process in both if process.poll() is not None]
    for process in both:
        process.send_signal(signal.SIGTERM)
    for process in both:
        ended = stage.end(process)
        if process in stopped:
            _refused(ended, "another process signs with this peer's key", "identity.key")


def test_an_old_copy_that_is_restored_is_noticed(stage: Any) -> None:
    assert stage.run("anna", "model", 2, 0).was_killed
    shutil.copytree(stage.state("anna"), stage.state("copy"))
    assert stage.run("anna").code == 0
    stage.describe("copy", rows=120, seed=3)
    _refused(stage.run("copy"), "an old copy of it was restored")


def test_without_its_database_a_peer_recovers_what_others_remember(stage: Any) -> None:
    assert stage.run("anna").code == 0
    assert stage.run("bob").code == 0  # takes anna's statements on its board
    key, before = stage.key("anna"), stage.read("anna")
    lines = len(stage.journal("anna"))
    for path in stage.state("anna").glob("peer.sqlite*"):
        path.unlink()
    ended = stage.run("anna")
    assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    assert stage.key("anna") == key
    after = stage.read("anna")
    assert after.sequence > before.sequence
    stage.check_numbers("anna", "bob")
    begun = [line.fact for line in stage.journal("anna")[lines:] if isinstance(line.fact, SliceUsed)]
    assert begun == [], "all passes over all slices were begun and announced before"
    assert max(stage.trained("anna").values()) <= PASSES


def test_without_the_database_and_without_the_ledger_a_number_is_still_new(stage: Any) -> None:
    """Only bob's board remembers anna; presence, which no board carries, had higher numbers."""
    assert stage.run("anna").code == 0
    assert stage.run("bob").code == 0
    anna = stage.journal("anna")[0].peer
    for message in stage.ledger.glob("learnae/v1/*/messages/*/*"):
        if anna.encode() in message.read_bytes():
            message.unlink()
    for path in stage.state("anna").glob("peer.sqlite*"):
        path.unlink()
    assert stage.run("anna").code == 0
    stage.check_numbers("anna", "bob")


def _overwrite(path: Path, where: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(data)


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


DAMAGES = [
    pytest.param(lambda path: path.write_bytes(b"not a database at all" * 500), id="garbage"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), id="half"),
    pytest.param(lambda path: _overwrite(path, 4096, b"\xff" * (path.stat().st_size - 4096)), id="pages"),
    pytest.param(lambda path: _execute(path, "DROP TABLE model"), id="no-model-table"),
    pytest.param(lambda path: _execute(path, "DELETE FROM session"), id="no-session"),
    pytest.param(lambda path: _execute(path, "UPDATE record SET value = '{}' WHERE tab = 'core'"), id="record"),
    pytest.param(lambda path: _execute(path, "UPDATE record SET tab = 'x' WHERE tab = 'core'"), id="table-name"),
    pytest.param(lambda path: _execute(path, "UPDATE model SET weights = 'x'"), id="weights"),
    pytest.param(lambda path: _execute(path, "UPDATE model SET optimiser = zeroblob(99)"), id="optimiser"),
    pytest.param(lambda path: _execute(path, "UPDATE model SET optimiser = 'x'"), id="optimiser-type"),
    pytest.param(lambda path: _execute(path, "DELETE FROM model"), id="no-model"),
    pytest.param(lambda path: _execute(path, "INSERT INTO sensor VALUES ('a', 'x')"), id="sensor"),
    pytest.param(lambda path: _execute(path, "PRAGMA user_version = 9"), id="later-version"),
]


@pytest.fixture(scope="module")
def trained(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the state folder of a peer that has ended."""
    folder = tmp_path_factory.mktemp("trained") / "bob"
    shutil.copytree(prepared / "bob", folder)
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_refused_with_a_sentence(stage: Any, trained: Path, damage: Callable[[Path], object]) -> None:
    for path in trained.glob("peer.sqlite*"):
        shutil.copy(path, stage.state("bob") / path.name)
    damage(stage.state("bob") / "peer.sqlite")
    key = stage.key("bob")
    settings = load_settings(stage.config("bob"), {}, {}).settings
    with pytest.raises(StateError) as refused:
        asyncio.run(run_peer(settings, Plugins.discover()))
    assert "peer" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert stage.key("bob") == key


@pytest.mark.parametrize(
    ("kind", "number", "step"),
    [
        pytest.param("key", 1, 1, id="key-file"),
        pytest.param("slice", 2, 1, id="slice"),
        pytest.param("create", 1, 1, id="tables"),
        pytest.param("first", 1, 1, id="first-commit"),
        pytest.param("model", 2, 1, id="commit"),
        pytest.param("journal", 20, 1, id="journal-line"),
    ],
)
def test_a_full_disk_ends_a_peer_with_a_sentence_and_it_goes_on_when_there_is_room(
    stage: Any, kind: str, number: int, step: int
) -> None:
    word = "full" if kind in {"create", "first", "model"} else "space"
    _refused(stage.run("anna", kind, number, step, "full"), "cannot be", word)
    ended = stage.run("anna")
    assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    stage.journal("anna")
    stage.check_numbers("anna")


@pytest.mark.parametrize("kind", ["publish", "put"])
def test_a_full_shared_folder_delays_a_peer_and_no_more(stage: Any, kind: str) -> None:
    ended = stage.run("anna", kind, 1, 1, "full")
    assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    assert any("the disk is full" in getattr(line.fact, "text", "") for line in stage.journal("anna"))
