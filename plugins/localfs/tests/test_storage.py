"""The storage passes its exam."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from learnae_localfs.hostile import Entry, list_folders
from learnae_localfs.layout import Place
from learnae_localfs.storage import FolderStorage

from learnae.errors import NotFoundError
from learnae.testing.storage import Open, StorageExam
from learnae.values.ids import Locator


class TestFolderStorage(StorageExam):
    def connect(self, folder: Path) -> Open:
        place = Place(folder, "7" * 64)
        return lambda owner: FolderStorage(place, owner)


def test_before_anything_was_stored_nothing_is_found_and_nothing_made(tmp_path: Path) -> None:
    async def run() -> None:
        storage = FolderStorage(Place(tmp_path, "7" * 64), "a1" * 32)
        locator = Locator(f"localfs:{'a1' * 32}/{'0' * 64}")
        with pytest.raises(NotFoundError, match="nobody keeps"):
            await storage.get(locator, max_bytes=1)
        await storage.release(locator)
        await storage.aclose()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_sessions_do_not_see_each_other(tmp_path: Path) -> None:
    async def run() -> None:
        here, there = (FolderStorage(Place(tmp_path, digit * 64), "a1" * 32) for digit in "78")
        locator = await here.put(b"file")
        with pytest.raises(NotFoundError):
            await there.get(locator, max_bytes=4)
        await there.release(locator)
        assert await here.get(locator, max_bytes=4) == b"file"
        await here.aclose()
        await there.aclose()

    asyncio.run(run())


def test_the_named_owner_is_asked_before_anybody_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[int] = []

    def note(folder: int, *, at_most: int) -> Iterator[Entry]:
        listed.append(at_most)
        return list_folders(folder, at_most=at_most)

    monkeypatch.setattr("learnae_localfs.storage.list_folders", note)

    async def run() -> None:
        place = Place(tmp_path, "7" * 64)
        alice, bob = FolderStorage(place, "a1" * 32), FolderStorage(place, "b2" * 32)
        locator = await alice.put(b"file")
        assert await bob.get(locator, max_bytes=4) == b"file"
        assert not listed
        await bob.put(b"file")
        await alice.release(locator)
        assert await bob.get(locator, max_bytes=4) == b"file"
        assert len(listed) == 1
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())
