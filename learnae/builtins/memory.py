"""The ledger ``memory``: messages and files within one process, for tests and for the simulator.

Whoever holds the same ``MemoryLedger`` meets there. The hooks below keep no state in this module: each call binds its providers
to new ledgers, one for each rendezvous. So peers opened through one plugin manager meet, and two managers never share a ledger.
A message or a file never leaves the process; peers in separate processes need a ledger such as ``localfs``.
"""

import asyncio
import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

from learnae import hookimpl
from learnae.errors import NotFoundError, TooLargeError, UsageError
from learnae.interfaces.provider import Provider
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.values.ids import Locator

MAX_MESSAGE_BYTES = 1_048_576
MAX_FILE_BYTES = 2**30
_SLOT = re.compile(r"[0-9a-f]{64}\Z")
_SUMMARY = "Within this process only: for tests and simulations."


class Inbox:
    """What is to be received by one reader, oldest first."""

    def __init__(self, reader: str, messages: Iterator[bytes]) -> None:
        self.reader = reader
        self._messages = deque(messages)
        self._arrived = asyncio.Event()

    def push(self, message: bytes) -> None:
        """Add a message and wake the reader."""
        self._messages.append(message)
        self._arrived.set()

    def pop(self) -> bytes | None:
        """Take the oldest message; ``None`` if there is none."""
        return self._messages.popleft() if self._messages else None

    async def wait(self) -> None:
        """Wait for the next ``push``, unless something is there."""
        self._arrived.clear()
        if not self._messages:
            await self._arrived.wait()


class MemoryLedger:
    """Keeps the latest message of each author and slot, and files by their content. Synchronous, for one thread.

    A simulation sets ``on_post``: then ``post`` only keeps the message and calls it, and the simulation calls ``deliver`` when,
    and for whom, it pleases. Without it, a message is at once in every inbox but the one it was posted from.

    Attributes:
        on_post: Called with sender, slot and message after every post.
    """

    def __init__(self, on_post: Callable[[str, str, bytes], None] | None = None) -> None:
        self.on_post = on_post
        self._kept: dict[tuple[str, str], bytes] = {}
        self._inboxes: list[Inbox] = []
        self._files: dict[str, bytes] = {}
        self._holders: defaultdict[str, set[str]] = defaultdict(set)
        self._held: defaultdict[str, set[str]] = defaultdict(set)

    def post(self, sender: str, slot: str, message: bytes, *, origin: Inbox | None = None) -> None:
        """Keep a message as the sender's latest in this slot, and hand it out.

        Args:
            sender: Whoever says so: the author's name on the ledger.
            slot: 64 hexadecimal digits.
            message: At most 1,048,576 bytes.
            origin: The sender's own inbox, which does not get it back.

        Raises:
            UsageError: The message is too large, or the slot is not 64 hexadecimal digits.
        """
        if len(message) > MAX_MESSAGE_BYTES:
            text = f"a message of {len(message)} bytes; the ledger takes at most {MAX_MESSAGE_BYTES}"
            raise UsageError(text)
        if not _SLOT.match(slot):
            text = f"the slot {slot!r} is not 64 hexadecimal digits"
            raise UsageError(text)
        self._kept[sender, slot] = bytes(message)
        if self.on_post is not None:
            self.on_post(sender, slot, message)
            return
        for inbox in self._inboxes:
            if inbox is not origin:
                inbox.push(message)

    def kept(self) -> Iterator[tuple[str, str, bytes]]:
        """Go over what is kept: sender, slot and message."""
        for (sender, slot), message in self._kept.items():
            yield sender, slot, message

    def attach(self, reader: str) -> Inbox:
        """Open an inbox, in which everything kept so far lies already."""
        inbox = Inbox(reader, (message for _, _, message in self.kept()))
        self._inboxes.append(inbox)
        return inbox

    def detach(self, inbox: Inbox) -> None:
        """Close an inbox; nothing happens if it is closed already."""
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)

    def deliver(self, reader: str, message: bytes) -> None:
        """Put a message into every inbox of this reader, whoever sent it."""
        for inbox in self._inboxes:
            if inbox.reader == reader:
                inbox.push(message)

    def store(self, holder: str, data: bytes) -> Locator:
        """Keep a file for a holder; return its locator, which is the same for everybody who stores the same bytes.

        Raises:
            UsageError: More than 1 GiB.
        """
        if len(data) > MAX_FILE_BYTES:
            text = f"a file of {len(data)} bytes; the ledger takes at most {MAX_FILE_BYTES}"
            raise UsageError(text)
        name = hashlib.sha256(data).hexdigest()
        self._files[name] = bytes(data)
        self._hold(holder, name)
        return _locator(name)

    def _hold(self, holder: str, name: str) -> None:
        self._holders[name].add(holder)
        self._held[holder].add(name)

    def keep(self, holder: str, locator: Locator, max_bytes: int) -> None:
        """Hold a file that somebody else holds; it stays until everybody dropped it.

        Raises:
            NotFoundError: Nobody does.
            TooLargeError: It is larger than ``max_bytes``.
        """
        self.load(locator, max_bytes)
        self._hold(holder, locator.removeprefix("memory:"))

    def held(self, holder: str) -> list[Locator]:
        """List what a holder holds, sorted."""
        return sorted(_locator(name) for name in self._held[holder])

    def load(self, locator: Locator, max_bytes: int) -> bytes:
        """Return a file that somebody still holds.

        Raises:
            NotFoundError: Nobody does.
            TooLargeError: It is larger than ``max_bytes``.
        """
        data = self._files.get(locator.removeprefix("memory:")) if locator.startswith("memory:") else None
        if data is None:
            text = f"nobody holds {locator!r}"
            raise NotFoundError(text)
        if len(data) > max_bytes:
            text = f"{locator} has {len(data)} bytes, more than the {max_bytes} allowed"
            raise TooLargeError(text)
        return data

    def drop(self, holder: str, locator: Locator) -> None:
        """Stop holding a file; it is gone when nobody holds it any more."""
        name = locator.removeprefix("memory:")
        if name not in self._files:
            return
        self._holders[name].discard(holder)
        self._held[holder].discard(name)
        if not self._holders[name]:
            del self._files[name], self._holders[name]

    def transport(self, owner: str) -> "MemoryTransport":
        """Open a transport of this owner."""
        return MemoryTransport(self, owner)

    def storage(self, owner: str) -> "MemoryStorage":
        """Open a storage of this owner."""
        return MemoryStorage(self, owner)

    def providers(self) -> tuple[Provider[Transport], Provider[Storage]]:
        """Make providers that open this very ledger, whatever the session."""
        return (
            Provider("memory", _SUMMARY, lambda context: self.transport(context.owner)),
            Provider("memory", _SUMMARY, lambda context: self.storage(context.owner)),
        )


