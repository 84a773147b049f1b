"""Own files that are no longer current: available for ``retention_s`` more, then for as long as the policy names them."""

from typing import Final

import msgspec

from learnae.machine.events import FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.memory import Offered
from learnae.machine.notebook import Notebook
from learnae.machine.policies import newest
from learnae.machine.releasing import OWN, Releasing
from learnae.values.ids import Digest
from learnae.values.journal import FileLetGo, Notice
from learnae.values.persistency import NONE, Policy

BOARDS_KEPT: Final = 4
"""Presence intervals for which a superseded board stays: whoever heard of it has fetched it by then, or heard of the next."""


class Retiring:
    """Lets own files run out. The times are of this run: a restart begins them anew."""

    def __init__(self, notebook: Notebook, releasing: Releasing) -> None:
        self._notebook = notebook
        self._releasing = releasing
        self._due_s: dict[str, float] = {}
        self._named: dict[str, None] = {}
        """Files whose time is over, and that a policy names."""
        self._looked_at: tuple[Digest | None, int] | None = None
        self._backoff = Backoff(notebook.rules.retry_s)
        self._serial = max((offered.serial for offered in notebook.memory.offered.values()), default=0)

    def resume(self) -> None:
        """Go on after a start: what was superseded before runs out its time; boards are always stored anew."""
        for key, offered in self._notebook.memory.offered.items():
            if offered.kind is FileKind.BOARD or offered.superseded:
                self.supersede(key)

    def supersede(self, key: str) -> None:
        """A file is no longer current: begin its time."""
        rules = self._notebook.rules
        offered = self._notebook.memory.offered[key]
        if not offered.superseded:
            self._serial += 1
            self._notebook.put("offered", key, msgspec.structs.replace(offered, superseded=True, serial=self._serial))
        kept_s = rules.retention_s
        if offered.kind is FileKind.BOARD:
            kept_s = min(kept_s, BOARDS_KEPT * rules.presence_interval_s)
        elif offered.kind is FileKind.SLICE and not rules.sharing:
            kept_s = 0.0
        self._due_s[key] = self._notebook.now_s + kept_s

    def reprieve(self, key: str) -> None:
        """A file is current again."""
        self._due_s.pop(key, None)
        self._named.pop(key, None)

    def pass_time(self) -> None:
        """Release what has run out, and what a policy does not name any more."""
        now_s = self._notebook.now_s
        best = self._notebook.core.best
        now = (best.digest if best else None, self._serial)
        due = [key for key, due_s in self._due_s.items() if due_s <= now_s]
        if now != self._looked_at:
            due += self._named
        elif not due:
            return
        self._looked_at = now
        named = {kind: self._names(kind) for kind in FileKind} if due else {}
        for key in due:
            self._due_s.pop(key, None)
            if key in named[self._notebook.memory.offered[key].kind]:
                self._named[key] = None
            else:
                self._named.pop(key, None)
                self._release(key)

    def _names(self, kind: FileKind) -> frozenset[str]:
        """Return the superseded files of a kind that stay."""
        policy, best = self._policy(kind), self._notebook.core.best
        if policy.best:
            return frozenset({f"{kind}/{best.digest}"} if best else ())
        if policy == NONE:
            return frozenset()
        serials = {
            key: offered.serial
            for key, offered in self._notebook.memory.offered.items()
            if offered.kind is kind and offered.superseded
        }
        return newest(policy.last, serials)

    def _policy(self, kind: FileKind) -> Policy:
        rules = self._notebook.rules
        match kind:
            case FileKind.MODEL:
                return rules.persistency.own_models
            case FileKind.HASHLIST if rules.sharing:
                return rules.persistency.own_hashlists
            case _:
                return NONE

    def _release(self, key: str) -> None:
        """Order the release; the record stays until it is known to have happened."""
        offered = self._notebook.memory.offered[key]
        if offered.kind is FileKind.SLICE and self.is_to_be_shared(offered.digest):
            self.supersede(key)
            return
        if offered.kind in self._releasing.storing:
            self._due_s[key] = self._notebook.now_s
            return
        kept = self._notebook.memory.kept.get(key)
        left = tuple(locator for locator in offered.locators if kept is None or locator not in kept.locators)
        if left:
            self._releasing.begin(OWN, key, left)
        else:
            self.forget(key)  # The same file stays as a foreign one that is kept.

    def is_to_be_shared(self, digest: Digest) -> bool:
        """Say whether a slice is about to be stored, perhaps where it was before."""
        known = self._notebook.memory.slices.get(digest)
        rules = self._notebook.rules
        return rules.sharing and known is not None and known.author == rules.peer and not known.shared

    def released(self, key: str) -> Offered:
        """A file is gone: forget it, and return what it was."""
        offered = self._notebook.memory.offered[key]
        self._backoff.succeeded(key)
        self.forget(key)
        self._notebook.note(FileLetGo(offered.kind, offered.digest))
        return offered

    def release_failed(self, key: str, reason: str) -> None:
        """Try again later, unless it became current meanwhile."""
        if not self._notebook.memory.offered[key].superseded:
            return
        if not self._backoff.has_failed(key):
            self._notebook.note(Notice(f"{key[: key.index('/') + 9]} cannot be released now, trying again: {reason}"))
        self._due_s[key] = self._backoff.failed(key, self._notebook.now_s)

    def forget(self, key: str) -> None:
        """Forget a file: it is gone, or stays for another reason."""
        self.reprieve(key)
        self._notebook.remove("offered", key)

    def next_due_s(self) -> float | None:
        """Return when the next file has run out."""
        return min(self._due_s.values(), default=None)
