"""What waits and what is written down is bounded, whatever strangers and slow ledgers do."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from learnae.errors import UnavailableError
from learnae.runtime.ignoring import MOST_LINES, WINDOW_S, IgnoredMessages
from learnae.runtime.latest import Latest
from learnae.runtime.trouble import Trouble
from learnae.values.journal import AnyFact, MessageIgnored, Notice


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_only_the_latest_of_each_key_waits_and_keeps_the_place_of_the_first(things: list[tuple[str, int]]) -> None:
    async def run() -> list[tuple[str, int]]:
        latest: Latest[str, tuple[str, int]] = Latest()
        for key, number in things:
            latest.put(key, (key, number))
        assert len(latest) == len(dict(things))
        taken = []
        while len(latest):
            taken.append(await latest.take())
            latest.done()
        await latest.join()
        return taken

    assert asyncio.run(run()) == list(dict(things).items())


def test_joining_waits_for_what_was_taken() -> None:
    async def run() -> None:
        latest: Latest[str, int] = Latest()
        latest.put("a", 1)
        joining = asyncio.create_task(latest.join())
        assert await latest.take() == 1
        latest.put("b", 2)
        latest.done()
        await asyncio.wait([joining], timeout=0)
        assert not joining.done()
        assert await latest.take() == 2
        latest.done()
        await joining

    asyncio.run(run())


def test_a_flood_of_ignored_messages_is_counted() -> None:
    now, said = [0.0], list[AnyFact]()
    ignored = IgnoredMessages(said.append, lambda: now[0])
    for _ in range(MOST_LINES + 5):
        ignored.add("forged", 10)
    assert len(said) == MOST_LINES
    now[0] = WINDOW_S
    ignored.add("forged again", 7)
    assert said[MOST_LINES:] == [
        MessageIgnored("5 more messages within 60 s, left out here", 50),
        MessageIgnored("forged again", 7),
    ]
    ignored.sum_up()
    assert len(said) == MOST_LINES + 2


def test_trouble_is_said_once_and_when_it_is_over() -> None:
    said: list[AnyFact] = []
    trouble = Trouble("cannot listen now", said.append)
    trouble.passed()
    for _ in range(100):
        trouble.came(UnavailableError("refused"))
        trouble.came(UnavailableError("late"))
    for number in range(100):
        trouble.came(UnavailableError(f"port {number}"))
    trouble.passed()
    trouble.passed()
    texts = ["refused", "late", "port 0", "that is over"]
    assert said == [Notice(f"cannot listen now: {text}") for text in texts]
