"""Several nodes: who is asked, who is passed over, whose clock counts."""

from itertools import pairwise

import pytest
from learnae_iota.nodes.node import Node
from learnae_iota.nodes.several import FRESH_S, REST_S, Nodes
from learnae_iota.stopping import Stop, StoppedError
from tangle_rig import Fault, MemoryNode

from learnae.errors import ConfigError, DamagedError, TooLargeError, UnavailableError, UsageError


class World:
    """Nodes in memory, and a clock that goes when the test says so."""

    def __init__(self, *nodes: MemoryNode) -> None:
        self.seconds = 1_000.0
        self.memory = nodes
        self.told: list[str] = []
        self.nodes = Nodes(
            [Node(node) for node in nodes],
            clock=lambda: int(self.seconds * 1000),
            monotonic=lambda: self.seconds,
            tell=self.told.append,
        )

    def used(self, *, writes: bool = False) -> str:
        return self.nodes.first(lambda node: node.name, writes=writes)


def world(count: int) -> World:
    return World(*(MemoryNode(name=f"node {number}") for number in range(count)))


def test_the_first_is_preferred() -> None:
    assert [world(3).used() for _ in range(3)] == ["node 0"] * 3


def test_a_dead_one_is_passed_over_and_asked_last_for_a_while() -> None:
    here = world(3)
    here.memory[0].faults.add(Fault.DEAD)
    assert here.used() == "node 1"
    asked = len(here.memory[0].asked)
    assert here.used() == "node 1"
    assert len(here.memory[0].asked) == asked
    here.memory[0].faults.clear()
    here.seconds += REST_S
    assert here.used() == "node 0"


def test_it_rests_longer_each_time_and_no_longer_than_eight_minutes() -> None:
    here, failed_at = world(2), []
    here.memory[0].faults.add(Fault.DEAD)
    for _ in range(100):
        before = len(here.memory[0].asked)
        assert here.used() == "node 1"
        if len(here.memory[0].asked) > before:
            failed_at.append(here.seconds)
        here.seconds += REST_S
    pauses = [(later - sooner) / REST_S for sooner, later in pairwise(failed_at)]
    assert pauses == [1, 2, 4, 8, 16, 16, 16, 16, 16]
    here.memory[0].faults.clear()
    here.seconds += 16 * REST_S
    assert here.used() == "node 0"


def test_the_only_one_is_asked_whatever_it_did() -> None:
    here = world(1)
    here.memory[0].faults.add(Fault.DEAD)
    for _ in range(3):
        with pytest.raises(UnavailableError, match=r"^node 0 does not answer$"):
            here.used()
    here.memory[0].faults.clear()
    assert here.used() == "node 0"


def test_where_none_works_each_says_why() -> None:
    here = world(3)
    here.memory[0].faults.add(Fault.DEAD)
    here.memory[1].faults.add(Fault.BEHIND)
    here.memory[2].faults.add(Fault.DEAD)
    sentence = "^node 0 does not answer; node 1 is not synchronised: it has milestone 3 of 7; node 2 does not answer$"
    with pytest.raises(UnavailableError, match=sentence):
        here.used(writes=True)


def test_one_that_is_behind_is_read_last_and_not_written_to() -> None:
    here = world(2)
    here.memory[0].faults.add(Fault.BEHIND)
    assert here.used() == "node 1"
    here.memory[1].faults.add(Fault.DEAD)
    here.seconds += FRESH_S
    assert here.used() == "node 0"
    with pytest.raises(UnavailableError):
        here.used(writes=True)
    here.memory[0].faults.clear()
    assert here.used(writes=True) == "node 0"


@pytest.mark.parametrize("error", [UnavailableError, DamagedError, TooLargeError])
def test_one_with_which_the_work_fails_is_passed_over(error: type[Exception]) -> None:
    here, tried = world(3), []

    def work(node: Node) -> str:
        tried.append(node.name)
        if len(tried) < 3:
            raise error("no")
        return "done"

    assert here.nodes.first(work) == "done"
    assert tried == ["node 0", "node 1", "node 2"]


