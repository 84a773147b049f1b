"""Files from peer to peer."""

from typing import Protocol

from learnae.values.ids import Locator


class Storage(Protocol):
    """Keeps immutable files where the peers of one session can fetch them.

    Several calls may be under way at once, in the event loop in which the first was made. Opening does no I/O.
    """

    scheme: str
    """The part of its locators before the colon: a lower-case letter, then up to 15 lower-case letters or digits."""

    max_file_bytes: int
    """The largest file that ``put`` takes."""

    async def put(self, data: bytes) -> Locator:
        """Offer a file; return where it is. Storing the same bytes twice is harmless and gives a locator that works.

        Returns when the file is durable and others can fetch it. Cancelled or killed half-way, it leaves nothing that a reader
        could take for a whole file.

        Raises:
            UsageError: More than ``max_file_bytes``.
            UnavailableError: It cannot be stored now: disk full, daemon gone; try again later.
        """

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Fetch a file that anybody put. What returns is exactly what was put under this locator.

        Any string is safe to ask for. The caller bounds the time by cancelling.

        Raises:
            NotFoundError: Nobody offers it now, or the locator is not one of this storage's; later it may be there.
            DamagedError: What is there is not what was put; a later call may find a good copy.
            TooLargeError: It is larger than ``max_bytes``; not more than that was read.
            UnavailableError: The storage does not answer.
        """

    async def release(self, locator: Locator) -> None:
        """Stop offering a file of one's own; idempotent, and nothing happens for an unknown or foreign one.

        Others that put the same bytes go on offering them under a locator that works.

        Raises:
            UnavailableError: The storage does not answer; try again later.
        """

    async def aclose(self) -> None:
        """End it; idempotent. What was put stays, as long as the ledger keeps it."""
