"""The storage passes its exam over a development node and over HORNET; other things at a file's address are passed over."""

import asyncio
from pathlib import Path

import pytest
from learnae_iota.access import open_access
from learnae_iota.bundles.bundles import Posting
from learnae_iota.bundles.transactions import MESSAGE_TRYTES
from learnae_iota.settings import TangleSettings
from learnae_iota.storage.chunks import (
    CHUNK_BYTES,
    MAX_FILE_BYTES,
    cut,
    digest_of,
    locator_of,
    read_list,
    read_locator,
)
from learnae_iota.storage.confirming import AGAIN_S, MAX_ATTACHMENTS, Confirming
from learnae_iota.storage.storage import IotaStorage
from learnae_iota.tangle.content import CONTENT_TRANSACTIONS, encode_content, place_of
from learnae_iota.tangle.tangle import Tangle
from ledger_rig import Clock, OverADevelopmentNode, OverHornet

from learnae.errors import DamagedError, NotFoundError, TooLargeError
from learnae.testing.ledgers import content
from learnae.testing.rows import toy_manifest
from learnae.testing.storage import Open, StorageExam
from learnae.values.ids import Locator

MOST = 131_072


class TestOverADevelopmentNode(OverADevelopmentNode, StorageExam):
    forgets = False
    deadline_s = 240.0

    def connect(self, folder: Path) -> Open:
        return lambda _: IotaStorage(open_access(self.settings), max_file_bytes=MOST)


class TestOverHornet(OverHornet, TestOverADevelopmentNode):
    """The same exam on the real thing."""


def test_what_a_default_session_may_store_fits() -> None:
    limits = toy_manifest().limits
    assert max(limits.board_bytes, limits.hashlist_bytes) + 64 <= MAX_FILE_BYTES


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_files_are_cut_and_listed(size: int) -> None:
    data = content(1, size)
    chunks = cut(data)
    assert all(len(encode_content(chunk)) <= CONTENT_TRANSACTIONS * MESSAGE_TRYTES for chunk in chunks)
    found = read_locator(locator_of(data, chunks))
    assert found is not None
    assert (found.size, found.digest) == (size, digest_of(chunks[-1]))
    if found.is_list:
        listed = read_list(chunks[-1], size)
        assert listed == tuple(map(digest_of, chunks[:-1]))
        assert read_list(chunks[-1][:-1], size) is None
        assert b"".join(chunks[:-1]) == data
    else:
        assert chunks == (data,)


@pytest.mark.parametrize("wrong", ["", "0" * 64, "{}", "{}/01", "{}/-1", f"{{}}/{MAX_FILE_BYTES + 1}", "{}/1\n", "A{}/1"])
def test_no_locator(wrong: str) -> None:
    assert read_locator("iota:" + wrong.format("0" * 64)) is None


def test_other_things_at_the_address_are_passed_over(settings: TangleSettings, tangle: Tangle) -> None:
    data = content(5, 3000)
    place = place_of("file", digest_of(data).hex())

    async def run() -> None:
        storage = IotaStorage(open_access(settings))
        locator = locator_of(data, cut(data))
        with pytest.raises(NotFoundError):
            await storage.get(locator, max_bytes=3000)
        for number in range(40):
            tangle.send([Posting(place.address, encode_content(content(number + 100, 3000)), place.tag)])
        with pytest.raises(DamagedError):
            await storage.get(locator, max_bytes=3000)
        assert await storage.put(data) == locator
        assert await storage.get(locator, max_bytes=3000) == data
        await storage.aclose()

    asyncio.run(run())


def test_a_locator_that_lies_about_the_size(settings: TangleSettings) -> None:
    async def run() -> None:
        storage = IotaStorage(open_access(settings))
        data = content(1, 100)
        digest = digest_of(data).hex()
        await storage.put(data)
        for size in (99, 101, CHUNK_BYTES + 1, 3 * CHUNK_BYTES):
            with pytest.raises(DamagedError):
                await storage.get(Locator(f"iota:{digest}/{size}"), max_bytes=size)
        with pytest.raises(TooLargeError):
            await storage.get(Locator(f"iota:{digest}/100"), max_bytes=99)
        await storage.aclose()

    asyncio.run(run())


def test_what_is_not_confirmed_is_attached_again(settings: TangleSettings) -> None:
    async def run() -> None:
        clock, access = Clock(), open_access(settings)
        confirming = Confirming(access, monotonic=clock.monotonic)
        sent = await access.send([Posting("A" * 81, "B")])
        confirming.begin(b"unconfirmed", sent)
        confirming.begin(b"let go", sent)
        confirming.end(b"let go")
        confirming.end(b"unknown")
        unconfirmed, tails = True, [list[str]()]

        async def is_confirmed(asked: list[str]) -> bool:
            tails.append(list(asked))
            return not unconfirmed

        access.is_confirmed = is_confirmed  # type: ignore[method-assign, assignment]  # a coordinator that does as it is told
        await confirming.look()
        clock.now_s += AGAIN_S
        await confirming.look()
        await confirming.look()
        assert [len(each) for each in tails] == [0, 1, 1, 2], "it is attached again after a while, and not before"
        assert len(confirming) == 1
        unconfirmed = False
        await confirming.look()
        assert len(confirming) == 0
        unconfirmed = True
        confirming.begin(b"hopeless", sent)
        for _ in range(MAX_ATTACHMENTS):
            clock.now_s += AGAIN_S
            await confirming.look()
        assert len(confirming) == 0
        await confirming.aclose()
        await access.aclose()

    asyncio.run(run())
