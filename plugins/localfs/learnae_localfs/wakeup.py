"""Waits until it is time to look again: file notifications hasten that, where there are any."""

import asyncio
import contextlib
from pathlib import Path

_STEP_MS = 20
_QUIET_MS = 60
_AGAIN_S = 2.0


class Wakeup:
    """Waits for a change in one folder, or for some time to pass.

    Notifications are never relied upon: a network mount may accept a watch and stay silent, the system may have none to give, and
    ``watchfiles`` may be missing. Then only the time passes. The folder alone is watched, not what is below it, because watching
    below would follow links that a stranger put there; who publishes touches its own folder, and that shows in the one above.

    Args:
        folder: What to watch; it need not exist yet.
        watch: Whether to watch at all.
    """

    def __init__(self, folder: Path, *, watch: bool) -> None:
        self._folder = folder
        self._watch = watch
        self._changed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def wait(self, timeout_s: float) -> None:
        """Return when something changed since the last call, and at the latest after ``timeout_s`` seconds."""
        if self._watch and self._watcher is None:
            self._watcher = asyncio.create_task(self._keep_watching(), name="learnae-localfs-watch")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        self._changed.clear()

    async def aclose(self) -> None:
        """Stop watching; idempotent."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])

    async def _keep_watching(self) -> None:
        try:
            from watchfiles import awatch  # noqa: PLC0415  # only who watches pays for it
        except ImportError:
            return
        while True:
            with contextlib.suppress(Exception):  # whatever is wrong with notifications, polling goes on
                async for _ in awatch(self._folder, watch_filter=None, debounce=_QUIET_MS, step=_STEP_MS, recursive=False):
                    self._changed.set()
            await asyncio.sleep(_AGAIN_S)
