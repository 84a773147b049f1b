"""Everything that happens to a peer, one line each in ``events.jsonl``: the same schema from both drivers.

A line is ``{"time": …, "peer": …, "fact": {"type": …, …}}``. Figures, tables, dashboards and tests read nothing else.
"""

import msgspec

from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.scores import Score


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened."""


class PeerStarted(Fact, frozen=True, tag="started"):
    """The peer's program began, or began again; ``queued`` passes over dataslices were waiting from before."""

    session: SessionId
    role: Role
    framework: str
    transport: str
    storage: str
    sharing: bool
    averaging: Averaging
    judge: Judge
    resumed: bool
    cycle: int
    queued: int = 0


class PhaseChanged(Fact, frozen=True, tag="phase"):
    """The machine went from one phase to another."""

    before: Phase
    after: Phase
    cycle: int


class ModelScored(Fact, frozen=True, tag="scored"):
    """The own model got its score on the own validation rows, which are new or changed."""

    model: Digest
    score: Score


class CycleEnded(Fact, frozen=True, tag="cycle"):
    """A work cycle ended.

    Attributes:
        before: The current model's score when it began.
        tried: The score of what it made.
        kept: Whether that became the current model.
        current: The current model afterwards.
        partners: Authors of the remote models tried, in order.
        seconds: How long it took, by the driver's clock.
    """

    kind: Cycle
    cycle: int
    before: Score | None
    tried: Score | None
    kept: bool
    current: Digest
    maturity: int
    partners: tuple[PeerId, ...] = ()
    slice: Digest | None = None
    seconds: float = 0.0


class ModelPublished(Fact, frozen=True, tag="published"):
    """The current model was stored and announced."""

    model: Digest
    maturity: int
    bytes: int


class AnnouncementSent(Fact, frozen=True, tag="sent"):
    """An announcement was handed to the transport."""

    subject: str
    sequence: int
    bytes: int


class FileStored(Fact, frozen=True, tag="stored"):
    """A file was handed to the storage."""

    kind: str
    digest: Digest
    bytes: int


class FileFetched(Fact, frozen=True, tag="fetched"):
    """A file of another peer's arrived."""

    kind: str
    digest: Digest
    author: PeerId
    bytes: int


class FetchFailed(Fact, frozen=True, tag="unfetched"):
    """A file of another peer's could not be had: nobody is charged, it will be tried again."""

    kind: str
    digest: Digest
    author: PeerId
    reason: str


class ContentRefused(Fact, frozen=True, tag="refused"):
    """Content that verifies against a signed digest and is still wrong; its signer is charged."""

    kind: str
    digest: Digest
    author: PeerId
    reason: str
    charges: int


class MessageIgnored(Fact, frozen=True, tag="ignored"):
    """Bytes that are no announcement of this session: forged, damaged, too large, of another session or version."""

    reason: str
    bytes: int


class PeerSeen(Fact, frozen=True, tag="seen"):
    """An author was heard of for the first time."""

    author: PeerId
    peers: int


class PeerQuarantined(Fact, frozen=True, tag="quarantined"):
    """An author was charged so often that it is ignored from now on."""

    author: PeerId


class SlicesQueued(Fact, frozen=True, tag="queued"):
    """Passes over dataslices were added to the queue."""

    slices: int
    passes: int
    rows: int
    evaluation: int
    author: PeerId


class SliceUsed(Fact, frozen=True, tag="use"):
    """A pass over a dataslice begins; uses are those of the whole network, as far as this peer knows, this one included."""

    slice: Digest
    own: int
    network: int


class SliceSkipped(Fact, frozen=True, tag="overused"):
    """A queued pass was dropped, because the slice is known to be at its threshold."""

    slice: Digest
    network: int


class ReadingsReceived(Fact, frozen=True, tag="readings"):
    """Readings of a sensor passed the schema check, or did not."""

    sensor: SensorId
    accepted: int
    rejected: int


class Notice(Fact, frozen=True, tag="notice"):
    """A sentence for the operator: why something is not done, what was lost, what to type."""

    text: str


class PeerStopped(Fact, frozen=True, tag="stopped"):
    """The peer's program ended in an orderly way."""

    reason: str
    cycle: int
    score: Score | None


AnyFact = (
    PeerStarted
    | PhaseChanged
    | ModelScored
    | CycleEnded
    | ModelPublished
    | AnnouncementSent
    | FileStored
    | FileFetched
    | FetchFailed
    | ContentRefused
    | MessageIgnored
    | PeerSeen
    | PeerQuarantined
    | SlicesQueued
    | SliceUsed
    | SliceSkipped
    | ReadingsReceived
    | Notice
    | PeerStopped
)


class JournalLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of ``events.jsonl``.

    Attributes:
        time: Seconds: since 1970 in a real run, since the start in a simulated one.
    """

    time: float
    peer: PeerId
    fact: AnyFact
