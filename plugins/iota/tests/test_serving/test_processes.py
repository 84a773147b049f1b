"""The node as a program: how it begins and ends, what a kill leaves, and the node that peers share."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

import pytest
from learnae_iota.bundles.bundles import Bundle
from learnae_iota.serving import embedded as embedded_module
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.embedded import NODE, USERS, EmbeddedNode, running_node, shared_folder
from learnae_iota.serving.ledger import Ledger
from learnae_iota.serving.records import are_confirmed, find_hashes
from learnae_iota.serving.settings import NodeSettings
from serving_rig import NOW_S, ask_node, request, until

from learnae.errors import ConfigError, ProviderError, UnavailableError

Attach = Callable[..., Bundle]
Serve = Callable[..., "subprocess.Popen[str]"]

PROGRAM = """
from learnae.cli.program import make_app
from learnae.plugins.facade import Plugins
import learnae_iota
plugins = Plugins.of(learnae_iota)
make_app(plugins)(prog_name="learnae", obj=plugins)
"""
LEARNAE = (sys.executable, "-W", "error", "-c", PROGRAM)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start ``learnae tangle serve`` on a free port: ``serve("--mwm", "2")``; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> "subprocess.Popen[str]":
        command = (*LEARNAE, "tangle", "serve", "--port", "0", "--mwm", "2", "--milestone-interval", "0.05", *options)
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    return cast("IO[str]", process.stdout).readline().strip()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_told_to_end(how: signal.Signals, serve: Serve, attach: Attach, tmp_path: Path) -> None:
    process = serve("--db", "my.sqlite")
    url = line_of(process)
    bundle = attach()
    assert ask_node(url, "broadcastTransactions", trytes=list(bundle.trytes)) == (200, {})
    until(lambda: ask_node(url, "getInclusionStates", transactions=[bundle.tail])[1] == {"states": [True]})
    process.send_signal(how)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "community in earnest runs HORNET nodes" in err
    assert "beyond this machine" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.sqlite"]  # WAL is written back, and gone


def test_a_signal_ends_work_that_is_under_way(serve: Serve, attach: Attach) -> None:
    process = serve("--mwm", "20")
    place = urlsplit(line_of(process))
    arguments = {"trunkTransaction": "A" * 81, "branchTransaction": "A" * 81, "trytes": attach(transactions=2).trytes}
    body = json.dumps({"command": "attachToTangle", **arguments}).encode()
    with socket.create_connection((place.hostname, place.port), timeout=30) as line:
        line.sendall(f"POST / HTTP/1.1\r\nHost: node\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 100")  # it waits for the rest: from here on the request is under way
        line.sendall(body)
        process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert process.wait(30) == 0
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"interrupted" in answer or b"about to end" in answer


def test_says_when_it_can_be_reached_from_elsewhere(serve: Serve) -> None:
    process = serve("--host", "0.0.0.0")  # noqa: S104  # for a moment
    url = line_of(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert url.startswith("http://0.0.0.0:")
    assert "It listens beyond this machine" in err


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--mwm", "21"), "a weight magnitude of 21: 1 to 20 is accepted"),
        (("--port", "99999"), "a port of 99999: 0 to 65535 is accepted"),
        (("--host", "no.such.host.invalid"), "nobody can listen at no.such.host.invalid"),
        (("--db", "."), "cannot be used as a ledger"),
    ],
)
def test_what_the_operator_has_to_put_right_is_one_line(options: tuple[str, ...], error: str, serve: Serve) -> None:
    out, err = serve(*options).communicate(timeout=60)
    assert out == ""
    assert err.startswith("learnae: ")
    assert error in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_said_to_be(serve: Serve) -> None:
    node = DevelopmentNode.open(None, NodeSettings(), port=0)
    port = node.url.rpartition(":")[2]
    process = serve("--port", port)
    _, err = process.communicate(timeout=60)
    node.close()
    assert process.returncode == 2
    assert f"nobody can listen at 127.0.0.1, port {port}" in err


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_acknowledged(serve: Serve, attach: Attach, tmp_path: Path) -> None:
    bundles = [attach(transactions=2) for _ in range(60)]
    acknowledged: list[Bundle] = []
    for begin in range(0, 60, 20):
        process = serve()
        url = line_of(process)
        killed = threading.Event()

        def send(part: list[Bundle], url: str = url, killed: threading.Event = killed) -> None:
            for bundle in part:
                try:
                    if ask_node(url, "broadcastTransactions", trytes=list(bundle.trytes)) == (200, {}):
                        acknowledged.append(bundle)
                except OSError:
                    assert killed.is_set()

        senders = [threading.Thread(target=send, args=(bundles[begin + at : begin + 20 : 2],)) for at in range(2)]
        before = len(acknowledged)
        for sender in senders:
            sender.start()
        until(lambda before=before: len(acknowledged) >= before + 5)
        killed.set()
        process.kill()
        process.wait()
        for sender in senders:
            sender.join()
        ledger = Ledger.open(tmp_path / "tangle.sqlite")
        found = set(ledger.look(lambda records: find_hashes(records, limit=1000)))
        assert {name for bundle in acknowledged for name in bundle.hashes} <= found
        assert found <= {name for bundle in bundles for name in bundle.hashes}
        ledger.set_milestone(1000 * NOW_S)
        assert all(ledger.look(partial(are_confirmed, hashes=sorted(found))))
        assert len(found) % 2 == 0  # calls are taken whole or not at all
        ledger.close()


# The node that peers share

EMBEDDED = NodeSettings(weight=2, cors=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a shared node, which has ended when the test has."""
    place = tmp_path / "tangle"
    yield place
    if place.exists():
        until(lambda: running_node(place) is None)