class MemoryTransport:
    """A ``Transport`` over a ``MemoryLedger``. Nothing suspends but ``receive`` while its inbox is empty."""

    max_message_bytes = MAX_MESSAGE_BYTES

    def __init__(self, ledger: MemoryLedger, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._inbox = ledger.attach(owner)

    async def publish(self, slot: str, message: bytes) -> None:
        """Post a message: see ``Transport.publish``."""
        self._ledger.post(self._owner, slot, message, origin=self._inbox)

    async def receive(self) -> bytes:
        """Take the oldest message: see ``Transport.receive``."""
        while (message := self._inbox.pop()) is None:
            await self._inbox.wait()
        return message

    async def aclose(self) -> None:
        """Close the inbox."""
        self._ledger.detach(self._inbox)


class MemoryStorage:
    """A ``Storage`` over a ``MemoryLedger``, with ``Keeper`` and ``Inventory``. Nothing suspends."""

    scheme = "memory"
    max_file_bytes = MAX_FILE_BYTES

    def __init__(self, ledger: MemoryLedger, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner

    async def put(self, data: bytes) -> Locator:
        """Keep a file: see ``Storage.put``."""
        return self._ledger.store(self._owner, data)

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Return a file: see ``Storage.get``."""
        return self._ledger.load(locator, max_bytes)

    async def release(self, locator: Locator) -> None:
        """Stop holding a file: see ``Storage.release``."""
        if locator.startswith("memory:"):
            self._ledger.drop(self._owner, locator)

    async def keep(self, locator: Locator, *, max_bytes: int) -> None:
        """Hold somebody else's file: see ``Keeper.keep``."""
        self._ledger.keep(self._owner, locator, max_bytes)

    async def offered(self) -> Sequence[Locator]:
        """List what is held: see ``Inventory.offered``."""
        return self._ledger.held(self._owner)

    async def aclose(self) -> None:
        """Do nothing: the files stay with the ledger."""


def _locator(name: str) -> Locator:
    return Locator(f"memory:{name}")


@hookimpl
def learnae_transports() -> list[Provider[Transport]]:
    """Provide ``memory``, bound to new ledgers."""
    ledgers: defaultdict[str, MemoryLedger] = defaultdict(MemoryLedger)
    return [Provider("memory", _SUMMARY, lambda context: ledgers[context.rendezvous].transport(context.owner))]


@hookimpl
def learnae_storages() -> list[Provider[Storage]]:
    """Provide ``memory``, bound to new ledgers; messages and files need not lie on the same ones."""
    ledgers: defaultdict[str, MemoryLedger] = defaultdict(MemoryLedger)
    return [Provider("memory", _SUMMARY, lambda context: ledgers[context.rendezvous].storage(context.owner))]
