"""What peers tell each other: small, signed, idempotent, latest-wins for each author and subject.

The canonical encoding of each value is the JSON that msgspec writes for it, fields in declared order; the codec refuses
anything else, so that no two byte strings mean the same announcement.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from learnae.values.choices import Role
from learnae.values.ids import (
    MOST_COUNT,
    Count,
    Signature,
    WireDigest,
    WireLocator,
    WireLocators,
    WirePeerId,
    WireSessionId,
)
from learnae.values.scores import Score

PROTOCOL = 1
"""The version of everything that travels between peers."""


class ModelRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an author says of a model.

    Attributes:
        digest: The digest of its canonical bytes.
        score: The author's claim, on the author's own validation rows: it orders candidates and decides nothing.
        maturity: Work cycles behind it (paper, section 4.3): training adds one; an average is its larger parent's plus
            one; an adopted model keeps its own.
    """

    digest: WireDigest
    score: Score
    maturity: Count


def matured(maturity: int) -> int:
    """Return the maturity of what a work cycle makes of a model: one more, as far as the wire carries it.

    A liar may report the highest there is; what an honest peer makes of its model must still be readable to others.
    """
    return min(maturity + 1, MOST_COUNT)


class ModelOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="model"):
    """The author's current model; replaces the one offered before."""

    record: ModelRecord
    locators: WireLocators


class HashlistOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hashlist"):
    """The author's current hashlist; replaces the one offered before."""

    digest: WireDigest
    locators: WireLocators
    slices: Count


class SliceUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="use"):
    """How often the author has begun a pass over a dataslice, ever: cumulative, so that boards merge by maximum."""

    slice: WireDigest
    uses: Annotated[int, Meta(ge=1, le=2**31)]


class Presence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="presence"):
    """The author is here, and this is its board.

    Attributes:
        role: What it does.
        leaving: It has stopped cleanly; a crashed peer simply falls silent.
        board: The digest of its board's canonical bytes, if it has stored one.
        locators: Where that board can be fetched.
    """

    role: Role
    leaving: bool
    board: WireDigest | None
    locators: Annotated[tuple[WireLocator, ...], Meta(max_length=4)]


class Retirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="retired"):
    """The author no longer offers what it offered under this subject; the higher sequence number keeps it retired."""

    subject: Annotated[str, Meta(pattern=r"^(model|hashlist)\Z")]


Content = ModelOffer | HashlistOffer | SliceUse | Presence | Retirement


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement by one author; these are the bytes that are signed.

    Attributes:
        sequence: Grows with everything the author ever signs in the session. It, and no clock, says what is newer.
    """

    protocol: Annotated[int, Meta(ge=1, le=2**15)]
    session: WireSessionId
    author: WirePeerId
    sequence: Count
    content: Content

    @property
    def subject(self) -> str:
        """Name what the announcement is about: one author's later word on a subject replaces the earlier one."""
        match self.content:
            case ModelOffer():
                return "model"
            case HashlistOffer():
                return "hashlist"
            case SliceUse(slice=digest):
                return f"use/{digest}"
            case Presence():
                return "presence"
            case Retirement(subject=subject):
                return subject


class SignedAnnouncement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An announcement with its author's Ed25519 signature (RFC 8032) over its canonical bytes."""

    announcement: Announcement
    signature: Signature


class HashlistEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One dataslice of a hashlist; nobody trains on a slice that is for evaluation."""

    digest: WireDigest
    rows: Annotated[int, Meta(ge=1, le=2**31)]
    evaluation: bool
    locators: WireLocators


class Hashlist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dataslices that a peer shares, evaluation slices among them."""

    protocol: Annotated[int, Meta(ge=1, le=2**15)]
    session: WireSessionId
    entries: tuple[HashlistEntry, ...]
