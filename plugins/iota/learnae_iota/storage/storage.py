"""Small files as bundles that are found by their content."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UsageError
from learnae.values.ids import Locator
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.storage.chunks import (
    CHUNK_BYTES,
    MAX_FILE_BYTES,
    SCHEME,
    cut,
    digest_of,
    locator_of,
    read_list,
    read_locator,
)
from learnae_iota.storage.confirming import Confirming
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.content import CONTENT_TRANSACTIONS, decode_content, encode_content, place_of
from learnae_iota.tangle.fetching import Query

_AT_ONCE = 4
_MOST_FETCHED = 40 * CONTENT_TRANSACTIONS
_ROUNDS = 4
_MOST_REMEMBERED = 4096
_T = TypeVar("_T")


class IotaStorage:
    """A ``Storage`` over a tangle, for files of tens or hundreds of kilobytes: see ``learnae_iota.storage.chunks``.

    Nobody can take anything back from a ledger: ``release`` ends only that this peer sees to it that the file is confirmed.

    Args:
        tangle: Where they lie; closed with this.
        max_file_bytes: The largest file.
    """

    scheme = SCHEME

    def __init__(self, tangle: AsyncTangle, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self.max_file_bytes = min(max_file_bytes, MAX_FILE_BYTES)
        self._tangle = tangle
        self._confirming = Confirming(tangle)
        self._chunks: dict[Locator, tuple[bytes, ...]] = {}
        self._room: asyncio.Semaphore = asyncio.Semaphore(_AT_ONCE)

    async def put(self, data: bytes) -> Locator:
        """Attach a file's chunks, the list of them last: see ``Storage.put``."""
        if len(data) > self.max_file_bytes:
            raise UsageError(f"a file of {len(data)} bytes; iota takes at most {self.max_file_bytes}")
        chunks = await asyncio.to_thread(cut, bytes(data))
        locator = locator_of(data, chunks)
        await self._together(self._write(chunk) for chunk in chunks[:-1])
        await self._write(chunks[-1])
        self._chunks[locator] = tuple(map(digest_of, chunks))
        while len(self._chunks) > _MOST_REMEMBERED:
            del self._chunks[next(iter(self._chunks))]
        return locator

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        """Fetch a file's chunks, and check each: see ``Storage.get``."""
        found = read_locator(locator)
        if found is None:
            raise NotFoundError(f"{locator[:200]!r} is no locator of iota")
        if found.size > max_bytes:
            raise TooLargeError(f"a file of {found.size} bytes, more than the {max_bytes} allowed")
        data = await self._read(found.digest)
        if found.is_list:
            digests = read_list(data, found.size)
            if digests is None:
                raise DamagedError(f"{locator}: what is there is no list of the chunks of {found.size} bytes")
            data = b"".join(await self._together(self._read(digest) for digest in digests))
        if len(data) != found.size:
            raise DamagedError(f"{locator}: what is there has {len(data)} bytes")
        return data

    async def release(self, locator: Locator) -> None:
        """See no longer to it that a file is confirmed; on the ledger it stays: see ``Storage.release``."""
        for digest in self._chunks.pop(locator, ()):
            if not any(digest in others for others in self._chunks.values()):
                self._confirming.end(digest)

    async def aclose(self) -> None:
        """End what is under way: see ``Storage.aclose``."""
        await self._confirming.aclose()
        await self._tangle.aclose()

    async def _write(self, chunk: bytes) -> None:
        digest = digest_of(chunk)
        async with self._room:
            place = place_of("file", digest.hex())
            bundle = await self._tangle.send([Posting(place.address, await asyncio.to_thread(encode_content, chunk), place.tag)])
        self._confirming.begin(digest, bundle)

    async def _read(self, digest: bytes) -> bytes:
        """Fetch a chunk; what others wrote to its address is passed over.

        Raises:
            NotFoundError: Nothing is there.
            DamagedError: Only other things are there.
        """
        query, known, strangers = Query(addresses=(place_of("file", digest.hex()).address,)), set[str](), False
        for _ in range(_ROUNDS):
            async with self._room:
                fetched = await self._tangle.fetch(
                    query, known=known, max_transactions=_MOST_FETCHED, max_bundle=CONTENT_TRANSACTIONS
                )
                chunk = await asyncio.to_thread(_chosen, fetched.bundles, digest)
            if chunk is not None:
                return chunk
            strangers |= bool(fetched.bundles) or fetched.cut
            if not fetched.cut or fetched.seen <= known:
                break
            known |= fetched.seen
        if strangers:
            raise DamagedError(f"what lies at the address of {digest.hex()} is something else")
        raise NotFoundError(f"nobody put {digest.hex()} on the tangle, or nodes have forgotten it")

    async def _together(self, calls: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
        """Await calls side by side; where one fails, the others end."""
        tasks = [asyncio.create_task(call) for call in calls]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _chosen(bundles: Iterable[Bundle], digest: bytes) -> bytes | None:
    """Return the chunk of this digest, if one of the bundles carries it."""
    for bundle in bundles:
        for posting in bundle.postings:
            chunk = decode_content(posting.trytes, max_bytes=CHUNK_BYTES)
            if chunk is not None and digest_of(chunk) == digest:
                return chunk
    return None
