"""PubSub, as long as there is one: fast, lossy, experimental, and never the only way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from learnae.errors import ConfigError, UnavailableError
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.answers import RefusedError
from learnae_ipfs.transport.letters import MAX_MESSAGE_BYTES

LOOK_AGAIN_S = 60.0
"""How often to look whether PubSub was switched on meanwhile."""


class Pubsub:
    """The session's topic on a daemon.

    Args:
        topic: Its name.
        take: Is called with the peer id of the daemon that published a message first, and the message.
        tell: Takes a sentence for the operator.
        silent: Whether the operator knows already if it is switched off, until it was used.
        look_again_s: How often to look whether it was switched on meanwhile.
    """

    def __init__(
        self,
        topic: str,
        *,
        take: Callable[[str, bytes], None],
        tell: Callable[[str], None],
        silent: bool = False,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._topic = topic
        self._take = take
        self._tell = tell
        self._look_again_s = look_again_s
        self._subscription: asyncio.Task[None] | None = None
        self._off, self._told = False, silent
        self.works = False
        """Whether there is a subscription right now, as far as anybody knows."""

    async def listen(self, kubo: Kubo) -> None:
        """Take messages, until the subscription breaks; where PubSub is switched off, return after a while.

        Raises:
            UnavailableError: The daemon does not answer, or ended the subscription.
        """
        try:
            await kubo.topics()
        except (UnavailableError, ConfigError) as exc:
            if isinstance(exc, UnavailableError) and not isinstance(exc.__cause__ or exc, RefusedError):
                raise
            self._off = True
            if not self._told:
                self._told = True
                self._tell(
                    f"PubSub cannot be used, so that announcements take the slower way, many seconds each: {exc}. "
                    "Whoever runs the daemon can switch it on: ipfs config --json Pubsub.Enabled true, and start it again"
                )
            await asyncio.sleep(self._look_again_s)
            return
        self._subscription = asyncio.create_task(self._take_all(kubo))
        try:
            await asyncio.wait([self._subscription])
        finally:
            self._subscription.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._subscription
            self.works = False
        if not self._subscription.cancelled():
            self._subscription.result()

    async def publish(self, kubo: Kubo, message: bytes) -> None:
        """Publish a message, unless nobody here could hear the answer either.

        Raises:
            UnavailableError: The daemon does not take it.
        """
        if self._off:
            raise UnavailableError("PubSub is switched off")
        await kubo.publish(self._topic, message)

    async def look(self, kubo: Kubo) -> None:
        """Subscribe anew if the daemon does not know of the subscription any more: a connection may die without a sound.

        Raises:
            UnavailableError: The daemon does not answer.
        """
        if self.works and self._topic not in await kubo.topics():
            self.renew()

    def renew(self) -> None:
        """End the subscription under way, so that ``listen`` returns."""
        if self._subscription is not None:
            self._subscription.cancel()

    async def _take_all(self, kubo: Kubo) -> None:
        async with contextlib.aclosing(kubo.subscribe(self._topic)) as messages:
            await messages.opened()
            self.works = True
            if self._off:
                self._tell("PubSub can be used now")
            self._off = self._told = False
            async for message in messages:
                if len(message.data) <= MAX_MESSAGE_BYTES:
                    self._take(message.sender, message.data)
