"""``kill -9`` before, in the middle of and after durable writes of every kind; the same command goes on."""

import hashlib
import random
from typing import Any

import pytest

PASSES = 2

# Kind of write, how many there surely are in a first run, steps in its middle at which the process can die.
KINDS = [
    pytest.param("key", 1, 5, id="key-file"),
    pytest.param("create", 1, 2, id="tables"),
    pytest.param("slice", 3, 3, id="slice-on-the-shelf"),
    pytest.param("first", 1, 2, id="first-commit"),
    pytest.param("model", 2, 2, id="commit-with-a-model"),
    pytest.param("uses", 1, 2, id="commit-with-a-use"),
    pytest.param("board", 1, 2, id="commit-with-the-board"),
    pytest.param("journal", 40, 1, id="journal-line"),
    pytest.param("publish", 4, 3, id="announcement"),
    pytest.param("put", 2, 3, id="stored-file"),
]


@pytest.mark.parametrize(("kind", "most", "middles"), KINDS)
def test_a_killed_peer_goes_on_from_its_last_durable_moment(stage: Any, kind: str, most: int, middles: int) -> None:
    seeded = random.Random(f"kill/{kind}")
    steps = [0, *sorted(seeded.sample(range(1, middles + 1), min(2, middles))), -1]
    killed = 0
    for step in steps:
        killed += _killed(stage, kind, seeded.randint(1, most), step)
    assert killed >= 2, "later runs have fewer writes left, but the first ones must have met theirs"

    last = stage.read("anna")
    ended = stage.run("anna")
    assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    _check_resumed(stage, last, ended)
    state = stage.read("anna")
    assert state.queued == 0
    assert set(state.uses.values()) == {PASSES}
    trained = stage.trained("anna")
    # A line may be lost with the process, but a pass is never made twice.
    assert max(trained.values()) <= PASSES
    assert sum(trained.values()) >= PASSES * len(state.uses) - killed
    assert stage.most_begun("anna") == PASSES
    stage.check_numbers("anna")
    peers = {line.peer for line in stage.journal("anna")}
    assert len(peers) == 1


def _killed(stage: Any, kind: str, number: int, step: int) -> bool:
    key, before = stage.key("anna"), stage.read("anna")
    ended = stage.run("anna", kind, number, step)
    assert ended.was_killed or (ended.code, ended.out) == (0, "converged\n"), ended.err
    assert key is None or stage.key("anna") == key
    _check_resumed(stage, before, ended)
    after = stage.read("anna")
    durable = [entry["durable"] for entry in ended.diary if "durable" in entry]
    begun = [entry["begun"] for entry in ended.diary if "begun" in entry]
    if after is None:
        assert before is None
        assert not durable
        return ended.was_killed
    if before is not None:
        assert after.sequence >= before.sequence
        assert after.cycle >= before.cycle
        assert all(after.uses.get(digest, 0) >= uses for digest, uses in before.uses.items())
    # What was reported durable is there; of what was under way, all or nothing.
    known = [*durable[-1:], *begun[len(durable) :]] or [before.model if before is not None else None]
    assert after.model in known if durable else after.model in {*known, before.model if before is not None else None}
    assert after.own == (after.model or after.own)
    assert all(uses <= PASSES for uses in after.uses.values())
    # A number is durable before anybody can see it.
    own = {line.peer for line in stage.journal("anna")} if (stage.state("anna") / "events.jsonl").exists() else set()
    seen = [s.announcement.sequence for s in stage.announcements("anna") if s.announcement.author in own]
    assert max(seen, default=0) <= after.sequence
    return ended.was_killed


def _check_resumed(stage: Any, before: Any, ended: Any) -> None:
    """What the process began with is what the reader found before it began."""
    resumed = [entry for entry in ended.diary if "resumed" in entry]
    if not resumed:
        return
    (entry,) = resumed
    if before is None or before.weights is None:
        assert entry["initial"]
        assert entry["bytes"] == stage.initial_sha256()
    else:
        assert entry["resumed"] == before.own == before.model
        assert entry["bytes"] == hashlib.sha256(before.weights).hexdigest()


def test_a_file_that_was_stored_when_the_peer_was_killed_is_released_by_the_next_run(stage: Any) -> None:
    strays = set()
    for number in (2, 3, 4):
        ended = stage.run("anna", "put", number, -1)
        strays |= stage.strays("anna") if ended.was_killed else set()
    assert strays, "it could not be remembered"
    for _ in range(2):
        ended = stage.run("anna")
        assert (ended.code, ended.out) == (0, "converged\n"), ended.err
    assert not strays & stage.strays("anna")
