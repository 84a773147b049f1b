"""The storage passes its exam."""

import asyncio
from pathlib import Path

import pytest
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
