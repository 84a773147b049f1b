"""`learnae ipfs address`, `status` and `gc`, typed as a person types them, on real daemons."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from kubo_rig import Daemons, until
from learnae_ipfs.daemon.private import open_access
from learnae_ipfs.reading import read_settings
from learnae_ipfs.storage import locators
from learnae_ipfs.storage.references import References

from learnae.codec.identity import Identity
from learnae.codec.manifests import read_manifest, session_id
from learnae.codec.seal import Seal
from learnae.data.synthetic import synthetic_rows, write_csv
from learnae.founding import found_session, write_folder

Run = Callable[..., subprocess.CompletedProcess[str]]

QUIET = ("--set", "plugins.ipfs.listen=127.0.0.1", "--set", "plugins.ipfs.local_network=false", "--transport", "ipfs")
QUICK = ("--quiet-period", "0.4", "--presence-interval", "0.2", "--retry", "0.2", "--epochs", "1", "--plain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session that was founded here; processes start in it."""
    write_csv(tmp_path / "rows.csv", *synthetic_rows(120, 1))
    manifest = found_session(tmp_path / "rows.csv", label="label", name="hepmass", hidden=(4,), slice_size=40, passes=1)
    write_folder(tmp_path, manifest, data=tmp_path / "rows.csv", framework="numpy")
    return tmp_path


