"""What a machine is told once, when it is made."""

from dataclasses import dataclass

from learnae.values.choices import Averaging, Judge, Role
from learnae.values.ids import Digest, PeerId, SessionId
from learnae.values.manifest import Limits
from learnae.values.persistency import NOTHING_MORE, Persistency


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The session's terms and the peer's own settings, as far as decisions depend on them.

    Attributes:
        initial: The digest of the initial weights, as the session's seal makes it.
        sharing_allowed: The manifest allows rows to leave their peers: without it, statements about slices are unwanted.
        sharing: Manifest and operator both allow rows to leave this peer.
        seed: Of this peer's random choices, 0 to 2**64 - 1.
        train_probability: Of training, where both training and averaging are possible.
        slices_per_cycle: How many dataslices one training cycle takes.
        pass_spacing: How many passes over other dataslices lie between two over the same one, while more of them keep coming;
            where it is small, a cycle may find fewer dataslices that are due than it could take.
        pass_hold_s: How long nothing new, no reading and no dataslice, must have come before passes need not lie apart any more.
        expect_peers: How many other peers must have been seen before the peer may finish.
        quiet_period_s: How long nothing relevant must have come before the peer may finish.
        presence_interval_s: How often presence is announced, and one board fetched.
        retry_s: How long to wait after a first failure; it doubles with every further one, up to 64 times that.
        retention_s: How long what is no longer current stays available to others.
        persistency: What stays available after that, and what of others this peer offers too.
        max_fetches: How many hashlists, slices and boards are fetched at once, how many files kept, and how many released.
        allow: Peers that count; empty for all.
    """

    session: SessionId
    peer: PeerId
    role: Role
    initial: Digest
    sharing_allowed: bool
    sharing: bool
    judge: Judge
    min_gain: float
    passes: int
    overuse_threshold: int
    limits: Limits
    seed: int
    train_probability: float = 0.5
    averaging: Averaging = Averaging.PAIRWISE
    soup_size: int = 4
    slices_per_cycle: int = 1
    pass_spacing: int = 0
    pass_hold_s: float = 10.0
    expect_peers: int = 0
    quiet_period_s: float = 10.0
    presence_interval_s: float = 5.0
    retry_s: float = 2.0
    retention_s: float = 600.0
    persistency: Persistency = NOTHING_MORE
    max_fetches: int = 8
    allow: frozenset[PeerId] = frozenset()

    @property
    def takes_slices(self) -> bool:
        """Whether the peer trains on what others share: a private one does not, because its uses may not be announced."""
        return self.sharing and self.role is not Role.FEEDER
