"""Files that are being let go: whose they are, not too many at once, and never one that is being stored."""

from collections import deque
from typing import Final

from learnae.machine.effects import Release
from learnae.machine.events import FileKind
from learnae.machine.notebook import Notebook
from learnae.values.ids import Locator

OWN: Final = "offered"
FOREIGN: Final = "kept"
"""The tables in which files stand that are offered."""

Entry = tuple[str, str]
"""A table and a key."""


class Releasing:
    """Orders releases, at most ``max_fetches`` at once: a change of policy may let thousands of files go.

    Equal bytes may have one locator, whoever stores or keeps them and why; so the release of a file and the storing or keeping
    of the same one must not be under way together: nobody could tell which of them came last.

    Attributes:
        storing: Kinds of which a file is being stored whose digest is not known before; none of these is released meanwhile.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._whose: dict[tuple[Locator, ...], list[Entry]] = {}
        self._entries: set[Entry] = set()
        self._waiting: deque[tuple[Locator, ...]] = deque()
        self._ordered: set[tuple[Locator, ...]] = set()
        self.storing: set[FileKind] = set()

    def begin(self, table: str, key: str, locators: tuple[Locator, ...]) -> None:
        """Have a file released; one that is on its way already is not ordered twice."""
        if (table, key) in self._entries:
            return
        if locators not in self._whose:
            self._whose[locators] = []
            self._waiting.append(locators)
        self._whose[locators].append((table, key))
        self._entries.add((table, key))
        self._order()

    def _order(self) -> None:
        while self._waiting and len(self._ordered) < self._notebook.rules.max_fetches:
            locators = self._waiting.popleft()
            self._ordered.add(locators)
            self._notebook.order(Release(locators))

    def ended(self, locators: tuple[Locator, ...]) -> list[Entry]:
        """An order was answered: return whose files these were."""
        entries = self._whose.pop(locators, [])
        self._ordered.discard(locators)
        self._entries.difference_update(entries)
        self._order()
        return entries

    def is_under_way(self, key: str, *tables: str) -> bool:
        """Say whether this file is being released, or about to be, as one of these tables or of any."""
        return any((table, key) in self._entries for table in tables or (OWN, FOREIGN))

    def is_any_under_way(self, kind: FileKind) -> bool:
        """Say whether any file of a kind is."""
        return any(key.startswith(f"{kind}/") for _, key in self._entries)
