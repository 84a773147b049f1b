"""Where things lie in the shared folder.

::

    FOLDER/learnae/v1/<rendezvous>/messages/<owner>/<slot>
    FOLDER/learnae/v1/<rendezvous>/files/<owner>/<SHA-256 of the bytes>

Rendezvous, owner, slot and SHA-256 are 64 lower-case hexadecimal digits. A folder ``<owner>`` is written by its owner alone, so
that nobody ever replaces or removes what somebody else offers. Names that begin with a dot are being written, or are somebody
else's business.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from learnae.values.ids import Locator

SCHEME = "localfs"
TEMPORARY = ".tmp-"
HEX64 = re.compile(r"[0-9a-f]{64}\Z")
MESSAGE_NAME = re.compile(r"[0-9a-f]{64}[ -~]{0,160}\Z")
"""A slot, or what a synchroniser makes of it in a conflict: ``<slot>.sync-conflict-…``, ``<slot> (conflicted copy)``."""

_LOCATOR = re.compile(r"localfs:([0-9a-f]{64})/([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """One session's corner of the shared folder.

    Attributes:
        root: The folder that the operator named.
        rendezvous: The session's name on ledgers.
    """

    root: Path
    rendezvous: str

    @property
    def messages(self) -> tuple[str, ...]:
        """Name the folders between the root and the owners' folders of messages."""
        return ("learnae", "v1", self.rendezvous, "messages")

    @property
    def files(self) -> tuple[str, ...]:
        """Name the folders between the root and the owners' folders of files."""
        return ("learnae", "v1", self.rendezvous, "files")


def write_locator(owner: str, content: str) -> Locator:
    """Say where a file is: its owner, and the SHA-256 of its bytes."""
    return Locator(f"{SCHEME}:{owner}/{content}")


def read_locator(locator: str) -> tuple[str, str] | None:
    """Return owner and SHA-256; ``None`` for what is not exactly one of this storage's locators."""
    found = _LOCATOR.match(locator)
    return (found[1], found[2]) if found else None
