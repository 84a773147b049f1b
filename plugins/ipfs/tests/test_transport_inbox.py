"""Messages that wait: bounded, each once, and nobody crowds out the others."""

import asyncio

import pytest
from learnae_ipfs.transport.inbox import (
    AGAIN_S,
    KEPT_MESSAGES,
    LIVE_BYTES,
    LIVE_MESSAGES,
    LIVE_SOURCES,
    REMEMBERED,
    REMEMBERED_S,
    FairQueue,
    Inbox,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(inbox: Inbox) -> list[bytes]:
    found = []
    while (message := inbox.take()) is not None:
        found.append(message)
    return found


def test_a_flood_leaves_room_for_others() -> None:
    inbox = Inbox(Clock())
    for number in range(3 * LIVE_MESSAGES):
        inbox.offer("mallory", b"flood %d" % number)
    for number in range(50):
        inbox.offer("alice", b"honest %d" % number)
    found = taken(inbox)
    assert len(found) <= LIVE_MESSAGES
    assert [message for message in found if message.startswith(b"honest")] == [b"honest %d" % number for number in range(50)]
    assert max(found.index(b"honest %d" % number) for number in range(50)) < 200, "they take turns with the flood"


def test_large_messages_are_bounded_by_bytes() -> None:
    inbox = Inbox(Clock())
    for number in range(1_000):
        inbox.offer(f"m{number % 3}", number.to_bytes(4, "big") * 16_384)
    assert LIVE_BYTES * 0.9 < sum(map(len, taken(inbox))) <= LIVE_BYTES


def test_a_crowd_of_names_is_bounded_and_mailboxes_have_room_of_their_own() -> None:
    inbox = Inbox(Clock())
    for number in range(2 * LIVE_SOURCES):
        inbox.offer(f"mallory {number}", b"flood %d" % number)

    async def run() -> None:
        assert await inbox.put("alice", b"honest")

    asyncio.run(run())
    found = taken(inbox)
    assert len(found) == LIVE_SOURCES + 1
    assert b"honest" in found[:2]


def test_what_comes_again_soon_is_dropped_and_later_comes_through() -> None:
    clock = Clock()
    inbox = Inbox(clock)
    inbox.offer("alice", b"same")
    inbox.offer("bob", b"same")
    assert taken(inbox) == [b"same"]
    clock.now += AGAIN_S - 1
    inbox.offer("alice", b"same")
    assert taken(inbox) == []
    clock.now += 2
    inbox.offer("alice", b"same")
    assert taken(inbox) == [b"same"]


def test_own_messages_do_not_come_back() -> None:
    inbox = Inbox(Clock())
    inbox.sent(b"mine")
    inbox.offer("me", b"mine")
    assert taken(inbox) == []


def test_what_was_dropped_for_want_of_room_can_still_come_from_a_mailbox() -> None:
    inbox = Inbox(Clock())
    for number in range(2 * LIVE_MESSAGES):
        inbox.offer("alice", b"%d" % number)
    came = set(taken(inbox))

    async def run() -> None:
        for number in range(2 * LIVE_MESSAGES):
            message = b"%d" % number
            assert await inbox.put("alice", message) == (message not in came)
            came.update(taken(inbox))

    asyncio.run(run())
    assert len(came) == 2 * LIVE_MESSAGES


def test_what_was_shed_for_somebody_else_can_still_come_from_a_mailbox() -> None:
    inbox = Inbox(Clock())
    for number in range(LIVE_MESSAGES):
        inbox.offer("alice", b"%d" % number)
    inbox.offer("bob", b"bob's")
    shed = b"%d" % (LIVE_MESSAGES - 1)
    assert shed not in taken(inbox)

    async def run() -> None:
        assert await inbox.put("alice", shed)

    asyncio.run(run())


def test_mailboxes_are_waited_with_and_lose_nothing() -> None:
    async def run() -> list[bytes]:
        inbox = Inbox(Clock())
        total = 2 * KEPT_MESSAGES

        async def read() -> None:
            for number in range(total):
                await inbox.put("alice", b"%d" % number)

        reading = asyncio.create_task(read())
        found: list[bytes] = []
        while len(found) < total:
            async with asyncio.timeout(30):
                await inbox.wait()
            found += taken(inbox)
            await asyncio.sleep(0)
        await reading
        return found

    assert asyncio.run(run()) == [b"%d" % number for number in range(2 * KEPT_MESSAGES)]


def test_cancelling_who_waits_for_room_takes_nothing() -> None:
    async def run() -> None:
        inbox = Inbox(Clock())
        for number in range(KEPT_MESSAGES):
            await inbox.put("alice", b"%d" % number)
        waiting = asyncio.create_task(inbox.put("alice", b"last"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert b"last" not in taken(inbox)
        assert await inbox.put("alice", b"last")

    asyncio.run(run())


def test_waking_ends_a_wait() -> None:
    async def run() -> None:
        inbox = Inbox(Clock())
        inbox.wake()
        async with asyncio.timeout(30):
            await inbox.wait()
        waiting = asyncio.create_task(inbox.wait())
        await asyncio.sleep(0)
        inbox.wake()
        async with asyncio.timeout(30):
            await waiting

    asyncio.run(run())


def test_only_so_many_are_remembered() -> None:
    inbox = Inbox(Clock())
    for number in range(REMEMBERED + 1):
        inbox.sent(b"%d" % number)
    inbox.offer("alice", b"0")
    inbox.offer("alice", b"2")
    assert taken(inbox) == [b"0"]


def test_for_so_long_they_are_remembered() -> None:
    clock = Clock()
    inbox = Inbox(clock)
    inbox.offer("alice", b"old")
    assert taken(inbox) == [b"old"]
    clock.now += REMEMBERED_S + 1
    inbox.sent(b"another")
    assert asyncio.run(inbox.put("alice", b"old"))
    assert taken(inbox) == [b"old"]


def test_an_empty_queue_has_nothing_to_give() -> None:
    queue = FairQueue()
    with pytest.raises(IndexError):
        queue.pop()
    with pytest.raises(IndexError):
        queue.shed()
    queue.push("alice", b"x")
    assert queue.pop() == b"x"
    assert (queue.bytes, queue.messages, queue.sources) == (0, 0, 0)
