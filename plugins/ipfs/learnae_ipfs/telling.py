"""Says a sentence once in a run, though the transport and the storage each have a reason to say it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from learnae_ipfs.private_files import read_private, write_private

_MAX_BYTES = 100_000
_MAX_SENTENCES = 50


def once(file: Path, tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return a ``tell`` that keeps quiet about what this process has said already.

    Args:
        file: Where it is noted what was said, and by which process; if it cannot be, things are said twice.
        tell: Takes the sentences.
    """

    def say(text: str) -> None:
        said = _said(file)
        if text in said:
            return
        tell(text)
        note = {"process": os.getpid(), "said": [*said, text][-_MAX_SENTENCES:]}
        with contextlib.suppress(OSError):
            write_private(file, json.dumps(note).encode(), durable=False)  # it counts for this process only

    return say


def _said(file: Path) -> list[str]:
    try:
        note = json.loads(read_private(file, max_bytes=_MAX_BYTES) or b"{}")
    except (OSError, ValueError, RecursionError):
        return []
    said = note.get("said") if isinstance(note, dict) and note.get("process") == os.getpid() else None
    return [text for text in said if isinstance(text, str)] if isinstance(said, list) else []
