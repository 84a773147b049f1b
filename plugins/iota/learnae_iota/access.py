"""The tangle of a running peer: opened when it is first used, and found again where its development node went away."""

import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

from learnae.errors import OperatorError, UnavailableError
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, Posting
from learnae_iota.serving.embedded import EmbeddedNode, shared_folder
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.settings import TangleSettings
from learnae_iota.speaking import Speaker
from learnae_iota.stopping import Stop
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import MAX_FETCHED, Tangle, open_tangle

_T = TypeVar("_T")


class Access:
    """The tangle that a peer's settings mean. Any number of threads may use it; an event loop uses ``open_access``.

    All calls raise what those of ``Tangle`` do. The first one may take as long as a development node takes to start, and raises
    ``ProviderError`` or ``ConfigError`` where it cannot; later on, what is gone is unavailable.

    Args:
        settings: Which tangle.
        tell: Takes a sentence for the operator, in any thread.
        state: The peer's folder for this plugin: of several with the same one, only the first tells.

    Raises:
        ConfigError: A URL, the weight or the client cannot be used.
        ProviderError: PyOTA is asked for, and not installed; the message says how.
    """

    def __init__(
        self, settings: TangleSettings, *, tell: Callable[[str], None] = lambda _: None, state: Path | None = None
    ) -> None:
        self._settings, self._tell = settings, tell
        self._speaker = Speaker(state)
        self._turn = threading.Lock()
        self._closed = False
        self._url, self._tangle = "", self._open(settings.nodes) if settings.nodes else None
        told = NodeSettings(weight=settings.weight, cors=False, max_requests_per_s=0)
        self._embedded = None if settings.nodes else EmbeddedNode(settings.folder or shared_folder(), told)

    def send(self, postings: Sequence[Posting], *, stop: Stop | None = None) -> Bundle:
        """Make a bundle of messages, attach it, and hand it to a node: see ``Tangle.send``."""
        return self._use(lambda tangle: tangle.send(postings, stop=stop))

    def attach(self, bundle: Bundle, *, stop: Stop | None = None) -> Bundle:
        """Attach a bundle again: see ``Tangle.attach``."""
        return self._use(lambda tangle: tangle.attach(bundle, stop=stop))

    def is_confirmed(self, tails: Sequence[str], *, stop: Stop | None = None) -> bool:
        """Tell whether an attachment is confirmed: see ``Tangle.is_confirmed``."""
        return self._use(lambda tangle: tangle.is_confirmed(tails, stop=stop))

    def fetch(
        self,
        query: Query,
        *,
        known: Collection[str] = frozenset(),
        max_transactions: int = MAX_FETCHED,
        max_bundle: int = MAX_TRANSACTIONS,
        stop: Stop | None = None,
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        return self._use(
            lambda tangle: tangle.fetch(query, known=known, max_transactions=max_transactions, max_bundle=max_bundle, stop=stop)
        )

    def now_ms(self, *, stop: Stop | None = None) -> int:
        """Return the time by the nodes: see ``Tangle.now_ms``."""
        return self._use(lambda tangle: tangle.now_ms(stop=stop))

    def close(self) -> None:
        """End what talks to a node, and use the development node no longer; idempotent."""
        self._closed = True
        if self._embedded is not None:
            self._embedded.close()  # whoever waits for it to start holds the turn, and gives it up now
        with self._turn:
            if self._tangle is not None:
                self._tangle.close()
            self._speaker.close()

    def _use(self, work: Callable[[Tangle], _T]) -> _T:
        tangle = self._opened()
        try:
            return work(tangle)
        except UnavailableError:
            self._find_again(tangle)
            raise

    def _opened(self) -> Tangle:
        with self._turn:
            if self._closed:
                raise UnavailableError("the tangle was closed")
            if self._tangle is not None:
                return self._tangle
            assert self._embedded is not None  # noqa: S101  # there are nodes, or a development node
            tangle = self._reopened(self._embedded)
            if self._speaker.speaks():
                self._tell(
                    f"no node is named: this peer uses the development node of this machine at {self._url}; it is for trying"
                    " things out, a community in earnest runs HORNET nodes and names them with --iota-node URL,URL"
                )
            return tangle

    def _find_again(self, failed: Tangle) -> None:
        """Ask where the development node is now, and start it if it is gone."""
        with self._turn:
            if self._embedded is not None and self._tangle is failed and not self._closed:
                try:
                    self._reopened(self._embedded)
                except OperatorError as exc:  # it worked before: nobody mistyped anything, and it may work again
                    raise UnavailableError(str(exc)) from exc

    def _reopened(self, node: EmbeddedNode) -> Tangle:
        url = node.url()
        if self._tangle is None or url != self._url:
            if self._tangle is not None:
                self._tangle.close()
            self._url, self._tangle = url, self._open((url,))
        return self._tangle

    def _open(self, urls: Sequence[str]) -> Tangle:
        told = self._settings
        return open_tangle(
            urls,
            weight=told.weight,
            client=told.client,
            work_on_nodes=told.work_on_nodes,
            timeout_s=told.timeout_s,
            tell=self._tell,
        )


def open_access(
    settings: TangleSettings, *, tell: Callable[[str], None] = lambda _: None, state: Path | None = None
) -> AsyncTangle:
    """Make an ``Access`` for an event loop: see there."""
    return AsyncTangle(Access(settings, tell=tell, state=state))
