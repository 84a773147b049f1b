"""Threads, time-outs, and the way out."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from learnae.errors import DamagedError, NotFoundError, UnavailableError
from learnae.runtime import pace as module
from learnae.runtime.pace import ThreadPace
from learnae.values.journal import AnyFact


async def hang() -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def answer() -> str:
    return "here"


async def damaged() -> str:
    raise DamagedError("half of it")


async def missing() -> str:
    raise NotFoundError("nobody")


def of(attempts: list[Callable[[], Awaitable[str]]], timeout_s: float = 0.2) -> str:
    async def run() -> str:
        pace = ThreadPace(timeout_s, list[AnyFact]().append)
        try:
            return await pace.first(attempts)
        finally:
            await pace.aclose()

    return asyncio.run(run())


def test_one_that_hangs_leaves_time_to_the_others() -> None:
    assert of([hang, damaged, hang, answer]) == "here"


def test_all_that_hang_take_no_longer_than_one_may(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[float] = []

    async def pass_time(_: ThreadPace, attempt: Coroutine[Any, Any, str], timeout_s: float) -> str:
        attempt.close()
        allowed.append(timeout_s)
        raise UnavailableError("no answer")

    async def run() -> None:
        pace = ThreadPace(60.0, list[AnyFact]().append)
        with monkeypatch.context() as patched:
            patched.setattr(ThreadPace, "_within", pass_time)
            patched.setattr(asyncio.get_running_loop(), "time", lambda: sum(allowed))
            with pytest.raises(UnavailableError):
                await pace.first([hang, hang, hang])
        await pace.aclose()

    asyncio.run(run())
    assert allowed == [30.0, 15.0, 15.0]


@pytest.mark.parametrize(
    ("attempts", "error"),
    [pytest.param([missing], NotFoundError, id="only"), pytest.param([missing, damaged], DamagedError, id="last")],
)
def test_the_last_failure_is_told(attempts: list[Callable[[], Awaitable[str]]], error: type[Exception]) -> None:
    with pytest.raises(error):
        of(attempts, 60.0)


def test_closing_waits_for_the_job_under_way_and_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    begun, let_go, done = threading.Event(), threading.Event(), list[str]()
    said: list[AnyFact] = []

    def note(fact: AnyFact) -> None:
        said.append(fact)
        let_go.set()

    def job() -> None:
        begun.set()
        assert let_go.wait(60)
        done.append("first")

    async def run() -> None:
        pace = ThreadPace(60.0, note)
        tasks = [asyncio.create_task(pace.compute(job)), asyncio.create_task(pace.compute(lambda: done.append("second")))]
        assert await asyncio.to_thread(begun.wait, 60)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await pace.aclose()
        assert done == ["first"]
        await pace.aclose()

    asyncio.run(run())
    assert [getattr(fact, "text", "")[:34] for fact in said] == ["waiting for the training step unde"]


def test_who_hurries_does_not_wait() -> None:
    begun, let_go = threading.Event(), threading.Event()

    def job() -> bool:
        begun.set()
        return let_go.wait(60)

    async def run() -> None:
        pace = ThreadPace(60.0, list[AnyFact]().append)
        task = asyncio.create_task(pace.compute(job))
        assert await asyncio.to_thread(begun.wait, 60)
        pace.hurry()
        await pace.aclose()
        assert not task.done()
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    let_go.set()
