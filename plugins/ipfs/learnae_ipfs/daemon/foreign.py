"""Access to a daemon that somebody else configured and runs: it is used, and never changed or ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from learnae.errors import LearnaeError, UnavailableError, WorldError
from learnae_ipfs.daemon.versions import MENDED_PUBSUB, read_version, refuse_old, warn_untested
from learnae_ipfs.endpoints import read_endpoint
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.telling import once

ANSWER_S = 15.0


class ForeignDaemon:
    """Access to the daemon at the address that the operator named (see ``Access``)."""

    is_own = False

    def __init__(self, settings: IpfsSettings, folder: Path, tell: Callable[[str], None]) -> None:
        """Make one; nothing is contacted.

        Args:
            settings: What the operator chose; ``api`` is set.
            folder: The plugin's folder in the peer's state, where it is noted what was said.
            tell: Takes sentences for the operator.

        Raises:
            ConfigError: The address cannot be used.
        """
        self._endpoint = read_endpoint(settings.api or "", settings.api_auth)
        self._whose = f"the IPFS daemon at {self._endpoint.address}"
        self._pubsub, self._tell = settings.pubsub, once(folder / "said.json", tell)
        self._turn = asyncio.Lock()
        self._client: Kubo | None = None
        self._looked_at = self._answers = self._closed = False

    async def kubo(self) -> Kubo:
        """Return a client of the daemon; see first whether it answers, and what it is (see ``Access``)."""
        if self._client is not None and self._answers and not self._closed:
            return self._client
        async with self._turn:
            if self._closed:
                raise UnavailableError(f"{self._whose} is not used any more: the peer is ending")
            if self._client is None:
                self._client = Kubo(self._endpoint)
            if not self._answers:
                await self._look(self._client)
                self._answers = True
            return self._client

    async def failed(self) -> None:
        """Have the next ``kubo()`` look whether the daemon answers."""
        self._answers = False

    async def aclose(self) -> None:
        """End the connections; the daemon stays as it is."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _look(self, kubo: Kubo) -> None:
        """See whether it answers; the first time, also of which version it is and what it can do.

        Raises:
            UnavailableError: It does not answer.
            ProviderError: It is too old.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                version = await kubo.version()
        except (WorldError, TimeoutError) as exc:
            raise UnavailableError(f"{self._whose} does not answer: {str(exc) or f'no word in {ANSWER_S:.0f} s'}") from exc
        refuse_old(version, self._whose)
        if self._looked_at:
            return
        await warn_untested(kubo, version, self._whose, pubsub=self._pubsub, tell=self._tell)
        if self._pubsub:
            await self._look_at_pubsub(kubo, version)
        self._looked_at = True

    async def _look_at_pubsub(self, kubo: Kubo, version: str) -> None:
        try:
            await kubo.topics()
        except LearnaeError:
            self._tell(
                f"{self._whose} has no PubSub, so that news takes longer to come; its operator may type "
                "`ipfs config --json Pubsub.Enabled true` and start it again"
            )
            return
        numbers = read_version(version)
        if numbers is not None and numbers < MENDED_PUBSUB:
            self._tell(
                f"{self._whose} is Kubo {version}, whose memory strangers can use up by PubSub (CVE-2026-46679) unless it is in "
                "a private network; a newer one is safe"
            )
