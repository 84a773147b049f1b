"""Announcements from peer to peer."""

from typing import Protocol


class Transport(Protocol):
    """Carries small messages between the peers of one session, as well as it can.

    Promises to the caller: none about delivery. A message may be lost, duplicated, delayed, reordered, damaged, or forged
    by a stranger; receivers verify everything. A transport may deliver the caller's own messages back.
    Promises of the caller: messages are idempotent, latest-wins within a slot, and repeated.
    All methods belong to the event loop in which the first of them was called. Opening does no I/O; the first call may.
    """

    max_message_bytes: int
    """The largest message that ``publish`` takes."""

    async def publish(self, slot: str, message: bytes) -> None:
        """Send a message to whoever listens now and, where the ledger keeps messages, to whoever comes later.

        Args:
            slot: 64 hexadecimal digits, chosen by the author for one subject. A ledger that keeps messages need keep only the
                latest of each slot by this author; another author's message never replaces it.
            message: The bytes. Publishing the same bytes again is harmless.

        Returns when the ledger has taken the message: durably, where it keeps messages. Cancellation may leave it sent or
        unsent, never sent in part.

        Raises:
            UsageError: The message is larger than ``max_message_bytes``, or the slot is not 64 hexadecimal digits.
            UnavailableError: The ledger does not take it now; try again later.
        """

    async def receive(self) -> bytes:
        """Wait for the next message and return it.

        What the ledger still holds from before this object was opened comes too, each at least once, in any order. No
        returned message is larger than ``max_message_bytes``: larger ones are dropped unread. Damaged or half-written ones
        are dropped or come when they are whole. Cancellation loses no message. One caller at a time.

        Raises:
            UnavailableError: The ledger cannot be read now; calling again goes on.
        """

    async def aclose(self) -> None:
        """End it; idempotent. What was published stays published. A pending ``receive`` is cancelled by its caller first."""