@pytest.mark.slow
def test_the_first_starts_it_the_others_use_it_the_last_ends_it(folder: Path, attach: Attach) -> None:
    first, second = EmbeddedNode(folder, EMBEDDED), EmbeddedNode(folder, EMBEDDED)
    url = first.url()
    assert second.url() == url == first.url()
    bundle = attach()
    assert ask_node(url, "broadcastTransactions", trytes=list(bundle.trytes)) == (200, {})
    first.close()
    first.close()
    assert request(url, "GET", "/healthz")[0] == 200
    found = running_node(folder)
    assert found is not None
    assert (found.url, found.settings) == (url, EMBEDDED)
    assert folder.stat().st_mode & 0o077 == 0
    second.close()
    until(lambda: running_node(folder) is None)
    with first:
        assert ask_node(first.url(), "findTransactions", bundles=[bundle.hash])[1] == {"hashes": [bundle.tail]}


@pytest.mark.slow
def test_many_who_come_at_once_share_one_and_a_killed_one_is_replaced(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from learnae_iota.serving import EmbeddedNode, NodeSettings\n"
        "node = EmbeddedNode(Path(sys.argv[1]), NodeSettings(weight=2))\n"
        "for _ in sys.stdin: print(node.url(), flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]

    def asked() -> set[str]:
        for process in processes:
            cast("IO[str]", process.stdin).write("\n")
            cast("IO[str]", process.stdin).flush()
        return {line_of(process) for process in processes}

    (url,) = asked()
    (found,) = _node_processes(folder)
    os.kill(found, signal.SIGKILL)
    until(lambda: running_node(folder) is None)
    (again,) = asked()
    assert request(again, "GET", "/healthz")[0] == 200
    assert _node_processes(folder) != [found]
    assert url.startswith("http://127.0.0.1:")
    for process in processes:
        process.kill()
        process.communicate()
    until(lambda: running_node(folder) is None)
    until(lambda: not _node_processes(folder))


def _node_processes(folder: Path) -> list[int]:
    import psutil

    wanted = ["learnae_iota.serving", str(folder)]
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if all(part in (process.info["cmdline"] or []) for part in wanted) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.slow
def test_who_wants_another_weight_is_told(folder: Path) -> None:
    with EmbeddedNode(folder, EMBEDDED) as mine, EmbeddedNode(folder, NodeSettings(weight=3)) as theirs:
        mine.url()
        with pytest.raises(ConfigError, match="weight magnitude of 2, not 3"):
            theirs.url()


@pytest.mark.slow
def test_a_node_that_cannot_start_says_why(folder: Path) -> None:
    folder.mkdir()
    (folder / "ledger.sqlite").write_text("no ledger at all" * 1000)
    with (
        EmbeddedNode(folder, EMBEDDED) as node,
        pytest.raises(ProviderError, match=r"cannot start: .*cannot be used as a ledger"),
    ):
        node.url()
    (folder / "ledger.sqlite").unlink()
    with EmbeddedNode(folder, EMBEDDED) as node:
        assert node.url()


def test_a_folder_that_cannot_be_used_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProviderError, match="cannot be used for a node"):
        EmbeddedNode(tmp_path / "file" / "below").url()


def test_what_does_not_come_in_time_is_said_to_be_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    for name in (USERS, "starting"):
        with (tmp_path / name).open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with EmbeddedNode(tmp_path) as node, pytest.raises(UnavailableError, match="held by another process"):
                node.url(timeout_s=0.05)
    monkeypatch.setattr(embedded_module.sys, "executable", "/bin/cat")
    with EmbeddedNode(tmp_path) as node, pytest.raises(UnavailableError, match="did not start"):
        node.url()
    monkeypatch.setattr(embedded_module.sys, "executable", str(tmp_path / "nothing"))
    with EmbeddedNode(tmp_path) as node, pytest.raises(ProviderError, match="no node can be started"):
        node.url()


def test_what_a_dead_node_left_is_not_believed(tmp_path: Path) -> None:
    assert running_node(tmp_path) is None
    (tmp_path / NODE).write_text(json.dumps({"url": "http://127.0.0.1:1", "settings": {}}))
    assert running_node(tmp_path) is None


def test_the_shared_folder_is_the_users_own() -> None:
    assert shared_folder().parts[-2:] == ("learnae", "tangle")
