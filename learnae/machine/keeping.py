"""Files of others that this peer offers too, so that they can be had while their authors are away (paper, section 5)."""

from collections.abc import Callable
from typing import Final

import msgspec

from learnae.averaging.judging import merit
from learnae.machine.board import Board
from learnae.machine.effects import Keep
from learnae.machine.events import FileKind, KeepFailed, Kept
from learnae.machine.fetching import Backoff
from learnae.machine.memory import KeptFile
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.policies import newest
from learnae.machine.releasing import FOREIGN, Releasing
from learnae.machine.retiring import Retiring
from learnae.values.ids import Digest, Locator, PeerId
from learnae.values.journal import FileKept, FileLetGo, Notice
from learnae.values.persistency import NONE, Policy
from learnae.values.scores import Score

MOST_FAILURES: Final = 6
"""After so many failures in a row a file is given up; it was here a moment ago, so something is wrong with it."""

KINDS: Final = (FileKind.MODEL, FileKind.SLICE, FileKind.HASHLIST)


class Keeping:
    """Keeps what was fetched and found good for as long as the policy names it and its author counts and stands by it.

    A record is durable before the file is kept, and goes after it was surely released: whatever is killed when, no file stays
    that nobody remembers. The same file may be an own one too, under the same locator, such as an adopted model: it is released
    only once neither needs it, and never while it is being stored or kept.
    """

    def __init__(self, notebook: Notebook, board: Board, *, releasing: Releasing, retiring: Retiring, offering: Offering) -> None:
        self._notebook = notebook
        self._board = board
        self._releasing = releasing
        self._retiring = retiring
        self._offering = offering
        self._backoff = Backoff(notebook.rules.retry_s)
        self._serial = max((file.serial for file in notebook.memory.kept.values()), default=0)
        self._wanted: dict[str, None] = {}
        """Named by the policy, and not surely offered from here yet; in the order in which they are to be kept."""
        self._under_way: set[str] = set()
        """Whose orders to keep are not answered yet."""
        self._unordered: set[str] = set()
        """New in this run, and never ordered to be kept: there is nothing to release."""
        self._leaving_s: dict[str, float] = {}
        """Not named any more: when to release it."""
        self._parted: int | None = None
        """``Board.parted`` when all was last looked through; not in this run yet: another policy may hold now."""
        self._is_failure_told = False

    def fetched(
        self, kind: FileKind, author: PeerId, digest: Digest, locator: Locator | None, score: Score | None = None
    ) -> None:
        """A file of another peer's was fetched and found good.

        Args:
            kind: What it is.
            author: Who signed the announcement by which it was found.
            digest: Its digest.
            locator: Where it was found, if it can be kept there.
            score: Of a model: what the author reported.
        """
        policy, key = self._policy(kind), f"{kind}/{digest}"
        known = self._notebook.memory.kept.get(key)
        if locator is None or policy == NONE or (known is not None and policy.last is None):
            return
        new = KeptFile(kind, digest, author, (locator,), self._serial + 1, score)
        if not self._stands(new):
            return
        self._serial += 1
        if known is None:
            self._unordered.add(key)
            self._notebook.put("kept", key, new)
            self._wanted[key] = None
        else:
            self._notebook.put("kept", key, msgspec.structs.replace(known, serial=self._serial, score=score))
        if policy.last is not None:
            self._look_through(kind)

    def _policy(self, kind: FileKind) -> Policy:
        rules = self._notebook.rules
        match kind:
            case FileKind.MODEL:
                return rules.persistency.foreign_models
            case FileKind.SLICE if rules.sharing:
                return rules.persistency.foreign_slices
            case FileKind.HASHLIST if rules.sharing:
                return rules.persistency.foreign_hashlists
            case _:
                return NONE  # What leaves a peer that does not share is a closed list.

    def _look_through(self, kind: FileKind) -> None:
        """Ask the policy which files of a kind stay."""
        files = {key: file for key, file in self._notebook.memory.kept.items() if file.kind is kind}
        named = self._names(kind, {key: file for key, file in files.items() if self._stands(file)})
        for key in files:
            if key in named:
                self._want(key)
            else:
                self._let_go(key)

    def _stands(self, file: KeptFile) -> bool:
        """Say whether a file's author counts, and did not withdraw it."""
        subject = "model" if file.kind is FileKind.MODEL else "hashlist"
        return self._board.is_admitted(file.author) and not self._board.is_retired(file.author, subject)

    def _names(self, kind: FileKind, files: dict[str, KeptFile]) -> frozenset[str]:
        policy, judge = self._policy(kind), self._notebook.rules.judge
        if not policy.best:
            return newest(policy.last, {key: file.serial for key, file in files.items()})
        merits = {key: (merit(judge, file.score), -file.serial) for key, file in files.items() if file.score is not None}
        return frozenset([max(merits, key=merits.__getitem__)] if merits else ())

    def _want(self, key: str) -> None:
        self._leaving_s.pop(key, None)
        if key not in self._under_way and not self._notebook.memory.kept[key].kept:
            self._wanted[key] = None

    def _let_go(self, key: str) -> None:
        self._wanted.pop(key, None)
        self._backoff.succeeded(key)
        if key in self._unordered:
            self._forget(key)
        elif not self._releasing.is_under_way(key, FOREIGN):
            self._no_longer_sure(key)
            self._leaving_s.setdefault(key, self._notebook.now_s)

    def _no_longer_sure(self, key: str) -> None:
        """Make durable that the file may be gone, before it is: a policy may name it again after a crash."""
        file = self._notebook.memory.kept[key]
        if file.kept:
            self._notebook.put("kept", key, msgspec.structs.replace(file, kept=False))

    def _forget(self, key: str) -> None:
        self._unordered.discard(key)
        self._notebook.remove("kept", key)

    def pass_time(self) -> None:
        """Let go what is not to stay, and keep what is."""
        if self._parted != self._board.parted:
            self._parted = self._board.parted
            for kind in KINDS:
                self._look_through(kind)
        for key in [key for key, due_s in self._leaving_s.items() if due_s <= self._notebook.now_s]:
            self._release(key)
        for key in list(self._wanted):
            if len(self._under_way) >= self._notebook.rules.max_fetches:
                return
            self._keep(key)

    def _keep(self, key: str) -> None:
        if self._releasing.is_under_way(key) or not self._backoff.is_due(key, self._notebook.now_s):
            return
        del self._wanted[key]
        self._unordered.discard(key)
        self._under_way.add(key)
        file = self._notebook.memory.kept[key]
        self._notebook.order(Keep(file.kind, file.author, file.digest, file.locators))

    def _release(self, key: str) -> None:
        """Order the release, unless the same file is needed, is being kept, or may be being stored."""
        if key in self._under_way:
            return
        file = self._notebook.memory.kept[key]
        if self._is_being_stored(file):
            self._leaving_s[key] = self._notebook.now_s + self._notebook.rules.retry_s
            return
        del self._leaving_s[key]
        own = self._own_locators(key, file)
        left = tuple(locator for locator in file.locators if locator not in own)
        if left:
            self._releasing.begin(FOREIGN, key, left)
        else:
            self._forget(key)

    def _is_being_stored(self, file: KeptFile) -> bool:
        match file.kind:
            case FileKind.MODEL:
                return self._offering.storing_model == file.digest
            case FileKind.SLICE:
                return self._retiring.is_to_be_shared(file.digest)
            case _:
                return file.kind in self._releasing.storing

    def _own_locators(self, key: str, file: KeptFile) -> tuple[Locator, ...]:
        """Say under which locators the same file is offered as an own one."""
        memory = self._notebook.memory
        offered, item = memory.offered.get(key), memory.slices.get(file.digest)
        shared = item.locators if item is not None and item.shared else ()
        return (*(offered.locators if offered is not None else ()), *shared)

    def kept(self, event: Kept) -> None:
        """A file is offered from here; perhaps it is not to stay any more."""
        key = f"{event.kind}/{event.digest}"
        self._under_way.discard(key)
        self._backoff.succeeded(key)
        self._is_failure_told = False
        file = self._notebook.memory.kept.get(key)
        if file is not None and key not in self._leaving_s:
            self._notebook.put("kept", key, msgspec.structs.replace(file, kept=True))
            self._notebook.note(FileKept(file.kind, file.digest, file.author))

    def lost(self, is_lost: Callable[[tuple[Locator, ...]], bool]) -> int:
        """Keep anew what is gone from its storage; return how many files these are."""
        lost = [key for key, file in self._notebook.memory.kept.items() if file.kept and is_lost(file.locators)]
        for key in lost:
            self._no_longer_sure(key)
            self._want(key)
        return len(lost)

    def keep_failed(self, event: KeepFailed) -> None:
        """Try again later, but not for ever."""
        key = f"{event.kind}/{event.digest}"
        self._under_way.discard(key)
        if key not in self._notebook.memory.kept or key in self._leaving_s:
            return
        if not self._is_failure_told:
            self._is_failure_told = True
            self._notebook.note(Notice(f"cannot keep {event.kind} {event.digest[:8]} of another peer now: {event.reason}"))
        self._backoff.failed(key, self._notebook.now_s)
        if self._backoff.failures(key) < MOST_FAILURES:
            self._wanted[key] = None
        else:
            self._let_go(key)

    def released(self, key: str) -> None:
        """A file is not offered from here any more; if it was fetched again meanwhile, it is kept anew."""
        file = self._notebook.memory.kept[key]
        self._backoff.succeeded(_release_of(key))
        self._notebook.note(FileLetGo(file.kind, file.digest))
        if key not in self._wanted:
            self._forget(key)

    def release_failed(self, key: str, reason: str) -> None:
        """Try again later, unless it is wanted again."""
        if key in self._wanted:
            return
        failed = _release_of(key)
        if not self._backoff.has_failed(failed):
            self._notebook.note(Notice(f"{key[: key.index('/') + 9]} cannot be released now, trying again: {reason}"))
        self._leaving_s[key] = self._backoff.failed(failed, self._notebook.now_s)

    def next_due_s(self, now_s: float) -> float | None:
        """Return when something is to be tried again."""
        due = [due_s for due_s in (*self._leaving_s.values(), self._backoff.next_due_s(now_s)) if due_s is not None]
        return min((due_s for due_s in due if due_s > now_s), default=None)


def _release_of(key: str) -> tuple[str, str]:
    return ("release", key)
