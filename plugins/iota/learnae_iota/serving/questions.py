"""The commands that only look: what they answer, and their texts, are those of HORNET 0.5.6 where it has them."""

import random
import sqlite3
from collections.abc import Callable
from importlib.metadata import version

from learnae_iota.bundles.transactions import NULL_HASH, TAG_TRYTES
from learnae_iota.bundles.work import TRANSACTION_TRYTES
from learnae_iota.serving.declining import DeclinedError
from learnae_iota.serving.ledger import KEPT_TIPS, Ledger
from learnae_iota.serving.records import (
    Standing,
    are_confirmed,
    find_hashes,
    latest_milestone,
    ledger_name,
    missing_hashes,
    newest_tips,
    standing_of,
    trytes_of,
    unpack,
)
from learnae_iota.serving.requests import (
    Addresses,
    CheckConsistency,
    FindTransactions,
    GetInclusionStates,
    GetTipInfo,
    GetTransactionsToApprove,
    GetTrytes,
    Nothing,
    require_addresses,
    require_hashes,
)
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

MAX_RESULTS = 1_000
"""Of one request, and of what one asks for, as with HORNET."""

RECENT_TIPS = 100
"""How many of the newest tips two are drawn from."""

Answer = dict[str, object]


class Questions:
    """Answers them; any number of threads may ask.

    Args:
        ledger: Where to look.
        settings: The node's.
        clock: Milliseconds since 1970.
        draw: Draws the tips.
    """

    def __init__(self, ledger: Ledger, settings: NodeSettings, clock: Callable[[], int], draw: random.Random) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._draw = draw
        self._version = version("learnae-iota")

    def node_info(self, *, near: bool) -> Answer:
        """Answer ``getNodeInfo``; what it can do depends on whether the one who asks is on this machine."""
        latest = self._ledger.look(latest_milestone)
        return {
            "appName": "LEARNAE development node",
            "appVersion": self._version,
            "latestMilestone": latest.hash,
            "latestMilestoneIndex": latest.number,
            "latestSolidSubtangleMilestone": latest.hash,
            "latestSolidSubtangleMilestoneIndex": latest.number,
            "isSynced": True,
            "isHealthy": True,
            "milestoneStartIndex": 1,
            "lastSnapshottedMilestoneIndex": 1,
            "neighbors": 0,
            "time": self._clock(),
            "tips": len(self._ledger.look(lambda ledger: newest_tips(ledger, KEPT_TIPS))),
            "transactionsToRequest": len(self._ledger.look(lambda ledger: missing_hashes(ledger, MAX_RESULTS))),
            "features": [*(["RemotePOW"] if near or self._settings.remote_work else []), "WereAddressesSpentFrom"],
            "coordinatorAddress": self._ledger.look(ledger_name),  # by it clients tell one tangle from another
        }

    def api_configuration(self, request: Nothing) -> Answer:
        """Answer ``getNodeAPIConfiguration``."""
        del request
        return {
            "maxFindTransactions": MAX_RESULTS,
            "maxRequestsList": MAX_RESULTS,
            "maxGetTrytes": MAX_RESULTS,
            "maxBodyLength": self._settings.max_body_bytes,
            "milestoneStartIndex": 1,
        }

    def find(self, request: FindTransactions) -> Answer:
        """Answer ``findTransactions``: at most 1,000 hashes, in their order, without a word of what was left out."""
        bundles, addresses = request.bundles or [], request.addresses or []
        tags, approvees = request.tags or [], request.approvees or []
        wanted = request.max_results or request.max_results_too
        limit = min(MAX_RESULTS, wanted) if wanted > 0 else MAX_RESULTS
        given = len(bundles) + len(addresses) + len(tags) + len(approvees)
        if given > limit:
            raise DeclinedError(f"too many bundle, address, approvee or tag hashes. max. allowed: {limit}")
        require_hashes(bundles, "bundle hash invalid")
        require_hashes(approvees, "aprovee hash invalid")
        addresses = require_addresses(addresses, "address hash invalid")
        for tag in tags:
            if not tag or not are_trytes(tag):
                raise DeclinedError(f"tag invalid: {tag[:100]}")
            if len(tag) > TAG_TRYTES:
                raise DeclinedError(f"tag invalid length: {tag[:100]}")
        if not given or (addresses and request.value_only):  # nothing here has a value
            return {"hashes": []}
        tags = [tag.ljust(TAG_TRYTES, "9") for tag in tags]

        def find(ledger: sqlite3.Connection) -> list[str]:
            return find_hashes(ledger, bundles=bundles, addresses=addresses, tags=tags, approvees=approvees, limit=limit)

        return {"hashes": self._ledger.look(find)}

    def trytes(self, request: GetTrytes) -> Answer:
        """Answer ``getTrytes``; what is not here is all 9."""
        hashes = request.hashes or []
        if len(hashes) > MAX_RESULTS:
            raise DeclinedError(f"Too many hashes. Max. allowed: {MAX_RESULTS}")
        require_hashes(hashes, "Invalid hash supplied")
        found = self._ledger.look(lambda ledger: trytes_of(ledger, hashes))
        return {"trytes": ["9" * TRANSACTION_TRYTES if kept is None else unpack(kept) for kept in found]}

    def inclusion_states(self, request: GetInclusionStates) -> Answer:
        """Answer ``getInclusionStates``."""
        hashes = request.transactions or []
        if len(hashes) > MAX_RESULTS:
            raise DeclinedError(f"Too many transactions. Max. allowed: {MAX_RESULTS}")
        require_hashes(hashes, "Invalid reference hash supplied")
        return {"states": self._ledger.look(lambda ledger: are_confirmed(ledger, hashes))}

    def consistency(self, request: CheckConsistency) -> Answer:
        """Answer ``checkConsistency``, as nodes did before HORNET, which says yes to everything."""
        tails = request.tails or []
        if len(tails) > MAX_RESULTS:
            raise DeclinedError(f"Too many tails. Max. allowed: {MAX_RESULTS}")
        require_hashes(tails, "Invalid reference hash supplied")
        for tail in tails:
            standing = self._standing(tail)
            if standing is None:
                raise DeclinedError(f"Invalid transaction, missing: {tail}")
            if not standing.is_tail:
                raise DeclinedError(f"Invalid transaction, not a tail: {tail}")
            if standing.is_waiting:
                return {"state": False, "info": f"tails are not solid (missing a referenced tx): {tail}"}
            if not standing.is_ready:
                return {"state": False, "info": f"tails are not consistent (bundle is invalid): {tail}"}
        return {"state": True}

    def tip_info(self, request: GetTipInfo) -> Answer:
        """Answer ``getTipInfo``."""
        tail = request.tail_transaction
        if not are_trytes(tail, HASH_TRYTES):
            raise DeclinedError("invalid tail hash supplied")
        standing = self._standing(tail)
        if standing is None:
            raise DeclinedError("unknown tail transaction")
        if not standing.is_tail:
            raise DeclinedError("transaction is not a tail")
        if standing.is_waiting:
            raise DeclinedError("transaction is not solid")
        (confirmed,) = self._ledger.look(lambda ledger: are_confirmed(ledger, [tail]))
        return {"confirmed": confirmed, "conflicting": False, "shouldPromote": False, "shouldReattach": not standing.is_ready}

    def tips(self, request: Nothing) -> Answer:
        """Answer ``getTips``."""
        del request
        return {"hashes": self._ledger.look(lambda ledger: newest_tips(ledger, MAX_RESULTS))}

    def to_approve(self, request: GetTransactionsToApprove) -> Answer:
        """Answer ``getTransactionsToApprove``: two of the newest tips, drawn by lot."""
        if request.reference and not are_trytes(request.reference, HASH_TRYTES):
            raise DeclinedError("invalid reference hash supplied")
        tips = self._ledger.look(lambda ledger: newest_tips(ledger, RECENT_TIPS)) or [NULL_HASH]
        trunk, *rest = self._draw.sample(tips, min(2, len(tips)))
        return {"trunkTransaction": trunk, "branchTransaction": request.reference or (rest or [trunk])[0]}

    def missing(self, request: Nothing) -> Answer:
        """Answer ``getMissingTransactions``."""
        del request
        return {"hashes": self._ledger.look(lambda ledger: missing_hashes(ledger, MAX_RESULTS))}

    def balances(self, request: Addresses) -> Answer:
        """Answer ``getBalances``: nobody has anything."""
        addresses = self._addresses(request, "invalid address")
        latest = self._ledger.look(latest_milestone)
        return {"balances": ["0"] * len(addresses), "references": [latest.hash], "milestoneIndex": latest.number}

    def spent(self, request: Addresses) -> Answer:
        """Answer ``wereAddressesSpentFrom``: none was."""
        return {"states": [False] * len(self._addresses(request, "Provided address invalid"))}

    def _standing(self, name: str) -> Standing | None:
        return self._ledger.look(lambda ledger: standing_of(ledger, name))

    def _addresses(self, request: Addresses, complaint: str) -> list[str]:
        if not request.addresses:
            raise DeclinedError("No addresses provided")
        if len(request.addresses) > MAX_RESULTS:
            raise DeclinedError(f"Too many addresses. Max. allowed: {MAX_RESULTS}")
        return require_addresses(request.addresses, complaint)
