"""Sees to it that what was put on the tangle is confirmed: what is not may be forgotten by the nodes."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from learnae.errors import WorldError
from learnae_iota.bundles.bundles import Bundle
from learnae_iota.tangle.concurrent import AsyncTangle

LOOK_S = 10.0
AGAIN_S = 150.0
"""Unconfirmed after this time, a bundle is attached once more; HORNET's tips grow old after some ten milestones."""

MAX_ATTACHMENTS = 5
MAX_WAITING = 128
"""Bundles that wait to be confirmed, some 100 kB of memory each; the oldest give way."""


@dataclass(slots=True)
class _Waiting:
    bundle: Bundle
    tails: list[str]
    attached_at_s: float


class Confirming:
    """Attaches bundles again until they are confirmed.

    Args:
        tangle: Where they lie.
        monotonic: Seconds that only grow.
    """

    def __init__(self, tangle: AsyncTangle, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tangle, self._monotonic = tangle, monotonic
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, name: bytes, bundle: Bundle) -> None:
        """Look after a bundle that was just attached."""
        self._waiting[name] = _Waiting(bundle, [bundle.tail], self._monotonic())
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep_looking())

    def end(self, name: bytes) -> None:
        """Look after a bundle no longer; nothing happens where it is unknown."""
        self._waiting.pop(name, None)

    async def look(self) -> None:
        """Look once at all that wait; what fails is looked at next time."""
        for name, waiting in list(self._waiting.items()):
            with contextlib.suppress(WorldError):
                if await self._tangle.is_confirmed(waiting.tails) or len(waiting.tails) >= MAX_ATTACHMENTS:
                    self.end(name)
                elif self._monotonic() - waiting.attached_at_s >= AGAIN_S:
                    waiting.tails.append((await self._tangle.attach(waiting.bundle)).tail)
                    waiting.attached_at_s = self._monotonic()

    async def aclose(self) -> None:
        """Stop looking; idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while self._waiting:
            await asyncio.sleep(LOOK_S)
            await self.look()
