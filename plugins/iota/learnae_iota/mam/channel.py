"""Channels: where a writer stands in its stream of messages, and where a reader finds them."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from learnae.errors import UsageError
from learnae_iota.mam.merkle import Plan, grow
from learnae_iota.trinary.kernel import TANGLE_ROUNDS, Kernel, choose_kernel, curl_hash
from learnae_iota.trinary.trytes import HASH_TRYTES, Trits, are_trytes, hash_trits, to_trits, to_trytes


class Mode(StrEnum):
    """Who can read a channel."""

    PUBLIC = "public"
    """Whoever sees a message: it lies at its root, and the root unmasks it."""
    PRIVATE = "private"
    """Whoever knows a root: the message lies at the root's hash."""
    RESTRICTED = "restricted"
    """Whoever knows a root and the side key. The address is the root's hash, without the key, as in all deployed libraries."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A writer's place in its channel; ``create`` returns the next one.

    Every place signs once. Keep the next place durably before a message leaves, and after a crash send that same message again.

    Attributes:
        seed: 81 trytes: a secret, and of this channel alone.
        mode: Who can read it.
        side_key: In a restricted channel up to 81 trytes, a secret between writer and readers; elsewhere empty.
        security: 1, 2 or 3: how many thirds of a hash are signed. 1 is weak, 3 half as large again as 2.
        start: The number of the first leaf of the tree in use.
        count: Leaves of the tree in use, a power of two: its messages share one root and one address.
        next_count: Leaves of each tree after it.
        index: The leaf of the tree that signs the next message.

    Raises:
        UsageError: One of them is not as it has to be.
    """

    seed: str = field(repr=False)
    mode: Mode = Mode.PUBLIC
    side_key: str = field(default="", repr=False)
    security: int = 2
    start: int = 0
    count: int = 1
    next_count: int = 1
    index: int = 0

    def __post_init__(self) -> None:
        side_key_trits(self.mode, self.side_key)
        _ = self.plan, self.next_plan  # which look at seed, security, start and the counts
        if not 0 <= self.index < self.count:
            message = f"leaf {self.index} of a tree of {self.count}"
            raise UsageError(message)

    @property
    def plan(self) -> Plan:
        """The tree in use."""
        return Plan(self.seed, self.start, self.count, self.security)

    @property
    def next_plan(self) -> Plan:
        """The tree after it."""
        return Plan(self.seed, self.start + self.count, self.next_count, self.security)

    def after(self) -> "Channel":
        """Return the place after one more message."""
        if self.index + 1 < self.count:
            return replace(self, index=self.index + 1)
        return replace(self, start=self.start + self.count, count=self.next_count, index=0)


def channel_root(channel: Channel, kernel: Kernel | None = None) -> str:
    """Return the root of a channel's tree in use, 81 trytes: what a reader needs to read from here on."""
    return to_trytes(grow(channel.plan, kernel or choose_kernel()).root)


def address_of(root: str, mode: Mode, kernel: Kernel | None = None) -> str:
    """Return the address, 81 trytes, at which the messages of a root lie.

    Raises:
        UsageError: The root is not 81 trytes, or there is no such mode.
    """
    trits = hash_trits(root, "a root")
    return root if _known(mode) is Mode.PUBLIC else to_trytes(curl_hash(kernel or choose_kernel(), trits, rounds=TANGLE_ROUNDS))


def side_key_trits(mode: Mode, side_key: str) -> Trits:
    """Return the key that masks messages; all zero but in a restricted channel.

    Returns:
        ``int8``, ``[243]``.

    Raises:
        UsageError: A restricted channel has no side key, another has one, it is not up to 81 trytes, or there is no such mode.
    """
    if (_known(mode) is Mode.RESTRICTED) != bool(side_key):
        message = f"a {mode} channel {'needs a' if not side_key else 'has no'} side key"
        raise UsageError(message)
    if len(side_key) > HASH_TRYTES or not are_trytes(side_key):
        message = f"a side key is up to {HASH_TRYTES} trytes, the digit 9 and A to Z; this has {len(side_key)} characters"
        raise UsageError(message)
    return to_trits(side_key.ljust(HASH_TRYTES, "9"))


def _known(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError as exc:
        message = f"no mode named {mode!r}; there are: {', '.join(Mode)}"
        raise UsageError(message) from exc
