"""Who has got into the swarm and lacks the session's secret reads nothing: not a name, not a number, not a weight."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from learnae.data.synthetic import synthetic_rows, write_csv

CLEAR = (b"accuracy", b"sequence", b"signature", b"layer", b"kernel", b"learnae/", b"weights", b"ipfs:b", b"presence")
"""Words that stand in every announcement, board or model of an open session."""


def learnae(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "learnae", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


def blocks_of_a_session(folder: Path, program: Path, *, secret: bool) -> tuple[list[bytes], str]:
    """Run a peer, and return every block that its daemon's repository then holds, and its journal."""
    folder.mkdir()
    columns, rows = synthetic_rows(300, 0)
    write_csv(folder / "rows.csv", columns, rows)
    assert learnae(folder, "init", "--data", "rows.csv", "--label", "label", *(["--secret"] if secret else [])).returncode == 0
    told = learnae(
        folder, "run", "--data", "rows.csv", "--state", "state", "--transport", "ipfs", "--framework", "numpy",
        "--ipfs-program", str(program), "--until", "converged", "--quiet-period", "1",
        "--set", "plugins.ipfs.listen=127.0.0.1", "--set", "plugins.ipfs.local_network=false",
        *(["--secret-file", "session.secret"] if secret else []),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:]
    stored = folder / "state" / "plugin-ipfs" / "repo" / "blocks"
    found = [path.read_bytes() for path in stored.rglob("*.data")]
    return found, (folder / "state" / "events.jsonl").read_text()


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
