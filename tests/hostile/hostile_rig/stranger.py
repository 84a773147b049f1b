"""Somebody with a key of their own and bad intentions."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hostile_rig.arena import identity_seed
from learnae.codec import canonical
from learnae.codec.identity import DOMAIN, Identity
from learnae.codec.messages import encode_message
from learnae.values.announcements import (
    PROTOCOL,
    Announcement,
    Content,
    Hashlist,
    HashlistEntry,
    HashlistOffer,
    ModelOffer,
    ModelRecord,
    Presence,
    SignedAnnouncement,
)
from learnae.values.choices import Role
from learnae.values.ids import Digest, Locator, PeerId
from learnae.values.scores import Score

if TYPE_CHECKING:
    from hostile_rig.arena import Arena

_NUMBERS = itertools.count(1_000)
PERFECT = Score(1.0, 0.0, 1_000_000)


class Stranger:
    """Signs with a key that nobody invited, and writes what it likes."""

    def __init__(self, arena: Arena) -> None:
        seed = identity_seed(next(_NUMBERS))
        self.arena = arena
        self.identity = Identity.from_seed(seed)
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.peer: PeerId = self.identity.peer
        self.owner = arena.seal.owner(self.peer)
        self._sequence = 0

    def signed(self, content: Content, sequence: int | None = None) -> SignedAnnouncement:
        """Sign a statement of one's own."""
        self._sequence = self._sequence + 1 if sequence is None else sequence
        return self.identity.sign(Announcement(PROTOCOL, self.arena.session, self.peer, self._sequence, content))

    def say(self, content: Content, sequence: int | None = None) -> Stranger:
        """Sign a statement and publish it."""
        return self.publish(self.signed(content, sequence))

    def publish(self, signed: SignedAnnouncement) -> Stranger:
        """Publish what somebody signed."""
        return self.post(encode_message(signed, self.arena.seal), signed.announcement.subject)

    def post(self, message: bytes, subject: str = "model") -> Stranger:
        """Publish bytes, well framed."""
        self.arena.post(self.owner, self.arena.seal.slot(self.peer, subject), message)
        return self

    def post_json(self, announcement: bytes, subject: str = "model") -> Stranger:
        """Publish an announcement spelt out by hand, with a good signature over just these bytes."""
        signature = self.key.sign(DOMAIN + announcement).hex().encode()
        message = b'{"announcement":' + announcement + b',"signature":"' + signature + b'"}'
        return self.post(self.arena.seal.seal(message, "announcement"), subject)

    def spelt(self, **changes: bytes) -> bytes:
        """Spell out an announcement of presence, with some values replaced."""
        values = {
            "protocol": b"1",
            "session": b'"' + self.arena.session.encode() + b'"',
            "author": b'"' + self.peer.encode() + b'"',
            "sequence": b"1",
            "content": b'{"type":"presence","role":"full","leaving":false,"board":null,"locators":[]}',
            **changes,
        }
        return b"{" + b",".join(b'"' + key.encode() + b'":' + value for key, value in values.items()) + b"}"

    def spelt_model(self, score: bytes, locators: bytes = b'["localfs:x"]') -> bytes:
        """Spell out an offer of a model."""
        record = b'{"digest":"' + b"0" * 64 + b'","score":' + score + b',"maturity":1}'
        return self.spelt(content=b'{"type":"model","record":' + record + b',"locators":' + locators + b"}")

    def keep(self, plain: bytes, kind: str) -> tuple[Digest, tuple[Locator, ...]]:
        """Store a file as a peer does; return its digest and where it is."""
        sealed = self.arena.seal.seal(plain, kind)
        name = hashlib.sha256(sealed).hexdigest()
        self.arena.write(self.arena.files / self.owner / name, sealed)
        return self.arena.seal.digest(plain), (Locator(f"localfs:{self.owner}/{name}"),)

    def offer_model(
        self,
        data: bytes,
        *,
        score: Score = PERFECT,
        digest: Digest | None = None,
        locators: Sequence[Locator] | None = None,
    ) -> Stranger:
        """Offer a model, with a score that nobody can resist."""
        real, places = self.keep(data, "model")
        record = ModelRecord(digest or real, score, 7)
        return self.say(ModelOffer(record, tuple(locators) if locators is not None else places))

    def offer_hashlist(self, data: bytes) -> Stranger:
        """Offer a hashlist."""
        digest, locators = self.keep(data, "hashlist")
        return self.say(HashlistOffer(digest, locators, 1))

    def offer_slices(self, *slices: bytes) -> Stranger:
        """Offer dataslices by a well-made hashlist."""
        entries = []
        for data in slices:
            digest, locators = self.keep(data, "slice")
            entries.append(HashlistEntry(digest, 10, False, locators))
        entries.sort(key=lambda entry: entry.digest)
        return self.offer_hashlist(canonical.encode(Hashlist(PROTOCOL, self.arena.session, tuple(entries))))

    def show_board(self, data: bytes, *, locators: Sequence[Locator] | None = None) -> Stranger:
        """Announce presence with a board."""
        digest, places = self.keep(data, "board")
        return self.say(Presence(Role.FULL, False, digest, tuple(locators) if locators is not None else places))

    def board(self, *entries: SignedAnnouncement) -> bytes:
        """Write a board with just these entries, in this order."""
        return canonical.encode(entries)


def renamed(signed: SignedAnnouncement, author: PeerId) -> SignedAnnouncement:
    """Put somebody else's name on a statement; the signature stays what it was."""
    return msgspec.structs.replace(signed, announcement=msgspec.structs.replace(signed.announcement, author=author))
