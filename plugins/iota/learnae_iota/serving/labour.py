"""``attachToTangle``: proof of work for those who ask, one bundle at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from learnae.errors import DamagedError
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS, Bundle
from learnae_iota.bundles.transactions import Transaction, decode_transaction
from learnae_iota.serving.declining import UNAVAILABLE, DeclinedError
from learnae_iota.serving.requests import AttachToTangle
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import HASH_TRYTES, are_trytes

MAX_QUEUE = 16
"""How many may wait for their turn, or be at it."""


class Labour:
    """Does the work in a thread of its own, for one after the other in the order in which they asked. One event loop.

    Args:
        weight: The weight magnitude, the only one that is done.
        kernel: Computes.
        clock: Milliseconds since 1970.
    """

    def __init__(self, weight: int, kernel: Kernel, clock: Callable[[], int]) -> None:
        self._weight = weight
        self._kernel = kernel
        self._clock = clock
        self._turn = asyncio.Lock()
        self._queue = 0
        self._stop: Stop | None = None
        self._is_over = False
        self._thread = ThreadPoolExecutor(1, "learnae-node-work")

    async def attach(self, request: AttachToTangle) -> dict[str, object]:
        """Answer ``attachToTangle``: the bundle by index, the tail first. Cancellation ends the work.

        Raises:
            DeclinedError: The request is wrong, too many wait, or somebody interrupted the work.
        """
        bundle, tips = self._read(request)
        if self._queue >= MAX_QUEUE:
            message = f"{MAX_QUEUE} others wait for their proof of work; ask again later"
            raise DeclinedError(message, UNAVAILABLE)
        self._queue += 1
        try:
            async with self._turn:
                return {"trytes": await self._work(bundle, tips)}
        finally:
            self._queue -= 1

    def interrupt(self) -> None:
        """End the work that is under way, if there is any; whoever asked for it is told."""
        if self._stop is not None:
            self._stop.ask()

    def end(self) -> None:
        """End the work that is under way, and begin no other."""
        self._is_over = True
        self.interrupt()

    async def aclose(self) -> None:
        """End all work, and the thread."""
        self.end()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _work(self, bundle: Bundle, tips: Tips) -> tuple[str, ...]:
        if self._is_over:
            raise DeclinedError("the node is about to end", UNAVAILABLE)
        stop = self._stop = Stop()

        def work() -> tuple[str, ...]:
            return attach_bundle(bundle, tips, self._weight, stop=stop, clock=self._clock, kernel=self._kernel).trytes

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except StoppedError as exc:
            raise DeclinedError("the proof of work was interrupted", UNAVAILABLE) from exc
        finally:
            stop.ask()
            self._stop = None

    def _read(self, request: AttachToTangle) -> tuple[Bundle, Tips]:
        if (request.min_weight_magnitude or self._weight) != self._weight:
            message = f"Wrong MinWeightMagnitude. requested: {request.min_weight_magnitude}, expected: {self._weight}"
            raise DeclinedError(message)
        for name, text in (("trunk", request.trunk_transaction), ("branch", request.branch_transaction)):
            if not are_trytes(text, HASH_TRYTES):
                raise DeclinedError(f"invalid {name} transaction: {text[:100]}")
        if not request.trytes:
            raise DeclinedError("No trytes given.")
        if len(request.trytes) > MAX_TRANSACTIONS:
            raise DeclinedError(f"Too many trytes. Max. allowed: {MAX_TRANSACTIONS}")
        transactions = _ordered(request.trytes)
        return Bundle(transactions), Tips(request.trunk_transaction, request.branch_transaction)


def _ordered(trytes: list[str]) -> tuple[Transaction, ...]:
    try:
        transactions = [decode_transaction(text) for text in trytes]
    except DamagedError as exc:
        raise DeclinedError(f"invalid transaction trytes: {exc}") from exc
    needed = transactions[0].last_index + 1
    if len(transactions) != needed:
        raise DeclinedError(f"Invalid bundle length. Received txs: {len(transactions)}, Bundle requires: {needed}")
    transactions.sort(key=lambda transaction: transaction.index)
    for place, transaction in reversed(list(enumerate(transactions))):
        if transaction.index != place:
            raise DeclinedError(f"Invalid transaction index. Got: {transaction.index}, expected: {place}")
    return tuple(transactions)
