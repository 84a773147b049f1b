"""What the peer believes of the others: the latest valid announcement for each author and subject, and what follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Final

import msgspec

from learnae.machine.effects import Announce
from learnae.machine.events import FileKind
from learnae.machine.memory import Charges
from learnae.machine.notebook import Notebook, board_key
from learnae.values.announcements import (
    Content,
    HashlistOffer,
    ModelOffer,
    Presence,
    Retirement,
    SignedAnnouncement,
    SliceUse,
)
from learnae.values.ids import Digest, PeerId
from learnae.values.journal import ContentRefused, PeerQuarantined, PeerSeen

OWN_SHARE: Final = 16
"""One part in so many of a board's file is kept free for what this peer itself has to say."""


class Verdict(StrEnum):
    """What became of an announcement."""

    NEW = "new"
    """It is on the board now."""
    KNOWN = "known"
    """The board has it, or something later."""
    UNWANTED = "unwanted"
    """Its author is not admitted, is quarantined, or has used up its share of the board."""
    CLONE = "clone"
    """It bears this peer's signature, and this peer did not make it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that somebody offers."""

    author: PeerId
    content: ModelOffer


class Board:
    """Merges announcements, in any order and any number of times, to the same result.

    Attributes:
        version: Changes with what ``shareable`` returns.
        parted: Changes when an author is quarantined, or retires something.
        shown: Changes when somebody's presence names another board.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._authors: dict[PeerId, int] = {}
        self._uses: dict[Digest, dict[PeerId, int]] = {}
        self._offers: dict[PeerId, ModelOffer] = {}
        self._wanted_offers: tuple[Offer, ...] | None = None
        self._wanted_hashlists: tuple[tuple[PeerId, HashlistOffer], ...] | None = None
        self._more_used: dict[Digest, None] = {}
        self._shut_out: set[PeerId] = set()
        self._bytes = 0
        self.version = 0
        self.parted = 0
        self.shown = 0
        for signed in notebook.memory.board.values():
            self._index(signed, None)

    @property
    def peers(self) -> int:
        """How many peers were ever heard of, this one included."""
        return len(self._authors) + int(self._notebook.rules.peer not in self._authors)

    @property
    def shut_out(self) -> int:
        """How many others were heard of, if the operator's list names none of them; else 0."""
        rules = self._notebook.rules
        if not self._shut_out or any(author in rules.allow for author in self._authors if author != rules.peer):
            return 0
        return len((self._shut_out | self._authors.keys()) - {rules.peer})

    def merge(self, signed: SignedAnnouncement) -> Verdict:  # noqa: PLR0911 - one verdict a line
        """Take an announcement in, if it is new and wanted. Presence and everything else are treated alike."""
        announcement = signed.announcement
        author, key = announcement.author, board_key(announcement)
        known = self._notebook.memory.board.get(key)
        if author == self._notebook.rules.peer:
            return self._merge_own(signed, known)
        if not self.is_admitted(author) or not self._is_within_terms(signed):
            self._remember_shut_out(author)
            return Verdict.UNWANTED
        if known is not None and not _is_later(signed, known):
            return Verdict.KNOWN
        limits = self._notebook.rules.limits
        if author not in self._authors and len(self._authors) >= limits.peers:
            return Verdict.UNWANTED
        if known is None and self._authors.get(author, 0) >= limits.subjects_per_peer:
            return Verdict.UNWANTED
        if not self._has_room(signed, known):
            return Verdict.UNWANTED
        is_stranger = author not in self._authors
        self._put(key, signed, known)
        if is_stranger:
            self._notebook.note(PeerSeen(author, self.peers))
        return Verdict.NEW

    def _remember_shut_out(self, author: PeerId) -> None:
        rules = self._notebook.rules
        if rules.allow and author not in rules.allow and len(self._shut_out) < rules.limits.peers:
            self._shut_out.add(author)

    def _merge_own(self, signed: SignedAnnouncement, known: SignedAnnouncement | None) -> Verdict:
        """Meet an own announcement: an echo, a memory that the state folder lost, or the work of a copied state folder."""
        core = self._notebook.core
        sequence = signed.announcement.sequence
        if core.recovering:
            if sequence > core.sequence:
                self._notebook.change_core(sequence=sequence)
            if known is None or _is_later(signed, known):
                self._put(board_key(signed.announcement), signed, known)
                return Verdict.NEW
            return Verdict.KNOWN
        if sequence > core.sequence:
            return Verdict.CLONE
        if known is not None and known.announcement.sequence == sequence and known != signed:
            return Verdict.CLONE
        return Verdict.KNOWN

    def _put(self, key: str, signed: SignedAnnouncement, known: SignedAnnouncement | None) -> None:
        self._notebook.put("board", key, signed)
        self._index(signed, known)

    def announce(self, content: Content) -> None:
        """Sign a statement, put it on the board, and send it."""
        signed = self._notebook.sign(content)
        key = board_key(signed.announcement)
        self._put(key, signed, self._notebook.memory.board.get(key))
        self._notebook.order(Announce(signed))

    def announce_again(self, *subjects: str) -> None:
        """Send what the board has of the own statements once more."""
        for subject in subjects:
            signed = self._notebook.memory.board.get(f"{self._notebook.rules.peer}/{subject}")
            if signed is not None:
                self._notebook.order(Announce(signed))

    def _has_room(self, signed: SignedAnnouncement, known: SignedAnnouncement | None) -> bool:
        """Say whether the board's file stays within the session's limit: a larger one would be refused, and its author charged.

        Uses may fill only half of it: they are many, and must not keep out who offers a model.
        """
        most = self._notebook.rules.limits.board_bytes
        most -= most // (2 if isinstance(signed.announcement.content, SliceUse) else OWN_SHARE)
        grown = _size(signed) - _size(known)
        return grown <= 0 or self._bytes + grown <= most

    def _index(self, signed: SignedAnnouncement, known: SignedAnnouncement | None) -> None:
        announcement = signed.announcement
        author = announcement.author
        self._authors[author] = self._authors.get(author, 0) + int(known is None)
        self._bytes += _size(signed) - _size(known)
        self.version += int(self._is_for_all(signed))
        match announcement.content:
            case Presence() as presence:
                self.shown += int(presence.board is not None and (known is None or known.announcement.content != presence))
            case HashlistOffer():
                self._wanted_hashlists = None
            case ModelOffer() as offer:
                self._offers[author] = offer
                self._wanted_offers = None
            case SliceUse(slice=digest, uses=uses):
                counts = self._uses.setdefault(digest, {})
                counts[author] = max(uses, counts.get(author, 0))
                self._more_used[digest] = None
            case Retirement(subject="model"):
                self.parted += 1
                self._offers.pop(author, None)
                self._wanted_offers = None
            case _:
                self.parted += 1
                self._wanted_hashlists = None

    def is_admitted(self, author: PeerId) -> bool:
        """Say whether what this author signs counts."""
        rules = self._notebook.rules
        if author == rules.peer:
            return True
        return (not rules.allow or author in rules.allow) and self.charges(author) < rules.limits.quarantine_after

    def _is_within_terms(self, signed: SignedAnnouncement) -> bool:
        """Say whether the session's terms know such a statement."""
        return self._notebook.rules.sharing_allowed or not isinstance(signed.announcement.content, HashlistOffer | SliceUse)

    def charges(self, author: PeerId) -> int:
        """Count an author's bad contents."""
        charged = self._notebook.memory.charges.get(author)
        return charged.count if charged else 0

    def charge(self, author: PeerId, kind: FileKind, digest: Digest, reason: str) -> None:
        """Charge an author with bad content, and never look at that content again."""
        charges = self.charges(author) + 1
        self._notebook.put("charges", author, Charges(charges))
        self._notebook.put("refused", f"{kind}/{digest}", Charges(1))
        self._wanted_offers = self._wanted_hashlists = None
        self._notebook.note(ContentRefused(kind, digest, author, reason, charges))
        if charges == self._notebook.rules.limits.quarantine_after:
            self.version += 1
            self.parted += 1
            self._notebook.note(PeerQuarantined(author))

    def is_retired(self, author: PeerId, subject: str) -> bool:
        """Say whether an author's latest word on a subject is that it is retired."""
        signed = self._notebook.memory.board.get(f"{author}/{subject}")
        return signed is not None and isinstance(signed.announcement.content, Retirement)

    def is_refused(self, kind: FileKind, digest: Digest) -> bool:
        """Say whether this content was seen to be bad as what it was offered as: a good model is a bad board."""
        return f"{kind}/{digest}" in self._notebook.memory.refused

    def offers(self) -> tuple[Offer, ...]:
        """Return the models that others offer, by author; refused ones and those of unwanted authors are left out.

        Every decision asks for them, and they change only with a model offer, a retirement or a charge: the same tuple is
        returned until then.
        """
        if self._wanted_offers is None:
            own = self._notebook.rules.peer
            self._wanted_offers = tuple(
                Offer(author, offer)
                for author, offer in sorted(self._offers.items(), key=itemgetter(0))
                if author != own and self.is_admitted(author) and not self.is_refused(FileKind.MODEL, offer.record.digest)
            )
        return self._wanted_offers

    def hashlists(self) -> tuple[tuple[PeerId, HashlistOffer], ...]:
        """Return the hashlists that others offer, by author; the same tuple until one of them, or whom to trust, changes."""
        if self._wanted_hashlists is None:
            self._wanted_hashlists = tuple(self._hashlists())
        return self._wanted_hashlists

    def _hashlists(self) -> Iterator[tuple[PeerId, HashlistOffer]]:
        board = self._notebook.memory.board
        for author in sorted(self._authors):
            signed = board.get(f"{author}/hashlist")
            if signed is None or author == self._notebook.rules.peer or not self.is_admitted(author):
                continue
            content = signed.announcement.content
            if isinstance(content, HashlistOffer) and not self.is_refused(FileKind.HASHLIST, content.digest):
                yield author, content

    def presences(self) -> Iterator[tuple[PeerId, Presence]]:
        """Yield the presences of the others, by author."""
        board = self._notebook.memory.board
        for author in sorted(self._authors):
            signed = board.get(f"{author}/presence")
            content = None if signed is None else signed.announcement.content
            if isinstance(content, Presence) and author != self._notebook.rules.peer and self.is_admitted(author):
                yield author, content

    def network_uses(self, digest: Digest) -> int:
        """Count the uses of a slice by everybody who counts, as far as they are known; at most ``passes`` for each peer."""
        rules = self._notebook.rules
        foreign = (uses for user, uses in self._uses.get(digest, {}).items() if user != rules.peer and self.is_admitted(user))
        return sum(min(uses, rules.passes) for uses in (self.own_uses(digest), *foreign))

    def own_uses(self, digest: Digest) -> int:
        """Count the passes that this peer began, those that only others remember included."""
        own = self._notebook.memory.uses.get(digest)
        return max(own.begun if own else 0, self._uses.get(digest, {}).get(self._notebook.rules.peer, 0))

    def take_more_used(self) -> tuple[Digest, ...]:
        """Return the slices of which more uses became known since the last time, in order."""
        more_used, self._more_used = tuple(self._more_used), {}
        return more_used

    def shareable(self) -> tuple[SignedAnnouncement, ...]:
        """Return what goes into the board file: everything but presences, and nothing of quarantined authors.

        What leaves a peer that does not share is a closed list: nothing about slices, its own from before or anybody's.
        """
        return tuple(
            signed
            for signed in self._notebook.memory.board.values()
            if self._is_for_all(signed) and self.is_admitted(signed.announcement.author)
        )

    def _is_for_all(self, signed: SignedAnnouncement) -> bool:
        if self._notebook.rules.sharing:
            return not isinstance(signed.announcement.content, Presence)
        return not isinstance(signed.announcement.content, Presence | HashlistOffer | SliceUse)


def _size(signed: SignedAnnouncement | None) -> int:
    """Return what an announcement takes in a board's file, in bytes; presence is not in it."""
    if signed is None or isinstance(signed.announcement.content, Presence):
        return 0
    return len(msgspec.json.encode(signed)) + len(",")


def _is_later(signed: SignedAnnouncement, known: SignedAnnouncement) -> bool:
    """Order one author's announcements on one subject; between two of one number the bytes decide: merging has one result."""
    ours, theirs = signed.announcement.sequence, known.announcement.sequence
    return ours > theirs or (ours == theirs and msgspec.json.encode(signed) > msgspec.json.encode(known))
