"""Why a daemon did not start, told in one sentence: from its own words, where they are understood."""

from __future__ import annotations

import os
import re
from pathlib import Path

from learnae_ipfs.kubo.answers import FULL_DISK
from learnae_ipfs.private_files import open_regular

MAX_TAIL_BYTES = 8_192
_LINES, _LINE_LENGTH = 3, 300

_UNDERSTOOD: tuple[tuple[str, str], ...] = (
    ("no space left on device", FULL_DISK),
    ("disk quota exceeded", "the disk quota is used up"),
    ("read-only file system", "the disk can only be read"),
    ("someone else has the lock", "another program that is not LEARNAE uses its repository {repository}; end that program"),
    ("lock is already held", "another program that is not LEARNAE uses its repository {repository}; end that program"),
    ("permission denied", "files in {repository} belong to somebody else"),
    ("too many open files", "too many files are open: raise the limit, `ulimit -n 4096`"),
    ("failed to listen on any addresses", "its port is taken, or its address is not one of this machine's"),
    ("privnet was not configured", "its swarm key {repository}/swarm.key is damaged; remove that file"),
    ("failed to configure private network", "its swarm key {repository}/swarm.key is damaged; remove that file"),
    ("leveldb", "its repository {repository} is damaged; move that folder away, and a new one is made"),
    ("datastore configuration of", "its repository {repository} is damaged; move that folder away, and a new one is made"),
    ("shard identifier", "its repository {repository} is damaged; move that folder away, and a new one is made"),
    ("manifest corrupted", "its repository {repository} is damaged; move that folder away, and a new one is made"),
)
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\S+\s+")


def last_words(log: Path, since: int) -> list[str]:
    """Return the last lines of a log that say something.

    Args:
        log: The file.
        since: Where the run in question began in it, in bytes.
    """
    try:
        with os.fdopen(open_regular(log, os.O_RDONLY), "rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, min(since, size), size - MAX_TAIL_BYTES))
            text = stream.read(MAX_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    lines = ["".join(filter(str.isprintable, _TIME.sub("", line))).strip() for line in text.splitlines()]
    return [line[:_LINE_LENGTH] for line in lines if line]


def explained(lines: list[str], repository: Path) -> str | None:
    """Say in plain words what a program complained of; ``None`` if it is not understood."""
    said = "\n".join(lines).lower()
    for words, meaning in _UNDERSTOOD:
        if words in said:
            return meaning.format(repository=repository)
    return None


def why_it_failed(log: Path, since: int, repository: Path) -> str:
    """Say why a daemon did not start, with its last words where they are not understood, and where its log is."""
    lines = last_words(log, since)
    meaning = explained(lines, repository)
    if meaning is None:
        complaints = [line for line in lines if "error" in line.lower() or "panic" in line.lower()] or lines
        meaning = "its last words: " + " | ".join(complaints[-_LINES:]) if complaints else "it said nothing"
    return f"{meaning}; its log is {log}"
