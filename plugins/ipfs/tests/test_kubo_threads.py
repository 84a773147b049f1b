"""The client's threads: cancelled at once, bounded in number, and never in the way of the program's end."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from learnae_ipfs.kubo import Endpoint, Kubo, PubsubMessage, wire
from learnae_ipfs.kubo import client as kubo_module
from learnae_ipfs.kubo.client import CALLS, FETCHES
from learnae_ipfs.kubo.stop import Stop
from learnae_ipfs.kubo.threads import Seats
from scripted_daemon import ScriptedDaemon, Visit

from learnae.errors import UnavailableError

CID = wire.raw_cid(b"some file")
PEER = "12D3KooWQKPpsroq4k4Ss9aF12ugkpgmJvBBLuKGeMhW5qUwxUyb"
VERSION = b'{"Version":"0.43.0"}'


def script(visit: Visit) -> None:
    """Answer at once what is quick, and never what is to be fetched."""
    call = visit.request.first.split("?")[0].removeprefix("POST /api/v0/")
    if call == "pubsub/sub":
        visit.head("Transfer-Encoding: chunked")
        for number in range(3):
            line = f'{{"from":"{PEER}","data":"{wire.write_multibase(b"%d" % number)}"}}\n'.encode()
            visit.send(b"%x\r\n%b\r\n" % (len(line), line))
        visit.hang()
    elif call in {"cat", "add", "pin/add"}:
        visit.hang()
    else:
        visit.answer(VERSION)


def run(use: Callable[[Kubo, ScriptedDaemon], Awaitable[Any]]) -> None:
    async def main(daemon: ScriptedDaemon) -> None:
        client = Kubo(Endpoint(daemon.address))
        try:
            async with asyncio.timeout(60.0):
                await use(client, daemon)
        finally:
            await client.aclose()

    with ScriptedDaemon(script) as daemon:
        asyncio.run(main(daemon))
    assert not left()


def left() -> list[str]:
    """Return the client's threads that are left, after a moment in which they may end."""
    deadline = time.monotonic() + 20.0
    while (found := [t.name for t in threading.enumerate() if t.name.startswith("learnae-ipfs")]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # ``run`` ends it
        await asyncio.sleep(0.01)


def test_a_cancelled_call_returns_at_once_and_leaves_nothing() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        for call in (client.cat(CID, max_bytes=10), client.pin(CID), client.add(bytes(2_000_000))):
            asked = len(daemon.requests)
            waiting = asyncio.create_task(call)
            await until(lambda asked=asked: len(daemon.requests) > asked)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert await client.version() == "0.43.0"

    run(use)


def test_cancelling_over_and_over_opens_no_files_and_threads() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        async def cancel_all() -> None:
            waiting = [asyncio.create_task(client.cat(CID, max_bytes=10)) for _ in range(30)]
            await asyncio.sleep(0.02)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            await client.version()

        for _ in range(3):
            await cancel_all()
        files, threads = open_files(), threading.active_count()
        for _ in range(20):
            await cancel_all()
        # Each connection has two ends and a thread in this process; some end a moment later.
        await until(lambda: open_files() <= files + 3 * FETCHES and threading.active_count() <= threads + 2 * FETCHES)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not list a process's open files")
    run(use)


def test_what_waits_for_others_is_not_in_the_way_of_what_does_not() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        waiting = [asyncio.create_task(client.cat(CID, max_bytes=10)) for _ in range(3 * FETCHES)]
        await until(lambda: len(daemon.requests) == FETCHES)
        assert [await client.version() for _ in range(CALLS)] == ["0.43.0"] * CALLS
        assert len(daemon.requests) == FETCHES + CALLS
        waiting[-1].cancel()  # it never had a thread
        waiting[0].cancel()  # the next has one
        await until(lambda: len(daemon.requests) == FETCHES + CALLS + 1)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    run(use)


def test_closing_ends_everything() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        subscription = client.subscribe("a")
        await subscription.opened()
        for _ in range(3):
            await anext(subscription)
        waiting = [asyncio.create_task(client.cat(CID, max_bytes=10)) for _ in range(FETCHES + 5)]
        waiting.append(asyncio.create_task(anext(subscription)))  # type: ignore[arg-type]
        await until(lambda: len(daemon.requests) == FETCHES + 1)
        await client.aclose()
        await client.aclose()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(error, UnavailableError) for error in ended[:-1])
        assert isinstance(ended[-1], StopAsyncIteration)
        for call in (client.version(), client.cat(CID, max_bytes=10), anext(client.subscribe("a"))):
            with pytest.raises(UnavailableError, match="closed"):
                await call

    run(use)


def test_a_call_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubo_module, "SLACK_S", -29.9)

    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        with pytest.raises(UnavailableError, match="was not over after"):
            await client.pin(CID, patience_s=0.1)
        assert await client.version()

    run(use)


def test_a_subscription_loses_nothing_when_waiting_is_cancelled() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        subscription = client.subscribe("a")
        heard: list[PubsubMessage] = []
        while len(heard) < 3:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    heard.append(await anext(subscription))
        assert [message.data for message in heard] == [b"0", b"1", b"2"]
        assert {message.sender for message in heard} == {PEER}
        waiting = asyncio.create_task(anext(subscription))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await subscription.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting
        await subscription.aclose()
        assert [message async for message in subscription] == []

    run(use)


