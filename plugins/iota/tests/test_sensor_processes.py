"""``learnae sensor`` as processes, over the development node and over HORNET: killed, resumed, listed, read."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from serving_rig import until
from tangle_rig import Hornet, free_ports

PROGRAM = [sys.executable, "-c", "from learnae_iota.commands.sensor import sensor_app; sensor_app()()"]
WEIGHT = 2
UNSENT = "SELECT COUNT(*) FROM packets WHERE payload IS NOT NULL AND number NOT IN (SELECT number FROM tails)"


@pytest.fixture
def node() -> Iterator[str]:
    with node_in_thread(settings=NodeSettings(weight=WEIGHT, milestone_interval_s=0.05, max_requests_per_s=0)) as running:
        yield running.url


def sensor(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, input=text, check=False)


def streaming(source: Path | str, state: Path, url: str, *more: str, weight: int = WEIGHT) -> list[str]:
    told = ["--session", "Weather 2026", "--sensor", "north", "--node", url, "--mwm", str(weight), "--state", str(state)]
    return ["stream", str(source), *told, "--instances-per-packet", "5", "--head-every", "4", *more]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def signed(state: Path, query: str = "SELECT COALESCE(MAX(number) + 1, 0) FROM packets") -> int:
    """How many packets a sensor has signed, or what else a query says."""
    if not (state / "sensor.sqlite").exists():
        return 0
    with closing(sqlite3.connect(state / "sensor.sqlite", timeout=10)) as database:
        try:
            return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def table(path: Path, rows: int) -> list[dict[str, object]]:
    path.write_text("x,label\n" + "".join(f"{index},n{index}\n" for index in range(rows)))
    return [{"x": index, "label": f"n{index}"} for index in range(rows)]


def kill_twice(tmp_path: Path, url: str, weight: int) -> None:
    rows = table(tmp_path / "rows.csv", 103)
    state = tmp_path / "state"
    command = streaming(tmp_path / "rows.csv", state, url, "--end", weight=weight)
    for packets in (4, 11):
        with running(*command) as process:
            until(lambda packets=packets: signed(state) >= packets, 60)  # type: ignore[misc]
            process.kill()
    done = sensor(*command)
    assert done.returncode == 0, done.stderr
    key = done.stdout.strip()
    assert "s a packet" in done.stderr
    again = sensor(*command)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    listed = sensor("list", "--session", "Weather 2026", "--node", url)
    assert key in listed.stdout, listed.stderr
    assert "not admitted" in listed.stdout
    read = sensor("read", "north", "--session", "weather 2026", "--node", url, "--key", key)
    assert [json.loads(line) for line in read.stdout.splitlines()] == rows, read.stderr


@pytest.mark.slow
def test_killed_twice_every_reading_arrives_once(tmp_path: Path, node: str) -> None:
    kill_twice(tmp_path, node, WEIGHT)


@pytest.mark.slow
def test_killed_twice_over_hornet(tmp_path: Path, hornet: Hornet) -> None:
    kill_twice(tmp_path, hornet.url, hornet.weight)


def test_a_followed_file_and_a_signal(tmp_path: Path, node: str) -> None:
    rows = table(tmp_path / "rows.csv", 7)
    state = tmp_path / "state"
    command = streaming(tmp_path / "rows.csv", state, node, "--follow", "--fill", "0.2")
    with running(*command) as process:
        until(lambda: signed(state) >= 2)
        with (tmp_path / "rows.csv").open("a") as file:
            file.write("7,n7\n8,n8")
        until(lambda: signed(state) >= 3 and not signed(state, UNSENT))
        process.send_signal(signal.SIGTERM)
        key, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
    assert "stopped; the same command goes on" in said
    read = sensor("read", "north", "--session", "Weather 2026", "--node", node, "--key", key.strip())
    assert [json.loads(line) for line in read.stdout.splitlines()] == [*rows, {"x": 7, "label": "n7"}]


def test_stdin_under_a_secret_and_a_copied_folder(tmp_path: Path, node: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
    sealed = ["--secret-file", str(secret)]
    command = streaming("-", tmp_path / "state", node, *sealed)
    done = sensor(*command, text='{"x": 1}\n{"x": 2}\n')
    assert done.returncode == 0, done.stderr
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert sensor(*command, text='{"x": 3}\n').returncode == 0
    replayed = sensor(*command, "--replay", text='{"x": 3}\n{"x": 4}\n')
    assert replayed.returncode == 0, replayed.stderr
    read = sensor("read", "north", "--session", "Weather 2026", "--node", node, *sealed)
    assert [json.loads(line)["x"] for line in read.stdout.splitlines()] == [1, 2, 3, 4]
    copied = sensor(*streaming("-", tmp_path / "copy", node, *sealed), text='{"x": 666}\n')
    assert copied.returncode
    assert "ClonedIdentityError: somebody else signs with this sensor's keys" in copied.stderr
    assert sensor("list", "--session", "Weather 2026", "--node", node).stdout == ""
    listed = sensor("list", "--session", "Weather 2026", "--node", node, *sealed, "--json")
    assert json.loads(listed.stdout)["admitted"]


@pytest.mark.slow
def test_a_copied_folder_is_noticed_over_hornet(tmp_path: Path, hornet: Hornet) -> None:
    command = streaming("-", tmp_path / "state", hornet.url, weight=hornet.weight)
    assert sensor(*command, text='{"x": 1}\n').returncode == 0
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert sensor(*command, text='{"x": 2}\n').returncode == 0
    copied = sensor(*streaming("-", tmp_path / "copy", hornet.url, weight=hornet.weight), text='{"x": 666}\n')
    assert copied.returncode
    assert "packet 1 or a later one is on the ledger, and 1 is the next one here" in " ".join(copied.stderr.split())
    assert signed(tmp_path / "copy") == 1


@pytest.mark.parametrize("command", ["list", "read", "stream"])
def test_a_dead_node_is_one_line(command: str, tmp_path: Path) -> None:
    told = {
        "list": ["list", "--session", "weather"],
        "read": ["read", "north", "--session", "weather"],
        "stream": ["stream", "-", "--session", "weather", "--sensor", "north", "--state", str(tmp_path / "s"), "--give-up", "0"],
    }
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    whole = [sys.executable, "-m", "learnae", "sensor", *told[command], "--node", dead]
    done = subprocess.run(whole, capture_output=True, text=True, timeout=120, input="", check=False)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("learnae: ")
    assert f"the node at {dead} does not answer" in last
    assert "Traceback" not in done.stderr


def test_who_follows_may_be_there_before_the_sensor(tmp_path: Path, node: str) -> None:
    rows = table(tmp_path / "rows.csv", 3)
    reading = ["read", "north", "--session", "Weather 2026", "--node", node]
    with running(*reading, "--follow") as early:
        once = sensor(*reading)
        assert once.returncode
        assert "no sensor 'north' streams to Weather 2026" in " ".join(once.stderr.split())
        done = sensor(*streaming(tmp_path / "rows.csv", tmp_path / "state", node, "--end", "--columns", "label"))
        assert done.returncode == 0, done.stderr
        found, said = early.communicate(timeout=60)
    assert [json.loads(line) for line in found.splitlines()] == [{"label": row["label"]} for row in rows], said


def test_a_file_that_is_not_there_makes_no_state(tmp_path: Path) -> None:
    command = streaming(tmp_path / "none.csv", tmp_path / "state", "http://127.0.0.1:9")
    whole = [sys.executable, "-m", "learnae", "sensor", *command]
    done = subprocess.run(whole, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("none.csv: is not there, or may not be read\n")
    assert not (tmp_path / "state").exists()
    assert done.stdout == ""


def test_a_key_is_admitted(tmp_path: Path) -> None:
    file, key = tmp_path / "keys", "ab" * 32
    assert sensor("admit", key, "--file", str(file), "--remark", "roof").returncode == 0
    assert file.read_text() == f"{key}  # roof\n"


def test_streaming_needs_neither_jax_nor_a_server_nor_much_memory(tmp_path: Path, node: str) -> None:
    table(tmp_path / "rows.csv", 60)
    command = streaming(tmp_path / "rows.csv", tmp_path / "state", node)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from learnae_iota.commands.sensor import sensor_app\n"
        "try:\n    sensor_app()()\nfinally:\n"
        "    heavy = {name.partition('.')[0] for name in sys.modules} & {'jax', 'flax', 'uvicorn', 'iota', 'requests', 'anyio'}\n"
        "    peak = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "    print(sorted(heavy), peak // 1024, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=120, check=True)
    heavy, megabytes = done.stderr.splitlines()[-1].rsplit(" ", 1)
    assert heavy == "[]"
    assert int(megabytes) < 150
