"""Who holds the daemon, and who is the last to hold it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from learnae_ipfs.daemon.leases import Lease, start_lock

from learnae.errors import UnavailableError

HOLD = """
import sys
from pathlib import Path
from learnae_ipfs.daemon.leases import Lease
lease = Lease(Path(sys.argv[1]))
print(lease.take(), flush=True)
sys.stdin.read()
"""


def test_the_last_one_knows_that_it_is(tmp_path: Path) -> None:
    one, other = Lease(tmp_path), Lease(tmp_path)
    assert not one.is_held
    assert one.take()
    assert one.take()
    assert not other.take()
    assert not one.take()
    assert not one.give_up()
    assert not one.is_held
    assert not one.give_up()
    assert other.take()
    assert other.give_up()
    one.close()
    assert (tmp_path / "lease").stat().st_mode & 0o077 == 0


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        lease = Lease(tmp_path)
        assert not lease.take()
        process.kill()
    assert lease.take()
    lease.close()


def test_one_at_a_time_starts(tmp_path: Path) -> None:
    inside: list[str] = []

    async def start(name: str) -> None:
        async with start_lock(tmp_path, patience_s=30.0):
            inside.append(name)
            await asyncio.sleep(0)
            assert inside[-1] == name
            inside.append(name)

    async def run() -> None:
        await asyncio.gather(*(start(name) for name in "abcd"))
        async with start_lock(tmp_path, patience_s=0.0):
            with pytest.raises(UnavailableError, match="another process has been starting"):
                await start_lock(tmp_path, patience_s=0.1).__aenter__()

    asyncio.run(run())
    assert inside[::2] == inside[1::2]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be opened: No such file or directory"):
        Lease(tmp_path / "gone").take()