@pytest.fixture
def start(folder: Path, kubo_binary: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start the program in the folder; what still runs at the end is killed, with the daemons that it started."""
    started: list[subprocess.Popen[str]] = []
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEARNAE_")}
    (folder / "bin").mkdir()
    (folder / "bin" / "ipfs").symlink_to(kubo_binary)
    environment = {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}

    def begin(*arguments: str | Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "learnae.cli", *map(str, arguments)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    for process in daemons_of(folder):
        process.kill()


@pytest.fixture
def learnae(start: Callable[..., "subprocess.Popen[str]"]) -> Run:
    """Run the program to its end."""

    def run(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
        process = start(*arguments)
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == status, f"{arguments}\n{stdout}\n{stderr}"
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


def daemons_of(folder: Path) -> list[psutil.Process]:
    """Find the Kubo daemons whose repositories are somewhere in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.environ().get("IPFS_PATH", "") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def peer(folder: Path, state: Path) -> References:
    """The references of the peer whose state folder this is."""
    session = session_id(read_manifest(folder / "session.json"))
    seal = Seal(session, None)
    return References(seal.rendezvous, seal.owner(Identity.load_or_create(state / "identity.key")[0].peer))


def test_a_friend_gets_an_address_that_stays_the_same(learnae: Run, folder: Path) -> None:
    told = learnae("ipfs", "address", *QUIET, "--state", "a")
    (address,) = told.stdout.splitlines()
    assert address.startswith("/ip4/127.0.0.1/tcp/")
    assert "/p2p/12D3KooW" in address
    assert told.stderr.startswith("The IPFS daemon can be reached on this machine, and has no address for the internet; ")
    assert daemons_of(folder) == [], "it ends with the command"
    assert not (folder / "a" / "identity.key").exists(), "the peer is not there yet"
    again = json.loads(learnae("ipfs", "address", *QUIET, "--state", "a", "--json").stdout)
    assert again == {
        "peer": address.rpartition("/p2p/")[2],
        "reachability": again["reachability"],
        "addresses": [{"address": each, "reach": "machine", "relayed": False} for each in (address,)],
    }


def test_it_works_while_the_peer_runs_and_a_friend_can_use_it(
    learnae: Run, start: Callable[..., "subprocess.Popen[str]"], folder: Path
) -> None:
    before = learnae("ipfs", "status", *QUIET, "--state", "a").stdout
    assert before.splitlines()[0] == "daemon      the peer's private daemon, which does not run now"
    running = start("run", *QUIET, *QUICK, "--state", "a", "--until", "forever")
    until((folder / "a" / "plugin-ipfs" / "repo" / "api").exists, "daemon", within_s=60)
    told = learnae("ipfs", "address", "--state", "a")
    (address,) = told.stdout.splitlines()
    assert "settings" not in told.stderr, "those of the peer hold, and need not be typed again"
    shown = learnae("ipfs", "status", "--state", "a").stdout.splitlines()
    whereabouts = next(line for line in shown if line.startswith("whereabouts")).partition("  ")[2].strip()
    assert told.stderr == f"The IPFS daemon {whereabouts}.\n"
    checked = learnae("check", *QUIET, "--state", "b", "--bootstrap", address)
    assert f"a friend answers at {address}" in checked.stdout
    assert not (folder / "b").exists()
    checked = learnae("check", *QUIET, "--state", "a")
    assert "which runs now" in checked.stdout
    assert "this peer's private daemon runs: Kubo 0." in checked.stdout
    until(lambda: json.loads(learnae("ipfs", "status", *QUIET, "--state", "a", "--json").stdout)["references"], "model")
    status = json.loads(learnae("ipfs", "status", *QUIET, "--state", "a", "--json").stdout)
    assert status["private"]
    assert status["runs"]
    assert status["peer"] == address.rpartition("/p2p/")[2]
    assert status["neighbours"] == 0
    assert status["repository_bytes"] > 0
    assert Path(status["log"]) == Path("a/plugin-ipfs/daemon.log")
    collected = json.loads(learnae("ipfs", "gc", *QUIET, "--state", "a", "--json").stdout)
    assert collected["references"] == [], "what the peer offers stays"
    after = json.loads(learnae("ipfs", "status", *QUIET, "--state", "a", "--json").stdout)
    assert after["references"] >= status["references"]
    assert running.poll() is None
    running.terminate()
    assert running.wait(60) == 0
    until(lambda: not daemons_of(folder), "end of the daemon")


def _leave(folder: Path, settings: dict[str, Any], contents: list[bytes], references: References | None = None) -> list[str]:
    """Leave files behind on the daemon of peer `a`, as a crash may; by default they are its own."""
    references = references or peer(folder, folder / "a")

    async def run() -> list[str]:
        access = open_access(read_settings(settings), folder / "a" / "plugin-ipfs", None, lambda _: None)
        try:
            kubo = await access.kubo()
            cids = [await kubo.add(content) for content in contents]
            for cid in cids:
                await references.take(kubo, cid)
            return [locators.write_locator(cid) for cid in cids]
        finally:
            await access.aclose()

    return asyncio.run(run())


def test_what_stayed_behind_is_collected(learnae: Run, folder: Path, kubo_binary: Path) -> None:
    learnae("run", *QUIET, *QUICK, "--state", "a", "--until", "converged")
    learnae("ipfs", "gc", *QUIET, "--state", "a")  # a board may have been on its way to the daemon when the peer ended
    settings = {"program": str(kubo_binary), "listen": "127.0.0.1", "local_network": False}
    left = _leave(folder, settings, [b"left behind", os.urandom(300_000)])
    gone = _leave(folder, settings, [b"of a peer that is no more"], References("7" * 64, "b2" * 32))
    dry = json.loads(learnae("ipfs", "gc", *QUIET, "--state", "a", "--dry-run", "--json").stdout)
    assert dry["dry_run"]
    assert dry["private_daemon"]
    assert {each["locator"]: each["bytes"] for each in dry["references"] if each["of_this_peer"]} == dict(
        zip(left, [11, 300_000], strict=True)
    )
    assert [each["locator"] for each in dry["references"] if not each["of_this_peer"]] == gone
    shown = learnae("ipfs", "gc", *QUIET, "--state", "a", "--dry-run").stdout.splitlines()
    assert len(shown) == 4
    assert shown[2] == f"{gone[0]}   25 bytes  of a peer that is no more"
    assert shown[3].startswith("3 references to files of 300.0 kB would go; then the repository's collector would run")
    done = json.loads(learnae("ipfs", "gc", *QUIET, "--state", "a", "--json").stdout)
    assert done["references"] == dry["references"]
    assert done["blocks"] >= 3
    assert done["repository_bytes_after"] < done["repository_bytes_before"]
    again = json.loads(learnae("ipfs", "gc", *QUIET, "--state", "a", "--json").stdout)
    assert again["references"] == []
    learnae("run", *QUIET, *QUICK, "--state", "a", "--until", "converged")


def test_on_somebody_elses_daemon_only_own_references_go(learnae: Run, folder: Path, daemons: Daemons) -> None:
    daemon = daemons.start()
    theirs = daemon.call("add", body=b"theirs", cid_version="1")["Hash"]
    unpinned = daemon.call("add", body=b"nobody's", cid_version="1", pin="false")["Hash"]
    before = set(daemon.call("pin/ls", type="recursive")["Keys"])  # an empty folder, Kubo's own, is among them
    other = ("--transport", "ipfs", "--ipfs-api", daemon.api)
    learnae("run", *other, *QUICK, "--state", "b", "--until", "converged")
    learnae("run", *other, *QUICK, "--state", "a", "--until", "converged")
    learnae("ipfs", "gc", *other, "--state", "a")  # a board may have been on its way to the daemon when the peer ended
    held = set(daemon.call("pin/ls", type="recursive")["Keys"])
    left = _leave(folder, {"api": daemon.api}, [b"left behind", b"theirs"])
    done = json.loads(learnae("ipfs", "gc", *other, "--state", "a", "--json").stdout)
    assert sorted(each["locator"] for each in done["references"]) == sorted(left)
    assert not done["private_daemon"]
    assert done["blocks"] == 0
    assert set(daemon.call("pin/ls", type="recursive")["Keys"]) == held, "what was pinned by others, and by other peers, stays"
    assert theirs in held
    assert daemon.call("block/stat", unpinned, offline="true")["Size"] == 8, "the collector did not run"
    told = learnae("ipfs", "gc", *other, "--state", "a").stdout
    assert told.startswith("0 references to files of 0 bytes dropped; the daemon is not ours, and its own collector frees")
    status = json.loads(learnae("ipfs", "status", *other, "--state", "a", "--json").stdout)
    assert (status["private"], status["runs"], status["log"]) == (False, True, None)
    [address] = learnae("ipfs", "address", *other, "--state", "a").stdout.splitlines()
    assert address == daemon.address
    learnae("ipfs", "gc", *other, "--state", "a", "--leave")
    learnae("ipfs", "gc", *other, "--state", "b", "--leave")
    left_pins = set(daemon.call("pin/ls", type="recursive")["Keys"] or {})
    assert left_pins == before, "who leaves takes its files and its mailbox along"
    assert [key["Name"] for key in daemon.call("key/list")["Keys"]] == ["self"]
    assert not (folder / "a" / "plugin-ipfs" / "letters").exists()


def test_a_peer_that_was_never_started_has_nothing_to_collect(learnae: Run) -> None:
    told = learnae("ipfs", "gc", *QUIET, "--state", "nobody", status=2)
    assert "nobody: no peer was started in this state folder" in told.stderr


def test_a_daemon_that_does_not_answer_is_one_line(learnae: Run, daemons: Daemons) -> None:
    daemon = daemons.start()
    daemon.end()
    for command in ("address", "status"):
        told = learnae("ipfs", command, "--ipfs-api", daemon.api, "--state", "a", status=2)
        assert len(told.stderr.splitlines()) == 1
        assert "Traceback" not in told.stderr
