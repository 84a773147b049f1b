"""What a transport or a storage may be able to do beside its interface; each ability is asked for by ``isinstance``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from learnae.values.ids import Locator


@runtime_checkable
class Keeper(Protocol):
    """A storage that can go on offering files which others put: the more do, the longer a file can be had."""

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        """Fetch a file, and offer it from here until it is released; idempotent.

        ``Storage.release`` ends it, as for a file of one's own. The caller bounds the time by cancelling.

        Raises:
            NotFoundError: Nobody offers it now, or the locator is not one of this storage's.
            TooLargeError: It is larger than ``max_bytes``; nothing is kept.
            UnavailableError: The storage does not answer, or is full.
        """


@runtime_checkable
class Inventory(Protocol):
    """A storage that knows what it offers for this peer in this session."""

    async def offered(self) -> Sequence[Locator]:
        """List what this peer put or kept and did not release, in whatever run; sorted, without duplicates.

        Raises:
            UnavailableError: The storage does not answer.
        """


@runtime_checkable
class HolderCounter(Protocol):
    """A storage that can tell a file's resilience (paper, section 5)."""

    async def count_holders(self, locator: Locator, *, at_most: int) -> int:
        """Count the participants, this one included, from whom a file can be fetched right now.

        Whoever does not answer does not count. At most ``at_most`` are asked, and counted.

        Raises:
            UnavailableError: The storage does not answer.
        """


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a ledger's own program carried for this peer since it was opened; every number but ``neighbours`` only grows.

    Where others use the same program, their traffic is among it.

    Attributes:
        sent_bytes: Bytes that left for other machines or peers, protocol and all.
        received_bytes: Bytes that came.
        served_blocks: Pieces of files that others fetched from here.
        neighbours: Participants connected right now.
    """

    sent_bytes: int
    received_bytes: int
    served_blocks: int
    neighbours: int


@runtime_checkable
class TrafficMeter(Protocol):
    """A ledger that counts what it carries; where its transport and its storage of one name both can tell, one is asked."""

    async def traffic(self) -> Traffic:
        """Return the counters.

        Raises:
            UnavailableError: They cannot be read now.
        """
