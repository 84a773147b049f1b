"""The transport passes its exam, with notifications and without."""

import asyncio
import threading
from pathlib import Path

import pytest
from learnae_localfs.layout import Place
from learnae_localfs.transport import FolderTransport

from learnae.errors import UnavailableError
from learnae.testing.transport import Open, TransportExam


class TestWatching(TransportExam):
    watch = True

    def connect(self, folder: Path) -> Open:
        place = Place(folder, "7" * 64)
        return lambda owner: FolderTransport(place, owner, poll_interval_s=0.05, watch=self.watch)


class TestPollingAlone(TestWatching):
    watch = False


def test_a_folder_that_went_away_is_unavailable_and_receiving_goes_on(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()

    async def run() -> bytes:
        place = Place(shared, "7" * 64)
        alice = FolderTransport(place, "a1" * 32, watch=False)
        bob = FolderTransport(place, "b2" * 32, watch=False, poll_interval_s=0.01)
        shared.rename(tmp_path / "away")
        for _ in range(3):
            with pytest.raises(UnavailableError, match="is it mounted"):
                await bob.receive()
            with pytest.raises(UnavailableError, match="is it mounted"):
                await alice.publish("0" * 64, b"hello")
        (tmp_path / "away").rename(shared)
        await alice.publish("0" * 64, b"hello")
        async with asyncio.timeout(20):
            message = await bob.receive()
        await alice.aclose()
        await bob.aclose()
        return message

    assert asyncio.run(run()) == b"hello"


def test_closing_while_a_look_is_under_way_waits_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network mount may hang for minutes."""
    looking, let_go = threading.Event(), threading.Event()

    def hang(_: object) -> tuple[list[bytes], bool]:
        looking.set()
        let_go.wait(60)
        return [], True

    monkeypatch.setattr("learnae_localfs.mailbox.Mailbox.next_batch", hang)

    async def run() -> None:
        transport = FolderTransport(Place(tmp_path, "7" * 64), "a1" * 32, watch=False)
        receiving = asyncio.ensure_future(transport.receive())
        assert await asyncio.to_thread(looking.wait, 60)
        receiving.cancel()
        await asyncio.wait([receiving])
        await transport.aclose()

    asyncio.run(run())
    assert not let_go.is_set()
    let_go.set()
