"""What came of an order to release files: the machine is told, and forgets only what is gone."""

import asyncio
from typing import Any

import pytest

from learnae.errors import UnavailableError
from learnae.machine.effects import Release
from learnae.machine.events import FilesReleased, ReleaseFailed
from learnae.performing.performer import Performer


class Shelf:
    """A storage of which only releasing is wanted."""

    scheme = "shelf"

    def __init__(self) -> None:
        self.released: list[str] = []

    async def release(self, locator: str) -> None:
        if "stuck" in locator:
            raise UnavailableError("the daemon is gone")
        self.released.append(locator)


class AtOnce:
    """A pace that waits for nothing."""

    async def within(self, job: Any) -> Any:
        return await job


@pytest.mark.parametrize(
    ("locators", "reason"),
    [
        pytest.param(("shelf:a", "shelf:b"), None, id="all"),
        pytest.param(("shelf:a", "shelf:stuck", "shelf:b"), "the daemon is gone", id="one cannot be"),
        pytest.param(("shelf:a", "other:x", "shelf:b"), "no storage named 'other' is set up here", id="one is elsewhere"),
    ],
)
def test_the_machine_is_told_what_was_released(locators: Any, reason: str | None) -> None:
    storage: Any = Shelf()
    unused: Any = None
    pace: Any = AtOnce()
    performer = Performer(
        unused, transport=unused, storages=[storage], workshop=unused, shelf=unused, pace=pace, note=unused, is_known=unused
    )
    event = asyncio.run(performer.perform(Release(locators)))
    assert event == (FilesReleased(locators) if reason is None else ReleaseFailed(locators, reason))
    assert storage.released == ["shelf:a", "shelf:b"], "one failure does not keep the others"
