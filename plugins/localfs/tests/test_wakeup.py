"""Notifications hasten; without them, with broken ones and with silent ones, polling goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from learnae_localfs.layout import Place
from learnae_localfs.transport import FolderTransport
from learnae_localfs.wakeup import Wakeup

ALICE, BOB = "a1" * 32, "b2" * 32


def carry(folder: Path, **options: Any) -> None:
    """Publish new messages until one arrives."""

    async def run() -> None:
        place = Place(folder, "7" * 64)
        alice, bob = FolderTransport(place, ALICE, watch=False), FolderTransport(place, BOB, **options)
        await alice.publish("0" * 64, b"so that the folder is there")
        assert await bob.receive() == b"so that the folder is there"
        receiving = asyncio.ensure_future(bob.receive())
        async with asyncio.timeout(20):
            number = 0
            while not receiving.done():
                number += 1
                await alice.publish(f"{number:064x}", b"%d" % number)
                await asyncio.wait([receiving], timeout=0.2)
        await alice.aclose()
        await bob.aclose()

    asyncio.run(run())


def test_a_notification_arrives_long_before_the_next_poll(tmp_path: Path) -> None:
    carry(tmp_path, watch=True, poll_interval_s=3600)


def test_without_watchfiles_polling_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    carry(tmp_path, watch=True, poll_interval_s=0.01)


@pytest.mark.parametrize("error", [OSError(28, "inotify watch limit reached"), RuntimeError("no notifications here")])
def test_with_broken_notifications_polling_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: Any, **__: Any) -> AsyncIterator[None]:
        raise error

    monkeypatch.setattr("watchfiles.awatch", broken)
    carry(tmp_path, watch=True, poll_interval_s=0.01)


def test_with_silent_notifications_polling_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: Any, **__: Any) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("watchfiles.awatch", silent)
    carry(tmp_path, watch=True, poll_interval_s=0.01)


def test_a_folder_that_is_not_there_yet_is_no_obstacle(tmp_path: Path) -> None:
    async def run() -> bool:
        wakeup = Wakeup(tmp_path / "missing", watch=True)
        await wakeup.wait(0.05)
        await wakeup.aclose()
        await wakeup.aclose()
        return True

    assert asyncio.run(run())


def test_links_below_the_folder_are_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    async def note(*_: Any, **options: Any) -> AsyncIterator[None]:
        asked.append(options)
        yield

    monkeypatch.setattr("watchfiles.awatch", note)

    async def run() -> None:
        wakeup = Wakeup(tmp_path, watch=True)
        await wakeup.wait(10)
        await wakeup.aclose()

    asyncio.run(run())
    assert asked[0]["recursive"] is False