def test_the_callers_own_fault_is_nobody_elses() -> None:
    here, tried = world(2), []

    def work(node: Node) -> None:
        tried.append(node.name)
        raise UsageError("no")

    with pytest.raises(UsageError):
        here.nodes.first(work)
    assert tried == ["node 0"]


def test_a_stop_ends_it() -> None:
    here, stop = world(2), Stop()

    def work(_: Node) -> None:
        stop.ask()
        raise UnavailableError("because it was stopped")

    with pytest.raises(StoppedError):
        here.nodes.first(work, stop=stop)
    assert here.memory[1].asked == []


def test_a_node_of_another_tangle_is_passed_over_and_said() -> None:
    here = World(
        MemoryNode(name="node 0"), MemoryNode(name="node 1", coordinator="OTHER".ljust(81, "9")), MemoryNode(name="node 2")
    )
    assert here.used() == "node 0"
    here.memory[0].faults.add(Fault.DEAD)
    for _ in range(3):
        here.seconds += FRESH_S
        assert here.used() == "node 2"
    text = "node 1 is of another tangle than the others: it follows another coordinator"
    assert here.told == [f"{text}; it is passed over"]
    assert here.nodes.look()[1].trouble == text
    here.memory[2].faults.add(Fault.DEAD)
    here.seconds += 16 * REST_S
    with pytest.raises(UnavailableError, match=text):
        here.used()


def test_a_clock_that_is_put_right_counts_again() -> None:
    here = World(MemoryNode(name="node 0"))
    here.memory[0].time_ms = int(here.seconds * 1000) + 3_600_000
    here.used()
    assert here.nodes.now_ms() == int(here.seconds * 1000) + 3_600_000
    here.seconds += FRESH_S
    here.memory[0].time_ms = int(here.seconds * 1000)
    here.used()
    assert here.nodes.now_ms() == int(here.seconds * 1000)


def test_what_a_node_says_of_itself_is_believed_for_a_while() -> None:
    here = world(1)
    for _ in range(3):
        here.used()
    assert here.memory[0].asked == ["getNodeInfo"]
    here.seconds += FRESH_S
    here.used()
    assert here.memory[0].asked == ["getNodeInfo"] * 2


@pytest.mark.parametrize(
    ("theirs_ms", "ours_ms"),
    [
        pytest.param(0, 1_000_000, id="says nothing"),
        pytest.param(1_000_900, 1_000_000, id="nearly the same"),
        pytest.param(940_000, 1_000_000, id="within the tolerance"),
        pytest.param(1_700_000, 1_700_000, id="ahead"),
        pytest.param(100_000, 100_000, id="behind"),
    ],
)
def test_a_clock_that_is_far_off_is_corrected(theirs_ms: int, ours_ms: int) -> None:
    here = World(MemoryNode(time_ms=theirs_ms))
    assert here.nodes.now_ms() == 1_000_000
    here.used()
    assert here.nodes.now_ms() == ours_ms
    assert here.nodes.look()[0].ahead_ms == ours_ms - 1_000_000


def test_the_clock_is_that_of_the_node_that_works() -> None:
    here = World(MemoryNode(name="node 0", time_ms=5_000_000), MemoryNode(name="node 1", time_ms=9_000_000))
    assert here.used() == "node 0"
    assert here.nodes.now_ms() == 5_000_000
    here.memory[0].faults.add(Fault.DEAD)
    here.seconds += FRESH_S
    here.memory[1].time_ms += 60_000
    assert here.used() == "node 1"
    assert here.nodes.now_ms() == 9_060_000


def test_all_are_looked_at() -> None:
    here = world(3)
    here.memory[1].faults.add(Fault.DEAD)
    here.memory[2].faults.add(Fault.BEHIND)
    looks = here.nodes.look()
    assert [look.name for look in looks] == ["node 0", "node 1", "node 2"]
    assert [look.info is None for look in looks] == [False, True, False]
    assert [look.trouble for look in looks] == [
        "",
        "node 1 does not answer",
        "node 2 is not synchronised: it has milestone 3 of 7",
    ]


def test_there_is_one_at_least() -> None:
    with pytest.raises(ConfigError, match="no node is given; give the URL of one"):
        Nodes([])


def test_all_are_closed() -> None:
    here = world(2)
    here.nodes.close()
    assert all(node.closed for node in here.memory)
