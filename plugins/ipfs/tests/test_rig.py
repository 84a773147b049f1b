"""The daemons that other tests use are there, answer, keep strangers out, and end."""

import secrets
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from kubo_rig import Daemon, Daemons, until


def test_a_shared_swarm_is_connected_and_the_same_for_all(swarm: Callable[..., list[Daemon]], any_kubo: Path) -> None:
    two = swarm(2, any_kubo)
    three = swarm(3, any_kubo)
    assert three[:2] == two
    assert all({other.peer for other in three} - {one.peer} <= one.neighbours() for one in three)
    cid = three[2].call("add", body=b"hello", cid_version="1", pin="false")["Hash"]
    assert two[0].request("cat", cid) == b"hello"


def test_it_is_where_it_was_when_it_is_started_again(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo, token=secrets.token_hex(16))
    before = daemon.peer, daemon.addresses, daemon.api
    daemon.kill()
    daemon.start()
    assert (daemon.peer, daemon.addresses, daemon.api) == before
    token, daemon.token = daemon.token, "wrong"
    with pytest.raises(AssertionError, match="403"):
        daemon.call("id")
    daemon.token = token


def test_it_can_listen_on_a_unix_socket(daemons: Daemons) -> None:
    daemon = daemons.start(unix_socket=True)
    assert daemon.api.startswith("/unix/")
    assert daemon.call("id")["ID"] == daemon.peer


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_daemons_end_with_a_test_run_that_is_killed(kubo_binary: Path, tmp_path: Path) -> None:
    code = f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from kubo_rig import Daemons
        with Daemons(Path({str(kubo_binary)!r}), Path({str(tmp_path)!r})) as daemons:
            print(daemons.start().process.pid, flush=True)
            input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        try:
            assert run.stdout is not None
            daemon = psutil.Process(int(run.stdout.readline()))
        finally:
            run.kill()
    until(lambda: not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE, "end of the daemon")
