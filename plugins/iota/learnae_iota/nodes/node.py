"""One node of the ledger: the commands of its legacy HTTP API, with every answer checked.

A node may lie: what it returns as a transaction is hashed again, and what it attached for us is compared with what it was given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from learnae.errors import DamagedError
from learnae_iota.bundles.attaching import Tips, check_attached
from learnae_iota.bundles.bundles import Bundle
from learnae_iota.bundles.transactions import Transaction, decode_transaction
from learnae_iota.bundles.work import TRANSACTION_TRYTES, transaction_hash
from learnae_iota.nodes import replies
from learnae_iota.nodes.client import Client
from learnae_iota.nodes.exchange import RefusedError, complaint
from learnae_iota.stopping import Stop
from learnae_iota.trinary.kernel import Kernel, choose_kernel
from learnae_iota.trinary.trytes import are_trytes

DEPTH = 3
"""How far back a node goes to choose tips; HORNET does not ask."""

_NOTHING = "9" * TRANSACTION_TRYTES  # what a node returns for a transaction that it does not have
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What a node says of itself.

    Attributes:
        program: Its name and version, fit for a terminal.
        milestone: The last milestone that it has with all that it confirms.
        latest_milestone: The last one that it heard of.
        milestone_hash: Of the first transaction of that one, 81 trytes; empty if it does not say.
        synced: Whether it knows the ledger as it is now.
        time_ms: Its clock, in milliseconds since 1970.
        works: Whether it does proof of work for others.
        coordinator: The address of the coordinator, 81 trytes, which tells one tangle from another; empty if it does not say.
    """

    program: str
    milestone: int
    latest_milestone: int
    milestone_hash: str
    synced: bool
    time_ms: int
    works: bool
    coordinator: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a node found.

    Attributes:
        hashes: Of transactions, 81 trytes each, sorted, each once.
        cut: The answer was full: there may be more, and no query shows them.
    """

    hashes: tuple[str, ...]
    cut: bool


class Node:
    """One node. Any number of threads may use it.

    All methods raise what ``Client.ask`` does, and ``DamagedError`` where the answer is none that a node gives.

    Args:
        client: Speaks to it.
        kernel: Computes; the best that is there without one.
    """

    def __init__(self, client: Client, kernel: Kernel | None = None) -> None:
        self._client, self._kernel = client, kernel or choose_kernel()
        self._limits: replies.Limits | None = None

    @property
    def name(self) -> str:
        """How errors call it."""
        return self._client.name

    def info(self, stop: Stop | None = None) -> NodeInfo:
        """Ask who it is (``getNodeInfo``)."""
        said = self._ask(replies.Info, "getNodeInfo", {}, stop)
        return NodeInfo(
            program=complaint(f"{said.app_name} {said.app_version}"),
            milestone=said.solid,
            latest_milestone=said.latest,
            milestone_hash=said.latest_hash or "",
            synced=said.solid >= said.latest if said.synced is None else said.synced,
            time_ms=said.time_ms,
            works="RemotePOW" in said.features,
            coordinator=said.coordinator or "",
        )

    def tips(self, stop: Stop | None = None) -> Tips:
        """Ask for tips to approve (``getTransactionsToApprove``)."""
        said = self._ask(replies.Approve, "getTransactionsToApprove", {"depth": DEPTH}, stop)
        return Tips(said.trunk, said.branch)

    def attach(
        self, bundle: Bundle, tips: Tips, weight: int, *, stop: Stop | None = None, timeout_s: float | None = None
    ) -> Bundle:
        """Let it attach a bundle (``attachToTangle``); stopped, it goes on with that for itself.

        Args:
            bundle: Which.
            tips: What it approves.
            weight: The weight magnitude; HORNET takes its own only.
            stop: Ends the waiting.
            timeout_s: How long its proof of work may take.
        """
        arguments = {
            "trunkTransaction": tips.trunk,
            "branchTransaction": tips.branch,
            "minWeightMagnitude": weight,
            "trytes": bundle.trytes[::-1],
        }
        said = self._ask(replies.Trytes, "attachToTangle", arguments, stop, timeout_s)
        return check_attached(bundle, said.trytes, tips, weight, self._kernel)

    def broadcast(self, transactions: Sequence[str], stop: Stop | None = None) -> None:
        """Let it take attached transactions, 2,673 trytes each, and hand them on (``broadcastTransactions``). Idempotent."""
        self._ask(replies.Done, "broadcastTransactions", {"trytes": list(transactions)}, stop)

    def store(self, transactions: Sequence[str], stop: Stop | None = None) -> None:
        """Let it keep attached transactions (``storeTransactions``); HORNET does so anyway, and for it both commands are one."""
        self._ask(replies.Done, "storeTransactions", {"trytes": list(transactions)}, stop)

    def find(
        self,
        *,
        addresses: Iterable[str] = (),
        tags: Iterable[str] = (),
        bundles: Iterable[str] = (),
        approvees: Iterable[str] = (),
        stop: Stop | None = None,
    ) -> Found:
        """Search transactions (``findTransactions``): those with one of the values; of several kinds, with one of each kind."""
        query = {"addresses": addresses, "tags": tags, "bundles": bundles, "approvees": approvees}
        arguments = {kind: list(values) for kind, values in query.items()}
        said = self._ask(
            replies.FoundHashes, "findTransactions", {kind: values for kind, values in arguments.items() if values}, stop
        )
        return Found(tuple(sorted(set(said.hashes))), len(said.hashes) >= self._known_limits(stop).find)

    def transactions(self, hashes: Sequence[str], stop: Stop | None = None) -> dict[str, Transaction | None]:
        """Fetch transactions (``getTrytes``).

        Args:
            hashes: 81 trytes each; at most a hundred, which keeps the answer small.
            stop: Ends it early.

        Returns:
            What it has; ``None`` for what is in the ledger and cannot be read as a transaction.

        Raises:
            DamagedError: One of them is not what its hash says.
        """
        said = self._ask(replies.Trytes, "getTrytes", {"hashes": list(hashes)}, stop)
        if len(said.trytes) != len(hashes):
            raise self._nonsense("getTrytes")
        found: dict[str, Transaction | None] = {}
        for digest, trytes in zip(hashes, said.trytes, strict=True):
            if trytes == _NOTHING:
                continue
            if not are_trytes(trytes, TRANSACTION_TRYTES) or transaction_hash(trytes, self._kernel) != digest:
                raise DamagedError(f"{self.name} returns another transaction than the one that was asked for")
            try:
                found[digest] = decode_transaction(trytes)
            except DamagedError:
                found[digest] = None
        return found

    def most_transactions(self, stop: Stop | None = None) -> int:
        """Return how many transactions it returns at a time."""
        return self._known_limits(stop).trytes

    def confirmed(self, hashes: Sequence[str], stop: Stop | None = None) -> list[bool]:
        """Ask which transactions a milestone confirmed (``getInclusionStates``); one that it does not know is not."""
        said = self._ask(replies.States, "getInclusionStates", {"transactions": list(hashes)}, stop)
        if len(said.states) != len(hashes):
            raise self._nonsense("getInclusionStates")
        return said.states

    def consistent(self, tails: Sequence[str], stop: Stop | None = None) -> bool:
        """Ask whether tails can still be confirmed (``checkConsistency``); HORNET says so of all."""
        return self._ask(replies.State, "checkConsistency", {"tails": list(tails)}, stop).state

    def close(self) -> None:
        """End what is under way, and close the connections; idempotent."""
        self._client.close()

    def _known_limits(self, stop: Stop | None) -> replies.Limits:
        if self._limits is None:
            try:
                self._limits = self._ask(replies.Limits, "getNodeAPIConfiguration", {}, stop)
            except RefusedError:
                self._limits = replies.Limits()  # a node of another kind, or one that keeps it to itself
        return self._limits

    def _ask(
        self, kind: type[_T], command: str, arguments: Mapping[str, Any], stop: Stop | None, timeout_s: float | None = None
    ) -> _T:
        said = self._client.ask(command, arguments, stop=stop, timeout_s=timeout_s)
        try:
            return msgspec.convert(said, type=kind)
        except msgspec.ValidationError as exc:
            raise self._nonsense(command) from exc

    def _nonsense(self, command: str) -> DamagedError:
        return DamagedError(f"{self.name} answers {command} as no node does")
