"""Everything that happens to a peer, one line each in ``events.jsonl``: the same schema from both drivers.

A line is ``{"time": …, "peer": …, "fact": {"type": …, …}}``. Figures, tables, dashboards and tests read nothing else.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from learnae.values.choices import Averaging, Cycle, Judge, Phase, Role
from learnae.values.ids import Digest, PeerId, SensorId, SessionId
from learnae.values.scores import Score

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""Bounded, because a report also reads other people's journals: a line with a wilder one is a damaged line."""

Seconds = Annotated[float, Meta(ge=0.0, le=1e11)]


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
    cycle: Number
    queued: Number = 0


class PhaseChanged(Fact, frozen=True, tag="phase"):
    """The machine went from one phase to another."""

    before: Phase
    after: Phase
    cycle: Number


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
    cycle: Number
    before: Score | None
    tried: Score | None
    kept: bool
    current: Digest
    maturity: Number
    partners: tuple[PeerId, ...] = ()
    slice: Digest | None = None
    seconds: Seconds = 0.0


class ModelPublished(Fact, frozen=True, tag="published"):
    """The current model was stored and announced."""

    model: Digest
    maturity: Number
    bytes: Number


class AnnouncementSent(Fact, frozen=True, tag="sent"):
    """An announcement was handed to the transport."""

    subject: str
    sequence: Number
    bytes: Number


class FileStored(Fact, frozen=True, tag="stored"):
    """A file was handed to the storage."""

    kind: str
    digest: Digest
    bytes: Number


class FileFetched(Fact, frozen=True, tag="fetched"):
    """A file of another peer's arrived."""

    kind: str
    digest: Digest
    author: PeerId
    bytes: Number


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
    charges: Number


class MessageIgnored(Fact, frozen=True, tag="ignored"):
    """Bytes that are no announcement of this session: forged, damaged, too large, of another session or version."""

    reason: str
    bytes: Number


class PeerSeen(Fact, frozen=True, tag="seen"):
    """An author was heard of for the first time."""

    author: PeerId
    peers: Number


class PeerQuarantined(Fact, frozen=True, tag="quarantined"):
    """An author was charged so often that it is ignored from now on."""

    author: PeerId


class SlicesQueued(Fact, frozen=True, tag="queued"):
    """Passes over dataslices were added to the queue."""

    slices: Number
    passes: Number
    rows: Number
    evaluation: Number
    author: PeerId


class SliceUsed(Fact, frozen=True, tag="use"):
    """A pass over a dataslice begins; uses are those of the whole network, as far as this peer knows, this one included."""

    slice: Digest
    own: Number
    network: Number


class SliceSkipped(Fact, frozen=True, tag="overused"):
    """A queued pass was dropped, because the slice is known to be at its threshold."""

    slice: Digest
    network: Number


class FileKept(Fact, frozen=True, tag="kept"):
    """A file of another peer's is offered from here too, as the persistency policy says."""

    kind: str
    digest: Digest
    author: PeerId


class FileLetGo(Fact, frozen=True, tag="let_go"):
    """A file, own or foreign, is not offered from here any more."""

    kind: str
    digest: Digest


class HoldersCounted(Fact, frozen=True, tag="holders"):
    """From how many participants an own model can be fetched right now (paper, section 5: resilience).

    Attributes:
        kind: ``model``.
        digest: Its digest: the latest model that others could know for a while.
        holders: Those that answer, this one included.
    """

    kind: str
    digest: Digest
    holders: Number


class TrafficMeasured(Fact, frozen=True, tag="traffic"):
    """What a ledger's own program carried since this run of the peer began, others' use of the same program included.

    Every number but ``neighbours`` only grows, and begins again at 0 with the next ``PeerStarted``.

    Attributes:
        ledger: The name of the provider.
        sent_bytes: Bytes that left, protocol and all.
        received_bytes: Bytes that came.
        served_blocks: Pieces of files that others fetched from here.
        neighbours: Participants connected right now.
    """

    ledger: str
    sent_bytes: Number
    received_bytes: Number
    served_blocks: Number
    neighbours: Number


class ReadingsReceived(Fact, frozen=True, tag="readings"):
    """Readings of a sensor passed the schema check, or did not."""

    sensor: SensorId
    accepted: Number
    rejected: Number


class Notice(Fact, frozen=True, tag="notice"):
    """A sentence for the operator: why something is not done, what was lost, what to type."""

    text: str


class PeerStopped(Fact, frozen=True, tag="stopped"):
    """The peer's program ended in an orderly way."""

    reason: str
    cycle: Number
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
    | FileKept
    | FileLetGo
    | HoldersCounted
    | TrafficMeasured
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
