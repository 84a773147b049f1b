"""The queue's indexes say what the table says, after anything; choosing is even-handed and repeatable."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from learnae.machine.memory import Memory, QueuedPass
from learnae.machine.notebook import Notebook
from learnae.machine.passes import Passes

PASS = st.tuples(st.sampled_from("abcde"), st.integers(1, 3))


@settings(derandomize=True, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["add", "drop"]), PASS)), most=st.integers(1, 6))
def test_the_indexes_follow_the_table(lab: Any, steps: Any, most: int) -> None:
    notebook = Notebook(lab.rules(), Memory(), lab.sign)
    passes, queue = Passes(notebook), notebook.memory.queue
    for what, (digest, number) in steps:
        if what == "add":
            passes.add(digest, number)
        else:
            was_queued = f"{digest}/{number}" in queue
            assert passes.drop(digest, number) == was_queued
    left = {queued.slice for queued in queue.values()}
    assert set(passes.slices()) == left
    assert all(passes.is_queued(digest) == (digest in left) for digest in "abcde")
    again = Notebook(lab.rules(), Memory(queue=dict(sorted(queue.items(), reverse=True))), lab.sign)
    chosen = passes.choose(most, lambda *_: True)
    assert chosen == Passes(again).choose(most, lambda *_: True), "a restart changes nothing"
    assert len(chosen) == min(most, len(left))
    assert len({queued.slice for queued in chosen}) == len(chosen), "no slice twice"
    assert all(queue[f"{queued.slice}/{queued.number}"] == queued for queued in chosen)
    numbers = [queued.number for queued in chosen]
    assert numbers == sorted(numbers), "lowest pass first"
    assert all(queued.number == min(q.number for q in queue.values() if q.slice == queued.slice) for queued in chosen)


def test_dropping_says_whether_there_was_something(lab: Any) -> None:
    notebook = Notebook(lab.rules(), Memory(queue={"a/1": QueuedPass("a", 1)}), lab.sign)  # type: ignore[arg-type]
    passes = Passes(notebook)
    assert passes.drop("a", 1)
    assert not passes.drop("a", 1)
    assert notebook.memory.queue == {}
