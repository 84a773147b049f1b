"""The tangle for an event loop."""

import asyncio
import threading
from typing import Any

import pytest
from learnae_iota.bundles.bundles import Posting
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import Nodes
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import Tangle
from tangle_rig import MemoryNode

from learnae.errors import UnavailableError

HERE = "HERE".ljust(81, "9")


class Slow(MemoryNode):
    """A node that answers only when the test lets it, or the call is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.came, self.ended = threading.Event(), threading.Event()

    def ask(self, command: str, arguments: Any, *, stop: Any = None, timeout_s: float | None = None) -> Any:
        self.came.set()
        while not stop.asked:
            threading.Event().wait(0.005)
        self.ended.set()
        return super().ask(command, arguments, stop=stop)


def open_async(node: MemoryNode, weight: int = 1) -> AsyncTangle:
    return AsyncTangle(Tangle(Nodes([Node(node)]), weight=weight))


def test_its_calls_are_those_of_the_tangle() -> None:
    async def run() -> None:
        node = MemoryNode()
        tangle = open_async(node)
        bundle = await tangle.send([Posting(HERE, "A" * 3000)])
        assert (await tangle.fetch(Query(addresses=(HERE,)))).bundles == (bundle,)
        again = await tangle.attach(bundle)
        node.confirmed.add(again.tail)
        assert await tangle.is_confirmed([bundle.tail, again.tail])
        assert await tangle.now_ms() > 0
        await tangle.aclose()
        await tangle.aclose()
        with pytest.raises(UnavailableError, match="was closed"):
            await tangle.now_ms()

    asyncio.run(run())


def test_what_is_cancelled_ends_at_once_and_its_thread_soon() -> None:
    async def run() -> None:
        node = Slow()
        tangle = open_async(node)
        task = asyncio.create_task(tangle.send([Posting(HERE, "A")]))
        await asyncio.to_thread(node.came.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(node.ended.wait, 10)
        await tangle.aclose()

    asyncio.run(run())


def test_proof_of_work_is_cancelled() -> None:
    async def run() -> None:
        node = MemoryNode()
        tangle = open_async(node, weight=20)
        task = asyncio.create_task(tangle.send([Posting(HERE, "A")]))
        while "getTransactionsToApprove" not in node.asked:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(tangle.aclose(), 10)  # which waits for the threads

    asyncio.run(run())


def test_closing_ends_what_is_under_way() -> None:
    async def run() -> None:
        node = Slow()
        tangle = open_async(node)
        task = asyncio.create_task(tangle.fetch(Query(addresses=(HERE,))))
        await asyncio.to_thread(node.came.wait)
        await tangle.aclose()
        with pytest.raises(Exception, match="the tangle was closed"):
            await task

    asyncio.run(run())


def test_calls_go_on_side_by_side() -> None:
    async def run() -> None:
        tangle = open_async(MemoryNode())
        bundles = await asyncio.gather(*(tangle.send([Posting(HERE, "A" * 100 * n)]) for n in range(1, 9)))
        fetched = await tangle.fetch(Query(addresses=(HERE,)))
        assert {bundle.hash for bundle in fetched.bundles} == {bundle.hash for bundle in bundles}
        await tangle.aclose()

    asyncio.run(run())
