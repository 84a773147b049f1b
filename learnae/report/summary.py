"""What came of a run, in numbers: frozen, and plain JSON for ``msgspec.json.encode``."""

import msgspec

from learnae.values.choices import Phase, Role
from learnae.values.ids import Digest, PeerId, SessionId


class Standing(msgspec.Struct, frozen=True):
    """A score on a peer's own validation rows.

    Attributes:
        accuracy: Percent; for regression 100 R².
        loss: Mean loss, in nats or half squared errors.
        rows: How many rows it was measured on.
    """

    accuracy: float
    loss: float
    rows: int


class Attempts(msgspec.Struct, frozen=True):
    """How many cycles of a kind were carried out, and how many made a model that was kept."""

    attempts: int
    successes: int


class Cycles(msgspec.Struct, frozen=True):
    """Work cycles by kind."""

    train: int
    average: int
    explore: int
    adopt: int

    @property
    def total(self) -> int:
        """Count all cycles."""
        return self.train + self.average + self.explore + self.adopt


class Resilience(msgspec.Struct, frozen=True):
    """From how many peers models could be had, each one's own included (paper, section 5).

    Attributes:
        counts: How often holders were counted.
        mean: Their mean number.
        lowest: The smallest.
        highest: The largest.
        last: The last; of several peers the mean of their last ones.
    """

    counts: int
    mean: float
    lowest: int
    highest: int
    last: float


class LedgerTraffic(msgspec.Struct, frozen=True):
    """What ledgers carried by their own count, protocol and all.

    Attributes:
        measurements: How often they were asked.
        sent_bytes: Bytes that left.
        received_bytes: Bytes that came.
        served_blocks: Pieces of files that others fetched.
        neighbours: Participants connected, on average.
    """

    measurements: int
    sent_bytes: int
    received_bytes: int
    served_blocks: int
    neighbours: float


class PeerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one peer.

    Attributes:
        peer: Its id.
        name: What the report calls it.
        session: The session, if a start is recorded; likewise role, framework, transport and storage.
        phase: The last phase recorded.
        stopped: Why it stopped in an orderly way, if it did and did not start again.
        start: The first score recorded.
        best: The highest accuracy that a current model had; among equals the lowest loss.
        current: The last score.
        maturity: The current model's.
        averaging: Averaging cycles; likewise exploring and adopting.
        partners: Remote models tried in cycles of all kinds.
        published: How often a model was stored and announced.
        announcements: How many were handed to the transport.
        announcement_bytes: Bytes of those.
        files: How many files were handed to the storage.
        file_bytes: Bytes of those.
        sent_bytes: ``announcement_bytes`` and ``file_bytes`` together.
        received_files: Files of others that arrived.
        received_bytes: Bytes of those; journals do not record the bytes of announcements that arrive.
        unfetched: Attempts to fetch a file that failed.
        kept_files: Files of others that it offered too, as its persistency policy says.
        let_go_files: Files, own and foreign, that it stopped offering.
        resilience: From how many peers its models could be had; ``None`` if its storage cannot tell.
        ledger: What its ledgers carried, all its runs together; ``None`` if none can tell.
        slices: Different dataslices trained on.
        uses: Passes begun over them.
        skipped_passes: Queued passes dropped at the threshold.
        overshoot: Passes that it began when, as all journals together show, the slice was at its threshold already;
            ``None`` without a threshold.
        seconds: How long its program ran, all runs together.
        cycle_seconds: The part of that spent in work cycles.
        restarts: How often its program began again.
        refused: Contents of others that it refused.
        quarantined: Authors that it ignores since.
        ignored: Messages that were no announcements of the session.
        peers_seen: Different authors that it heard of.
        readings: Readings of sensors that passed the schema check.
        bad_readings: Readings that did not.
        notices: Sentences for the operator.
        lines: Lines of its journals.
        damaged_lines: Lines that could not be read.
    """

    peer: PeerId
    name: str
    session: SessionId | None
    role: Role | None
    framework: str | None
    transport: str | None
    storage: str | None
    phase: Phase | None
    stopped: str | None
    start: Standing | None
    best: Standing | None
    current: Standing | None
    maturity: int | None
    cycles: Cycles
    averaging: Attempts
    exploring: Attempts
    adopting: Attempts
    partners: int
    published: int
    announcements: int
    announcement_bytes: int
    files: int
    file_bytes: int
    sent_bytes: int
    received_files: int
    received_bytes: int
    unfetched: int
    kept_files: int
    let_go_files: int
    resilience: Resilience | None
    ledger: LedgerTraffic | None
    slices: int
    uses: int
    skipped_passes: int
    overshoot: int | None
    seconds: float
    cycle_seconds: float
    restarts: int
    refused: int
    quarantined: int
    ignored: int
    peers_seen: int
    readings: int
    bad_readings: int
    notices: int
    lines: int
    damaged_lines: int


class Spread(msgspec.Struct, frozen=True):
    """Accuracies of the peers that have one, in percent; ``spread`` is ``highest`` minus ``lowest``, in percentage points."""

    peers: int
    mean: float
    lowest: float
    highest: float
    spread: float


class SliceSummary(msgspec.Struct, frozen=True):
    """How often a dataslice was used in the whole network.

    Attributes:
        slice: The dataslice.
        uses: Passes begun by all peers reported, or, if that is more, as many as one of them knew of.
        users: How many of the peers reported used it.
        overshoot: By how many the uses exceed the threshold; ``None`` without a threshold.
    """

    slice: Digest
    uses: int
    users: int
    overshoot: int | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run.

    Attributes:
        peers: In the natural order of their names.
        sessions: The sessions recorded; means over more than one compare unlike things.
        start: Accuracy of the first scores; ``None`` if no peer has one.
        best: Accuracy of each peer's best score.
        current: Accuracy of the last scores.
        cycles: Work cycles of all peers.
        slices: Every dataslice used, most used first.
        uses: Passes in the whole network.
        threshold: The overuse threshold, if it was given.
        overshoot: Uses beyond the threshold, all slices together; ``None`` without one.
        sent_bytes: Announcements and files, all peers together.
        received_bytes: Files, all peers together.
        resilience: The mean is that of the peers' means; ``None`` if no storage could tell.
        ledger: What all peers' ledgers carried; ``None`` if none could tell.
        seconds: From the first line of all journals to the last.
        damaged_lines: Lines that could not be read.
    """

    peers: tuple[PeerSummary, ...]
    sessions: tuple[SessionId, ...]
    start: Spread | None
    best: Spread | None
    current: Spread | None
    cycles: Cycles
    slices: tuple[SliceSummary, ...]
    uses: int
    threshold: int | None
    overshoot: int | None
    sent_bytes: int
    received_bytes: int
    resilience: Resilience | None
    ledger: LedgerTraffic | None
    seconds: float
    damaged_lines: int
