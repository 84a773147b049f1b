"""A ledger in memory, and nodes that show it: clients without HTTP, whose faults are named."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.bundles.work import transaction_hash, weight_of
from learnae_iota.nodes.client import Reply
from learnae_iota.nodes.exchange import RefusedError
from learnae_iota.stopping import Stop
from learnae_iota.trinary.kernel import choose_kernel

from learnae.errors import UnavailableError

COORDINATOR = "COORDINATOR".ljust(81, "9")
_PLACES = {"addresses": slice(2187, 2268), "tags": slice(2592, 2619), "bundles": slice(2349, 2430)}


class Fault(Enum):
    """What a node does wrong."""

    DEAD = auto()
    """It does not answer."""
    BEHIND = auto()
    """It is not synchronised."""
    LYING = auto()
    """It returns other transactions than it is asked for."""
    FULL_DISK = auto()
    """It refuses to take transactions."""
    STOPS_TAKING = auto()
    """It dies after the first transaction that it took."""


class MemoryNode:
    """A node of a ledger, which several may share: a ``Client``.

    Args:
        ledger: Trytes by hash.
        name: How errors call it.
        limit: The most hashes in one answer.
        weight: The weight magnitude that it demands.
        coordinator: 81 trytes.
        time_ms: Its clock.

    Attributes:
        faults: What it does wrong now.
        asked: The commands that came.
        confirmed: The hashes that a milestone confirmed.
    """

    def __init__(
        self,
        ledger: dict[str, str] | None = None,
        *,
        name: str = "the node in memory",
        limit: int = 1000,
        weight: int = 1,
        coordinator: str = COORDINATOR,
        time_ms: int = 0,
    ) -> None:
        self.ledger = {} if ledger is None else ledger
        self.name, self.limit, self.weight, self.coordinator, self.time_ms = name, limit, weight, coordinator, time_ms
        self.faults: set[Fault] = set()
        self.asked: list[str] = []
        self.confirmed: set[str] = set()
        self.tips = (NULL_HASH, NULL_HASH)
        self.closed = False
        self._lock = threading.Lock()
        self._kernel = choose_kernel()

    def ask(
        self, command: str, arguments: Mapping[str, Any], *, stop: Stop | None = None, timeout_s: float | None = None
    ) -> Reply:
        (stop or Stop()).check()
        with self._lock:
            self.asked.append(command)
            if Fault.DEAD in self.faults or self.closed:
                raise UnavailableError(f"{self.name} does not answer")
            reply: Reply = getattr(self, f"_{command}")(arguments)
            return {**reply, "duration": 0}

    def close(self) -> None:
        self.closed = True

    def _getNodeInfo(self, _: Mapping[str, Any]) -> Reply:  # noqa: N802
        return {
            "appName": "memory",
            "appVersion": "1",
            "latestMilestoneIndex": 7,
            "latestSolidSubtangleMilestoneIndex": 3 if Fault.BEHIND in self.faults else 7,
            "time": self.time_ms,
            "features": [],
            "coordinatorAddress": self.coordinator,
        }

    def _getNodeAPIConfiguration(self, _: Mapping[str, Any]) -> Reply:  # noqa: N802
        if self.limit == 1000:
            raise RefusedError(f"{self.name} refuses: the command is unknown")
        return {"maxFindTransactions": self.limit, "maxGetTrytes": self.limit}

    def _getTransactionsToApprove(self, _: Mapping[str, Any]) -> Reply:  # noqa: N802
        return {"trunkTransaction": self.tips[0], "branchTransaction": self.tips[1]}

    def _broadcastTransactions(self, arguments: Mapping[str, Any]) -> Reply:  # noqa: N802
        if Fault.FULL_DISK in self.faults:
            raise RefusedError(f"{self.name} refuses: no space left")
        for trytes in arguments["trytes"]:
            digest = transaction_hash(trytes, self._kernel)
            if weight_of(digest) < self.weight:
                raise RefusedError(f"{self.name} refuses: Invalid transaction hash")
            self.ledger[digest] = trytes
            if Fault.STOPS_TAKING in self.faults:
                self.faults.add(Fault.DEAD)
        return {}

    def _findTransactions(self, arguments: Mapping[str, Any]) -> Reply:  # noqa: N802
        found = []
        for digest in sorted(self.ledger):
            trytes = self.ledger[digest]
            if all(any(trytes[_PLACES[kind]] == value.ljust(27, "9") for value in values) for kind, values in arguments.items()):
                found.append(digest)
        return {"hashes": found[: self.limit]}

    def _getTrytes(self, arguments: Mapping[str, Any]) -> Reply:  # noqa: N802
        if len(arguments["hashes"]) > self.limit:
            raise RefusedError(f"{self.name} refuses: too many hashes")
        lie = Fault.LYING in self.faults
        return {"trytes": ["A" * 2673 if lie else self.ledger.get(digest, "9" * 2673) for digest in arguments["hashes"]]}

    def _getInclusionStates(self, arguments: Mapping[str, Any]) -> Reply:  # noqa: N802
        return {"states": [digest in self.confirmed for digest in arguments["transactions"]]}
