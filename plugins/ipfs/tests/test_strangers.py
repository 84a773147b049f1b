"""Who has got into the swarm and lacks the session's secret reads nothing: not a name, not a number, not a weight."""

import base64
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from kubo_rig.daemons import Daemon, Daemons, until

from learnae.data.synthetic import synthetic_rows, write_csv

CLEAR = (b"accuracy", b"sequence", b"signature", b"layer", b"kernel", b"learnae/", b"weights", b"ipfs:b", b"presence")
"""Words that stand in every announcement, board or model of an open session."""


def learnae(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "learnae", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


def begun(folder: Path, *, secret: bool) -> None:
    """Make a session of one."""
    folder.mkdir()
    columns, rows = synthetic_rows(300, 0)
    write_csv(folder / "rows.csv", columns, rows)
    assert learnae(folder, "init", "--data", "rows.csv", "--label", "label", *(["--secret"] if secret else [])).returncode == 0


def run_command(program: Path, *, secret: bool, until: str) -> list[str]:
    """Return the arguments that run the session's peer."""
    return [
        "run", "--data", "rows.csv", "--state", "state", "--transport", "ipfs", "--framework", "numpy",
        "--ipfs-program", str(program), "--until", until, "--quiet-period", "1",
        "--set", "plugins.ipfs.listen=127.0.0.1", "--set", "plugins.ipfs.local_network=false",
        *(["--secret-file", "session.secret"] if secret else []),
    ]  # fmt: skip


def blocks_of_a_session(folder: Path, program: Path, *, secret: bool) -> tuple[list[bytes], str]:
    """Run a peer, and return every block that its daemon's repository then holds, and its journal."""
    begun(folder, secret=secret)
    told = learnae(folder, *run_command(program, secret=secret, until="converged"))
    assert told.returncode == 0, told.stderr[-2000:]
    stored = folder / "state" / "plugin-ipfs" / "repo" / "blocks"
    found = [path.read_bytes() for path in stored.rglob("*.data")]
    return found, (folder / "state" / "events.jsonl").read_text()


def heard(daemon: Daemon, topic: str, count: int) -> list[bytes]:
    """Return the first messages on a topic, as a bare client of a daemon gets them."""
    connection = daemon.connection(120.0)
    try:
        connection.request("POST", "/api/v0/pubsub/sub?" + urlencode({"arg": topic}))
        response = connection.getresponse()
        lines = [json.loads(response.readline()) for _ in range(count)]
    finally:
        connection.close()
    return [base64.urlsafe_b64decode(line["data"][1:] + "==") for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("secret", [True, False])
def test_who_listens_in_the_swarm_and_lacks_the_secret_hears_nothing(
    daemons: Daemons, kubo_binary: Path, tmp_path: Path, secret: bool
) -> None:
    folder = tmp_path / "session"
    begun(folder, secret=secret)
    command = [sys.executable, "-m", "learnae", *run_command(kubo_binary, secret=secret, until="5m")]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as member:
        try:
            plugin = folder / "state" / "plugin-ipfs"
            until(
                lambda: (folder / "state" / "events.jsonl").exists() and (plugin / "repo" / "api").exists(), "daemon", within_s=90
            )
            theirs = Daemon(kubo_binary, plugin, token=(plugin / "token").read_text())
            # The listener has what only a traitor could give it: the swarm key, an address, the name of the topic.
            topics: set[str] = set()
            until(lambda: topics.update(theirs.call("pubsub/ls")["Strings"] or ()) or len(topics) == 2, "topics", within_s=90)
            listener = daemons.start(swarm_key=(plugin / "repo" / "swarm.key").read_text())
            listener.call("swarm/connect", next(each for each in theirs.call("id")["Addresses"] if "/tcp/" in each))
            messages = heard(listener, min(topics, key=len), 3)
        finally:
            member.send_signal(signal.SIGINT)
            member.wait(60)
    journal = (folder / "state" / "events.jsonl").read_text()
    peer = json.loads(journal.splitlines()[0])["peer"]
    words = [*CLEAR, peer.encode(), bytes.fromhex(peer)]
    assert all(messages)
    assert any(word in message for message in messages for word in words) is not secret


@pytest.mark.slow
def test_what_lies_on_a_daemon_tells_nothing_to_who_lacks_the_secret(kubo_binary: Path, tmp_path: Path) -> None:
    sealed, journal = blocks_of_a_session(tmp_path / "sealed", kubo_binary, secret=True)
    clear, _ = blocks_of_a_session(tmp_path / "open", kubo_binary, secret=False)
    facts = [json.loads(line)["fact"] for line in journal.splitlines()]
    digests = {fact["digest"] for fact in facts if fact["type"] == "stored"}
    assert digests, "files were stored"
    peer = json.loads(journal.splitlines()[0])["peer"]
    assert any(word in block for block in clear for word in CLEAR), "the words are there where nothing is sealed"
    for block in sealed:
        assert not [word for word in CLEAR if word in block]
        assert peer.encode() not in block
        assert not [digest for digest in digests if digest.encode() in block or bytes.fromhex(digest) in block]
        assert not re.search(rb"\d\.\d{4,}", block), "no score"