def test_a_subscription_that_never_began() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        subscription = client.subscribe("a")
        await subscription.aclose()
        with pytest.raises(UnavailableError):
            await subscription.opened()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)
        assert not daemon.requests

    run(use)


def test_many_subscriptions_end_at_once() -> None:
    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        for _ in range(5):
            subscriptions = [client.subscribe(f"{number}") for number in range(10)]
            await asyncio.gather(*(subscription.opened() for subscription in subscriptions))
            await asyncio.gather(*(subscription.aclose() for subscription in subscriptions))
        await until(lambda: not [thread for thread in threading.enumerate() if "subscription" in thread.name])

    run(use)


def test_who_does_not_listen_any_more_is_not_waited_for() -> None:
    """The event loop ends without any goodbye, as that of a program with a bug does."""
    with ScriptedDaemon(script) as daemon:

        async def forgetful() -> None:
            subscription = Kubo(Endpoint(daemon.address)).subscribe("a")
            await anext(subscription)

        asyncio.run(forgetful())
    assert not left()


@pytest.mark.parametrize("ending", ["return", "raise SystemExit(0)", "os.kill(os.getpid(), signal.SIGINT)", "loop"])
def test_the_interpreter_ends_whatever_is_under_way(ending: str) -> None:
    program = """
        import asyncio, os, signal, sys
        from learnae_ipfs.kubo import Endpoint, Kubo

        async def main():
            client = Kubo(Endpoint(sys.argv[1]))
            subscription = client.subscribe("a")
            await subscription.opened()
            tasks = [asyncio.ensure_future(client.cat(sys.argv[2], max_bytes=10, patience_s=300.0)) for _ in range(20)]
            tasks.append(asyncio.ensure_future(client.add(bytes(5_000_000))))
            await client.version()
            await asyncio.sleep(0.3)
            ENDING
            await asyncio.sleep(0)

        try:
            LOOP
        except KeyboardInterrupt:
            pass
    """
    loop = (
        "asyncio.get_event_loop_policy().new_event_loop().run_until_complete(main())"
        if ending == "loop"
        else "asyncio.run(main())"
    )
    program = textwrap.dedent(program).replace("ENDING", "return" if ending == "loop" else ending).replace("LOOP", loop)
    with ScriptedDaemon(script) as daemon:
        command = [sys.executable, "-c", program, daemon.address, CID]
        ended = subprocess.run(
            command, check=False, capture_output=True, timeout=60, env={**os.environ, "PYTHONWARNINGS": "ignore"}
        )
    assert ended.returncode == 0, ended.stderr.decode()
    assert b"Fatal" not in ended.stderr


def test_a_file_is_fetched_into_memory_of_its_own_size() -> None:
    size = 40 * 2**20

    def give(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked", f"X-Content-Length: {size}")
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        for _ in range(size // 0x8000):
            visit.send(chunk)
        visit.send(b"0\r\n\r\n")

    async def main(daemon: ScriptedDaemon) -> int:
        client = Kubo(Endpoint(daemon.address))
        tracemalloc.start()
        try:
            assert len(await client.cat(CID, max_bytes=2**30)) == size
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await client.aclose()

    with ScriptedDaemon(give) as daemon:
        assert asyncio.run(main(daemon)) < 1.25 * size + 2**20


def test_a_file_is_sent_without_a_copy() -> None:
    data = bytes(40 * 2**20)
    said = f'{{"Hash":"{CID}"}}'.encode()

    def drain(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            end, view = b"", memoryview(bytearray(65_536))
            while not end.endswith(b"--\r\n\r\n0\r\n\r\n"):
                count = connection.recv_into(view)
                if not count:
                    return
                end = (end + bytes(view[max(0, count - 20) : count]))[-20:]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))

    async def main(address: str) -> int:
        client = Kubo(Endpoint(address))
        tracemalloc.start()
        try:
            assert await client.add(data) == CID
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await client.aclose()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        draining = threading.Thread(target=drain, args=(listener,), daemon=True)
        draining.start()
        peak = asyncio.run(main(f"/ip4/127.0.0.1/tcp/{listener.getsockname()[1]}"))
        draining.join(20.0)
    assert peak < 4 * 2**20


def test_an_error_in_a_thread_comes_out() -> None:
    async def main() -> None:
        seats = Seats(2, "learnae-ipfs-test")

        def fail(stop: Stop) -> None:
            raise ZeroDivisionError

        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await seats.run(fail, limit_s=10.0)
        assert await seats.run(lambda stop: 5, limit_s=10.0) == 5
        await seats.aclose()

    asyncio.run(main())
    assert not left()


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def use(client: Kubo, daemon: ScriptedDaemon) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(2 * CALLS):
                with pytest.raises(UnavailableError, match="no thread"):
                    await client.version()
            with pytest.raises(UnavailableError, match="no thread"):
                await anext(client.subscribe("a"))
        assert await client.version()

    run(use)
