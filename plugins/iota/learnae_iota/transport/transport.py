"""Announcements as zero-value bundles under rotating tags."""

import asyncio
import contextlib
import hashlib
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable

from learnae.errors import UsageError, WorldError
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.bundles.transactions import MESSAGE_TRYTES
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.content import CONTENT_TRANSACTIONS, decode_content, encode_content
from learnae_iota.tangle.fetching import Query
from learnae_iota.transport.pages import EPOCH_S, PAST_EPOCHS, Page, Pages
from learnae_iota.transport.slots import Slots

MAX_MESSAGE_BYTES = 32_768
"""Thirty transactions; the announcements of a session as ``learnae init`` founds it have at most 16 KiB and a seal."""

_SLOT = re.compile(r"[0-9a-f]{64}\Z")
_MOST_FETCHED = 2_000
_MOST_WAITING = 4_096
_IDLE_S = 10.0
_FRESH_S = 30.0


class IotaTransport:
    """A ``Transport`` over a tangle: see ``learnae_iota.transport.pages`` for where announcements lie.

    What was posted in an epoch and not said again by its end is posted again in the next one, as long as this object lives and
    somebody receives from it.

    Args:
        tangle: Where announcements lie; closed with this.
        rendezvous: The session's name on ledgers.
        poll_interval_s: How often to look for announcements.
        now_ms: Milliseconds since 1970; by the nodes without any.
        monotonic: Seconds that only grow.
    """

    max_message_bytes = MAX_MESSAGE_BYTES

    def __init__(
        self,
        tangle: AsyncTangle,
        rendezvous: str,
        *,
        poll_interval_s: float = 0.5,
        now_ms: Callable[[], Awaitable[int]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tangle, self._poll_interval_s = tangle, poll_interval_s
        self._now_ms, self._monotonic = now_ms or tangle.now_ms, monotonic
        self._pages = Pages(rendezvous)
        self._slots = Slots()
        self._messages: deque[bytes] = deque()
        self._delivered: dict[int, set[bytes]] = {}
        self._look: asyncio.Task[None] | None = None
        self._again: asyncio.Task[None] | None = None
        self._looked_at_s: float | None = None
        self._rest = False

    async def publish(self, slot: str, message: bytes) -> None:
        """Attach a message, and hand it to a node: see ``Transport.publish``."""
        if len(message) > MAX_MESSAGE_BYTES:
            raise UsageError(f"a message of {len(message)} bytes; iota takes at most {MAX_MESSAGE_BYTES}")
        if not _SLOT.match(slot):
            raise UsageError(f"the slot {slot!r} is not 64 lower-case hexadecimal digits")
        stale = self._looked_at_s is None or self._monotonic() - self._looked_at_s > _FRESH_S
        if stale and len(self._messages) < _MOST_WAITING:
            await self._looking()  # so that it is known which page is full
        epoch = await self._post(bytes(message))
        self._slots.posted(slot, bytes(message), epoch)

    async def receive(self) -> bytes:
        """Return the next announcement found on the tangle: see ``Transport.receive``."""
        while not self._messages:
            if self._rest:
                await asyncio.sleep(self._poll_interval_s)
                self._rest = False
            await self._looking()
            self._rest = True
        return self._messages.popleft()

    async def aclose(self) -> None:
        """End what is under way: see ``Transport.aclose``."""
        tasks = [task for task in (self._look, self._again) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._tangle.aclose()

    async def _looking(self) -> None:
        """Wait for a look, which goes on where the caller is cancelled; one is under way at a time.

        Raises:
            UnavailableError: The tangle cannot be read now.
        """
        look = self._look
        if look is None or look.done():
            look = self._look = asyncio.create_task(self._read_pages())
        await asyncio.wait([look])
        look.result()

    async def _read_pages(self) -> None:
        epoch = await self._epoch()
        self._pages.turn_to(epoch)
        for old in [each for each in self._delivered if each < epoch - PAST_EPOCHS]:
            del self._delivered[old]
        now_s = self._monotonic()
        pages = self._pages.due(epoch, now_s, _IDLE_S)
        outcomes = await asyncio.gather(*(self._read(page, epoch) for page in pages), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._looked_at_s = now_s
        if self._slots.due(epoch) and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self._say_again(epoch))

    async def _read(self, page: Page, epoch: int) -> None:
        query = Query(tags=(page.place.tag,))
        fetched = await self._tangle.fetch(
            query, known=page.known, max_transactions=_MOST_FETCHED, max_bundle=CONTENT_TRANSACTIONS
        )
        for bundle in self._pages.took(page, fetched, self._monotonic()):
            message = _message(bundle)
            if message is not None and self._is_new(message, epoch):
                self._messages.append(message)

    async def _post(self, message: bytes) -> int:
        """Attach a message in the epoch that is now, and return that."""
        epoch = await self._epoch()
        self._pages.turn_to(epoch)
        place = self._pages.writable(epoch).place
        trytes = encode_content(message)
        head, body = trytes[:MESSAGE_TRYTES], trytes[MESSAGE_TRYTES:]
        self._is_new(message, epoch)  # what comes from here need not be read back
        await self._tangle.send([Posting(place.address, head, place.tag), *([Posting(place.address, body)] if body else [])])
        return epoch

    async def _say_again(self, epoch: int) -> None:
        """Post what was said in other epochs; what fails is tried again after the next look."""
        with contextlib.suppress(WorldError):
            for slot, message in self._slots.due(epoch):
                self._slots.posted_again(slot, message, await self._post(message))

    async def _epoch(self) -> int:
        """Return the number of the epoch."""
        return await self._now_ms() // (1000 * EPOCH_S)

    def _is_new(self, message: bytes, epoch: int) -> bool:
        digest = hashlib.blake2b(message, digest_size=16).digest()
        known = any(digest in digests for digests in self._delivered.values())
        self._delivered.setdefault(epoch, set()).add(digest)
        return not known


def _message(bundle: Bundle) -> bytes | None:
    return decode_content("".join(posting.trytes for posting in bundle.postings), max_bytes=MAX_MESSAGE_BYTES)
