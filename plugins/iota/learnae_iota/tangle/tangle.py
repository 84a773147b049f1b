"""The Tangle: messages go in as bundles, and come out again.

Calls block, because what takes the time does: proof of work, and the standard library's HTTP. A sensor's command uses them as
they are; a peer's event loop uses ``AsyncTangle``, which makes the same calls in threads.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from learnae.errors import ConfigError, UnavailableError
from learnae_iota.bundles.attaching import MAX_WEIGHT, attach_bundle
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle, Posting, prepare_bundle
from learnae_iota.lanes import Lanes
from learnae_iota.nodes.client import ClientName, open_client
from learnae_iota.nodes.exchange import RefusedError
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Look, Nodes
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetched, Query, fetch_bundles, united
from learnae_iota.trinary.kernel import Kernel, choose_kernel

MAX_FETCHED = 5000
"""Transactions that one fetch brings unless the caller says otherwise: some 15 MB."""

_LANES = 16
_HASH = "invalid transaction hash"  # so HORNET and our node say that the work is too little
_WORK_TIMEOUT_S = 600.0


class Tangle:
    """A private tangle. Any number of threads may use it.

    All methods but ``prepare`` talk to a node, and raise:
        UnavailableError: No node does what is asked; the message says how each of them failed.
        StoppedError: ``stop`` was asked.

    Args:
        nodes: Nodes of it.
        weight: The weight magnitude that it demands, 0 … 20; its coordinator decides it.
        work_on_nodes: Whether to leave the proof of work to the node where it offers that.
        kernel: Computes; the best that is there without one.

    Raises:
        ConfigError: The weight is out of its range.
    """

    def __init__(self, nodes: Nodes, *, weight: int, work_on_nodes: bool = False, kernel: Kernel | None = None) -> None:
        if not 0 <= weight <= MAX_WEIGHT:
            raise ConfigError(f"a weight magnitude of {weight}; 0 … {MAX_WEIGHT} can be done")
        self._nodes, self._weight, self._work_on_nodes = nodes, weight, work_on_nodes
        self._kernel = kernel or choose_kernel()
        self._lanes = Lanes(_LANES)

    def send(self, postings: Sequence[Posting], *, stop: Stop | None = None) -> Bundle:
        """Make a bundle of messages, attach it, and hand it to a node.

        What is cancelled or fails may still be there, in part or, where the answer was lost, as a whole. Sending the same
        messages again is harmless: readers get the same message once more.

        Args:
            postings: At least one, and together at most 1,000 transactions of 2,187 trytes.
            stop: Ends it early.

        Raises:
            UsageError: There is no message, or there are too many.
        """
        self._nodes.first(lambda _: None, writes=True, stop=stop)  # after which a node's clock is known
        return self.attach(self.prepare(postings), stop=stop)

    def prepare(self, postings: Sequence[Posting]) -> Bundle:
        """Make a bundle of messages; nothing is sent.

        Raises:
            UsageError: There is no message, or there are too many.
        """
        return prepare_bundle(postings, self._nodes.now_ms() // 1000, self._kernel)

    def attach(self, bundle: Bundle, *, stop: Stop | None = None) -> Bundle:
        """Attach a bundle, for the first time or again, and hand it to a node.

        A bundle that was not confirmed within some ten milestones rarely will be: its tips grew old. Attached again it keeps its
        hash and its messages, and has another tail; one of its attachments confirmed is enough.

        Args:
            bundle: That was prepared, sent or fetched.
            stop: Ends it early.

        Returns:
            The new attachment.
        """
        stop = stop or Stop()
        attached = None
        if self._work_on_nodes:
            attached = self._nodes.first(partial(self._left_to, bundle=bundle, stop=stop), writes=True, stop=stop)
        if attached is None:
            tips = self._nodes.first(partial(Node.tips, stop=stop), writes=True, stop=stop)
            attached = attach_bundle(bundle, tips, self._weight, stop=stop, clock=self._nodes.now_ms, kernel=self._kernel)
        self.broadcast(attached, stop=stop)
        return attached

    def broadcast(self, bundle: Bundle, *, stop: Stop | None = None) -> None:
        """Hand an attached bundle to a node, once more where it was handed to one before; idempotent."""
        stop = stop or Stop()
        self._nodes.first(partial(self._hand_over, bundle=bundle, stop=stop), writes=True, stop=stop)

    def is_confirmed(self, tails: Sequence[str], *, stop: Stop | None = None) -> bool:
        """Tell whether a milestone confirmed one of the attachments of a bundle.

        Args:
            tails: ``Bundle.tail`` of each; at most 1,000.
            stop: Ends it early.
        """
        return any(self._nodes.first(partial(Node.confirmed, hashes=tails, stop=stop), stop=stop))

    def fetch(
        self,
        query: Query,
        *,
        known: Collection[str] = frozenset(),
        max_transactions: int = MAX_FETCHED,
        max_bundle: int = MAX_TRANSACTIONS,
        stop: Stop | None = None,
    ) -> Fetched:
        """Fetch the bundles of which a query finds a transaction; what is none is passed over. Anybody may have written them.

        Args:
            query: Finds.
            known: What earlier calls returned as ``seen``: it is passed over.
            max_transactions: The most to fetch; ``cut`` tells whether it was reached.
            max_bundle: The most transactions of one bundle; longer ones are passed over.
            stop: Ends it early.
        """
        stop = stop or Stop()

        def fetch(node: Node) -> Fetched:
            return fetch_bundles(
                node,
                query,
                known=known,
                max_transactions=max_transactions,
                max_bundle=max_bundle,
                lanes=self._lanes,
                stop=stop,
                kernel=self._kernel,
            )

        if query.everywhere:
            return united(self._nodes.each(fetch, stop=stop))
        return self._nodes.first(fetch, stop=stop)

    def holds(self, query: Query, *, stop: Stop | None = None) -> bool:
        """Tell whether the ledger has something that a query finds; only a node is asked that knows the ledger as it is now."""
        stop = stop or Stop()

        def ask(node: Node) -> bool:
            if not node.info(stop).synced:  # what it said a minute ago may be true no more
                raise UnavailableError(f"{node.name} is not synchronised")
            return bool(node.find(addresses=query.addresses, tags=query.tags, bundles=query.bundles, stop=stop).hashes)

        return self._nodes.first(ask, writes=True, stop=stop)

    def look(self, *, stop: Stop | None = None) -> tuple[Look, ...]:
        """Look at every node: who it is, whether it is synchronised, and what its clock says. Only ``StoppedError`` is raised."""
        return self._nodes.look(stop)

    def now_ms(self, *, stop: Stop | None = None) -> int:
        """Return the time in milliseconds since 1970, by the nodes' clocks where the own one is wrong: see ``Nodes.now_ms``."""
        self._nodes.first(lambda _: None, stop=stop)  # asks a node what time it is, once in a while
        return self._nodes.now_ms()

    def close(self) -> None:
        """End what talks to a node, and close the connections; idempotent. Proof of work ends with its ``stop``."""
        self._lanes.close()
        self._nodes.close()

    def _left_to(self, node: Node, bundle: Bundle, stop: Stop) -> Bundle | None:
        if not node.info(stop).works:
            return None
        return node.attach(bundle, node.tips(stop), self._weight, stop=stop, timeout_s=_WORK_TIMEOUT_S)

    def _hand_over(self, node: Node, bundle: Bundle, stop: Stop) -> None:
        """Hand transactions over one by one, side by side: HORNET waits 50 ms for others before it hashes one."""
        try:
            self._lanes.together([partial(node.broadcast, [trytes], stop) for trytes in reversed(bundle.trytes)])
        except RefusedError as exc:
            if _HASH not in str(exc):
                raise
            text = f"{exc}; is a weight magnitude of {self._weight} what this tangle demands? (--mwm, plugins.iota.weight)"
            raise RefusedError(text) from exc


def open_tangle(
    urls: Sequence[str],
    *,
    weight: int,
    client: str = ClientName.PLAIN,
    work_on_nodes: bool = False,
    timeout_s: float = 20.0,
    kernel: Kernel | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Tangle:
    """Open a tangle; nothing is sent before it is asked something.

    Args:
        urls: Of its nodes, the preferred first: see ``Exchange``.
        weight: The weight magnitude that it demands.
        client: ``plain`` or ``pyota``.
        work_on_nodes: Whether to leave the proof of work to the node where it offers that.
        timeout_s: How long one call to a node may take.
        kernel: Computes; the best that is there without one.
        tell: Takes a sentence for the operator, in any thread.

    Raises:
        ConfigError: A URL, the weight or the client cannot be used.
        ProviderError: PyOTA is asked for, and not installed; the message says how.
    """
    kernel = kernel or choose_kernel()
    nodes = [Node(open_client(url, client, timeout_s=timeout_s), kernel) for url in urls]
    return Tangle(Nodes(nodes, tell=tell), weight=weight, work_on_nodes=work_on_nodes, kernel=kernel)
