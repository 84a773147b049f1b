"""One tangle for as long as a peer runs: opened at the first call, and found again where its development node went away."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from learnae.errors import UnavailableError
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.nodes.several import Look
from learnae_iota.serving.embedded import EmbeddedNode, shared_folder
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.settings import TangleSettings
from learnae_iota.speaking import Speaker
from learnae_iota.stopping import StoppedError
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import open_tangle

_T = TypeVar("_T")


class Access:
    """Opens the tangle that the settings mean. All calls belong to one event loop, and raise what those of ``AsyncTangle`` do.

    What was stopped from outside is unavailable: nobody but ``aclose`` and the end of a development node stops it.

    Args:
        settings: Which tangle.
        tell: Takes a sentence for the operator, in any thread.
        purpose: What it is used for, for that sentence, such as ``transport``.
        state: The peer's folder for this plugin: of several with the same one, only the first tells.

    Raises:
        ConfigError: A URL, the weight or the client cannot be used.
        ProviderError: PyOTA is asked for, and not installed; the message says how.
    """

    def __init__(
        self,
        settings: TangleSettings,
        *,
        tell: Callable[[str], None] = lambda _: None,
        purpose: str = "ledger",
        state: Path | None = None,
    ) -> None:
        self._settings, self._tell, self._purpose = settings, tell, purpose
        self._speaker = Speaker(state)
        self._turn = asyncio.Lock()
        self._embedded: EmbeddedNode | None = None
        self._url = ""
        self._tangle: AsyncTangle | None = None
        self._closed = False
        if settings.nodes:
            self._tangle = self._open(settings.nodes)
        else:
            told = NodeSettings(weight=settings.weight, cors=False, max_requests_per_s=0)
            self._embedded = EmbeddedNode(settings.folder or shared_folder(), told)

    async def send(self, postings: Sequence[Posting]) -> Bundle:
        """Make a bundle of messages, attach it, and hand it to a node: see ``Tangle.send``."""
        return await self._use(lambda tangle: tangle.send(postings))

    async def attach(self, bundle: Bundle) -> Bundle:
        """Attach a bundle again: see ``Tangle.attach``."""
        return await self._use(lambda tangle: tangle.attach(bundle))

    async def is_confirmed(self, tails: Sequence[str]) -> bool:
        """Tell whether an attachment is confirmed: see ``Tangle.is_confirmed``."""
        return await self._use(lambda tangle: tangle.is_confirmed(tails))

    async def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_transactions: int, max_bundle: int
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        return await self._use(
            lambda tangle: tangle.fetch(query, known=known, max_transactions=max_transactions, max_bundle=max_bundle)
        )

    async def look(self) -> tuple[Look, ...]:
        """Look at every node: see ``Tangle.look``."""
        return await self._use(lambda tangle: tangle.look())

    async def aclose(self) -> None:
        """End what is under way, and use the development node no longer; idempotent."""
        self._closed = True
        async with self._turn:
            if self._tangle is not None:
                await self._tangle.aclose()
            if self._embedded is not None:
                self._embedded.close()
            self._speaker.close()

    async def _use(self, work: Callable[[AsyncTangle], Awaitable[_T]]) -> _T:
        tangle = await self._opened()
        try:
            return await work(tangle)
        except StoppedError as exc:
            raise UnavailableError("the tangle was closed") from exc
        except UnavailableError:
            await self._find_again(tangle)
            raise

    async def _opened(self) -> AsyncTangle:
        async with self._turn:
            if self._closed:
                raise UnavailableError("the tangle was closed")
            if self._tangle is None and self._embedded is not None:
                await self._reopen(self._embedded)
                if self._speaker.speaks():
                    self._tell(
                        f"no node is named: the {self._purpose} uses the development node of this machine at {self._url}; it is "
                        "for trying things out, a community in earnest runs HORNET nodes and names them with --iota-node URL,URL"
                    )
            assert self._tangle is not None  # noqa: S101  # there are nodes, or a development node
            return self._tangle

    async def _find_again(self, failed: AsyncTangle) -> None:
        """Ask where the development node is now, and start it if it is gone."""
        async with self._turn:
            if self._embedded is not None and self._tangle is failed and not self._closed:
                await self._reopen(self._embedded)

    async def _reopen(self, node: EmbeddedNode) -> None:
        url = await asyncio.to_thread(node.url)
        if url == self._url:
            return
        before, self._tangle, self._url = self._tangle, self._open((url,)), url
        if before is not None:
            await before.aclose()

    def _open(self, urls: Sequence[str]) -> AsyncTangle:
        told = self._settings
        return AsyncTangle(
            open_tangle(urls, weight=told.weight, client=told.client, work_on_nodes=told.work_on_nodes, timeout_s=told.timeout_s)
        )
