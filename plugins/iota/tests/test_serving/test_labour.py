"""Proof of work for others: one at a time, until somebody says stop."""

import asyncio
import threading

import pytest
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.clock import milliseconds
from learnae_iota.serving import labour as labour_module
from learnae_iota.serving.declining import DeclinedError
from learnae_iota.serving.labour import Labour
from learnae_iota.serving.requests import AttachToTangle
from learnae_iota.trinary.kernel import choose_kernel

HOPELESS = 20
REQUEST = AttachToTangle(NULL_HASH, NULL_HASH, list(prepare_bundle([Posting("A" * 81, "")], 1_800_000_000).trytes))


def make_labour(weight: int) -> Labour:
    return Labour(weight, choose_kernel(), milliseconds)


async def begun(labour: Labour, count: int) -> list["asyncio.Task[dict[str, object]]"]:
    """Let so many ask, one after the other, until each has taken its place in the queue."""
    tasks = [asyncio.ensure_future(labour.attach(REQUEST)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_an_interruption_ends_what_is_under_way_and_the_next_begins() -> None:
    async def scenario() -> None:
        labour = make_labour(HOPELESS)
        first, second = await begun(labour, 2)
        labour.interrupt()
        with pytest.raises(DeclinedError, match="interrupted"):
            await first
        assert not second.done()
        while not second.done():
            labour.interrupt()
            await asyncio.sleep(0.01)
        assert isinstance(second.exception(), DeclinedError)
        labour.interrupt()  # there is nothing to interrupt
        await labour.aclose()

    asyncio.run(scenario())


def test_there_is_one_thread_for_all() -> None:
    async def scenario() -> None:
        labour = make_labour(1)
        before = threading.active_count()
        answers = await asyncio.gather(*await begun(labour, 5))
        assert all(len(answer["trytes"]) == 1 for answer in answers)  # type: ignore[arg-type]  # it is a list
        assert threading.active_count() <= before + 1
        await labour.aclose()

    asyncio.run(scenario())


def test_who_goes_away_is_not_worked_for() -> None:
    async def scenario() -> None:
        labour = make_labour(HOPELESS)
        first, second = await begun(labour, 2)
        first.cancel()
        second.cancel()
        assert await asyncio.gather(first, second, return_exceptions=True) != []
        assert (first.cancelled(), second.cancelled()) == (True, True)
        await labour.aclose()  # comes back at once: the thread is free

    asyncio.run(scenario())


def test_only_so_many_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labour_module, "MAX_QUEUE", 2)

    async def scenario() -> None:
        labour = make_labour(HOPELESS)
        tasks = await begun(labour, 3)
        with pytest.raises(DeclinedError, match="2 others wait") as declined:
            await tasks[2]
        assert declined.value.status == 503
        labour.end()
        for task, why in zip(tasks, ("interrupted", "about to end"), strict=False):
            with pytest.raises(DeclinedError, match=why):
                await task
        with pytest.raises(DeclinedError, match="about to end"):
            await labour.attach(REQUEST)
        await labour.aclose()

    asyncio.run(scenario())
