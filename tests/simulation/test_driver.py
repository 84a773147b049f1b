"""The parts of the driver: time, chance, orders carried out on the spot, journals."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec.identity import Identity
from learnae.errors import StateError, UnavailableError, UsageError
from learnae.report.reading import read_journal
from learnae.simulation.carrying import InlinePace, carry_out
from learnae.simulation.chance import Chance, seed_bytes
from learnae.simulation.clock import VirtualClock
from learnae.simulation.node import Verified
from learnae.simulation.peers import Interval, SimulatedPeer
from learnae.simulation.result import write_journals
from learnae.simulation.simulation import Simulation
from learnae.values.announcements import PROTOCOL, Announcement, Presence
from learnae.values.choices import Role
from learnae.values.ids import SessionId
from learnae.values.manifest import Manifest


@given(st.lists(st.floats(0.0, 100.0), max_size=30))
def test_things_are_done_in_the_order_of_their_times(times: list[float]) -> None:
    clock = VirtualClock()
    done: list[tuple[float, int]] = []
    for number, time_s in enumerate(times):
        clock.at(time_s, lambda number=number: done.append((clock.now_s, number)))  # type: ignore[misc]
    while clock.next_s() is not None:
        clock.step()
    assert done == sorted((time_s, number) for number, time_s in enumerate(times))


def test_the_past_is_over() -> None:
    clock = VirtualClock()
    clock.pass_until(5.0)
    clock.pass_until(3.0)
    assert clock.read() == 5.0
    with pytest.raises(UsageError, match="too late"):
        clock.at(4.0, lambda: None)
    with pytest.raises(UsageError, match="too late"):
        clock.at(float("nan"), lambda: None)


def test_what_is_cancelled_does_not_happen_and_does_not_pile_up() -> None:
    clock, done = VirtualClock(), list[int]()
    kept = clock.at(5.0, lambda: done.append(5))
    for number in range(1000):
        clock.cancel(clock.at(1.0 + number, lambda: done.append(-1)))
    assert len(clock) <= 2
    clock.cancel(clock.at(1.0, lambda: done.append(-1)))
    assert clock.next_s() == 5.0
    clock.step()
    clock.cancel(kept)
    assert (done, clock.now_s, clock.next_s()) == ([5], 5.0, None)
    with pytest.raises(UsageError, match="nothing is planned"):
        clock.step()


def test_of_what_was_signed_only_the_latest_on_each_subject_is_remembered() -> None:
    identity, verified = Identity.from_seed(bytes(32)), Verified()
    first, second = (
        identity.sign(Announcement(PROTOCOL, SessionId("5" * 64), identity.peer, number, Presence(Role.FULL, False, None, ())))
        for number in (1, 2)
    )
    verified.add(first)
    assert first in verified
    verified.add(second)
    assert (first in verified, second in verified) == (False, True)


def test_attempts_are_made_until_one_succeeds() -> None:
    async def fail() -> int:
        raise UnavailableError("gone")

    async def answer() -> int:
        return 3

    assert carry_out(InlinePace().first([fail, answer, fail])) == 3
    with pytest.raises(UnavailableError, match="gone"):
        carry_out(InlinePace().first([fail, fail]))


def test_streams_of_chance_depend_on_seed_and_name() -> None:
    first = [Chance(1, "a").share() for _ in range(2)]
    assert first[0] == first[1]
    assert len({Chance(seed, name).share() for seed in (1, 2) for name in ("a", "b")}) == 4
    chance = Chance(1, "a")
    assert len({chance.entropy(32) for _ in range(50)}) == 50
    assert [len(chance.entropy(size)) for size in (0, 1, 64, 100)] == [0, 1, 64, 100]
    assert all(2.0 <= chance.between(2.0, 3.0) < 3.0 for _ in range(100))
    assert chance.between(2.0, 2.0) == 2.0
    assert seed_bytes(1, "a") != seed_bytes(1, "b")


def test_what_answers_at_once_is_carried_out() -> None:
    async def answer() -> int:
        pace = InlinePace()
        return await pace.compute(lambda: 1) + await pace.decode(lambda: 2) + await pace.within(three())

    async def three() -> int:
        return 3

    async def fail() -> None:
        raise UnavailableError("gone")

    assert carry_out(answer()) == 6
    with pytest.raises(UnavailableError, match="gone"):
        carry_out(fail())


def test_what_waits_is_the_callers_bug() -> None:
    with pytest.raises(UsageError, match="must be there at once"):
        carry_out(asyncio.sleep(0))


@pytest.mark.parametrize(
    ("begin_s", "end_s", "meets"),
    [
        pytest.param(0.0, 0.9, False, id="before"),
        pytest.param(0.0, 1.0, True, id="reaching in"),
        pytest.param(1.5, 1.5, True, id="a moment"),
        pytest.param(2.0, 2.0, False, id="its end"),
        pytest.param(0.0, 9.0, True, id="around"),
    ],
)
def test_intervals(begin_s: float, end_s: float, meets: bool) -> None:
    assert Interval(1.0, 2.0).meets(begin_s, end_s) is meets


def test_journals_are_those_of_real_peers(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation], tmp_path: Path
) -> None:
    with simulate(terms(), [peer(0), peer(1)]) as simulation:
        result = simulation.run()
    paths = write_journals(result, tmp_path / "out")
    assert paths == {name: tmp_path / "out" / name / "events.jsonl" for name in ("peer-00", "peer-01")}
    for item in result.peers:
        lines = read_journal(paths[item.name]).lines
        assert list(lines) == [line for line in result.lines if line.peer == item.peer]
    assert sum(path.stat().st_size for path in paths.values()) == len(result.journal())
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        write_journals(result, tmp_path / "file")


def test_another_process_with_other_hashes_of_strings_gives_the_same_bytes(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "simulated.py"
    digests = set()
    for hash_seed in ("0", "1"):
        out = tmp_path / hash_seed
        arguments = ["--peers", "4", "--rows", "150", "--passes", "1", "--out", str(out), "--json"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, str(script), *arguments], check=True, capture_output=True, env=environment)
        written = sorted(out.rglob("events.jsonl"))
        assert len(written) == 4
        digests.add(hashlib.sha256(b"".join(path.read_bytes() for path in written)).hexdigest())
    assert len(digests) == 1
