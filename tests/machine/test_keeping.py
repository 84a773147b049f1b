"""Which files stay offered: own ones that were replaced, and those of others."""

from typing import Any

import pytest

from learnae.machine import events
from learnae.machine.effects import Keep, Release, StoreHashlist, StoreModel, StoreSlices
from learnae.machine.events import FileKind
from learnae.values.announcements import Retirement
from learnae.values.choices import Judge, Phase
from learnae.values.journal import FileKept, FileLetGo, Notice
from learnae.values.manifest import Limits
from learnae.values.persistency import ALL, BEST, NONE, Persistency, Policy
from learnae.values.scores import Score

LAST = Policy(last=1)
KINDS = {"model": FileKind.MODEL, "slice": FileKind.SLICE, "list": FileKind.HASHLIST}


def _desk(desk: Any, *, own: Policy = NONE, foreign: Policy = NONE, **changes: Any) -> Any:
    """Make a ready peer with one policy for all own files and one for all foreign ones."""
    persistency = Persistency(
        own_models=own, own_hashlists=own, foreign_models=foreign, foreign_slices=foreign, foreign_hashlists=foreign
    )
    given = {"persistency": persistency, "sharing": True, "retention_s": 50.0, "quiet_period_s": 1e6, "presence_interval_s": 1e6}
    it = desk(**(given | changes))
    it.ready()
    it.stored()
    return it


def _replace(lab: Any, it: Any, name: str, accuracy: float) -> Any:
    """Train a model in the place of the current one, and store it."""
    it.cut(f"slice/{name}")
    return it.trained(name, accuracy) + it.store(FileKind.MODEL, name)


def _fold(lab: Any, it: Any, name: str, accuracy: float = 0.1, *, author: str = "peer/a", loss: float = 0.5, at: str = "") -> Any:
    """Let somebody offer a model, and fold it in without success."""
    it.hear(lab.model(name, accuracy, loss=loss), author=author, sequence=_next_number(lab, it, author))
    while _folding(it) != lab.named(name):
        _folded(lab, it, None)
    return _folded(lab, it, f"mem:{at or name}")


def _fold_again(lab: Any, it: Any, name: str) -> Any:
    """Train, so that what was tried is tried again."""
    it.cut(f"slice/for/{name}")
    while it.phase is Phase.TRAINING:
        it.trained(f"model/mine/{len(it.signed)}", 0.5)
    while _folding(it) != lab.named(name):
        _folded(lab, it, None)
    return _folded(lab, it, f"mem:{name}")


def _folded(lab: Any, it: Any, locator: str | None) -> Any:
    return it.give(events.ModelFolded(lab.named("average"), lab.named("rows"), Score(0.0, 9.0, 100), 7, locator))


def _folding(it: Any) -> str:
    return str(it.machine._folding.current().now.content.record.digest)


def _next_number(lab: Any, it: Any, author: str) -> int:
    return (
        max((s.announcement.sequence for key, s in it.memory.board.items() if key.startswith(lab.named(author))), default=0) + 1
    )


def _fetch_list(lab: Any, it: Any, name: str, *slices: str, author: str = "peer/a", at: str | None = None) -> Any:
    """Let somebody offer a hashlist, and fetch it."""
    it.hear(lab.hashlist(name), author=author, sequence=_next_number(lab, it, author))
    entries = tuple(lab.entry(each) for each in slices)
    return it.give(events.HashlistFetched(lab.named(author), lab.named(name), entries, 9, at))


def _fetch_slice(lab: Any, it: Any, name: str, author: str = "peer/a") -> Any:
    return it.give(events.SliceFetched(lab.named(author), lab.named(name), 10, 9, f"mem:{name}"))


def _keep(lab: Any, name: str, *, author: str = "peer/a", at: str = "") -> Keep:
    return Keep(KINDS[name.partition("/")[0]], lab.named(author), lab.named(name), (f"mem:{at or name}",))


def _kept(lab: Any, it: Any, name: str) -> Any:
    return it.give(events.Kept(KINDS[name.partition("/")[0]], lab.named(name)))


def _orders(lab: Any, made: Any) -> list[Any]:
    return lab.of(made, (Keep, Release))


# Own files that were replaced.


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        pytest.param(NONE, ["model/initial", "model/1", "model/2"], id="none"),
        pytest.param(LAST, ["model/initial", "model/1"], id="last-1"),
        pytest.param(Policy(last=2), ["model/initial"], id="last-2"),
        pytest.param(Policy(last=9), [], id="last-9"),
        pytest.param(BEST, ["model/initial", "model/2"], id="best"),
        pytest.param(ALL, [], id="all"),
    ],
)
def test_what_stays_of_the_own_models_once_their_time_is_over(lab: Any, desk: Any, policy: Policy, gone: list[str]) -> None:
    it = _desk(desk, own=policy, passes=1)
    first = {"model/initial": f"mem:{lab.named('model/initial')}"}
    for name, accuracy in (("model/1", 0.9), ("model/2", 0.6), ("model/3", 0.7)):
        _replace(lab, it, name, accuracy)
    assert not lab.of(it.rest(49.9), Release), "whatever the policy, they stay for retention_s"
    made = it.rest(0.2)
    assert {release.locators for release in lab.of(made, Release)} == {(first.get(name, f"mem:{name}"),) for name in gone}
    assert not lab.of(it.rest(500.0), Release)
    for release in lab.of(made, Release):
        it.give(events.FilesReleased(release.locators))
    left = {"model/initial", "model/1", "model/2", "model/3"} - set(gone)
    assert it.memory.offered.keys() == {f"model/{lab.named(name)}" for name in left}


def test_a_model_goes_when_a_better_one_comes_but_not_before_its_time(lab: Any, desk: Any) -> None:
    it = _desk(desk, own=BEST, passes=1)
    _replace(lab, it, "model/1", 0.9)
    _replace(lab, it, "model/2", 0.6)
    it.rest(100.0)
    it.give(events.FilesReleased((f"mem:{lab.named('model/initial')}",)))
    assert lab.of(_replace(lab, it, "model/3", 0.95), Release) == [Release(("mem:model/1",))]
    made = it.give(events.FilesReleased(("mem:model/1",)))
    assert lab.of(made, FileLetGo) == [FileLetGo(FileKind.MODEL, lab.named("model/1"))]
    _replace(lab, it, "model/4", 0.96)
    assert not [release for release in lab.of(it.rest(49.0), Release) if "mem:model/3" in release.locators]
    assert Release(("mem:model/3",)) in lab.of(it.rest(1.1), Release)


def test_other_validation_rows_make_another_best(lab: Any, desk: Any) -> None:
    it = _desk(desk, own=BEST, passes=1)
    _replace(lab, it, "model/1", 0.9)
    _replace(lab, it, "model/2", 0.6)
    it.rest(100.0)
    it.give(events.FilesReleased((f"mem:{lab.named('model/initial')}",)))
    it.gather("rows/new")
    assert lab.of(it.score(0.1, rows="rows/new"), Release) == [Release(("mem:model/1",))], "scores of other rows say nothing"


def test_before_there_is_a_best_one_none_stays(lab: Any, desk: Any) -> None:
    it = desk(persistency=Persistency(own_models=BEST), retention_s=5.0)
    it.start()
    it.store(FileKind.MODEL, "model/old")
    assert lab.of(it.rest(5.0), Release) == [Release(("mem:model/old",))]


def test_a_model_that_stays_and_is_adopted_again_is_current(lab: Any, desk: Any) -> None:
    it = _desk(desk, own=LAST, passes=1, quiet_period_s=200.0)
    _replace(lab, it, "model/1", 0.2)
    it.rest(60.0)
    it.hear(lab.model("model/initial", 0.9, maturity=4))
    it.folded("average", 0.1)
    it.rest(200.0)
    assert it.phase is Phase.ADOPTING
    assert not lab.of(it.folded("model/initial", 0.9), StoreModel), "it is there"
    assert not lab.of(it.rest(100.0), Release), "and the other is the last one that was replaced now"
    assert it.memory.offered[f"model/{lab.named('model/1')}"].superseded


def test_the_order_in_which_models_were_replaced_survives_a_restart_and_the_policy_may_change(lab: Any, desk: Any) -> None:
    it = _desk(desk, own=ALL, passes=1)
    for name in ("model/1", "model/2", "model/3"):
        _replace(lab, it, name, 0.5)
    it.rest(100.0)
    it.restore(persistency=Persistency(own_models=LAST))
    assert not lab.of(it.start() + it.rest(49.9), Release), "their time begins anew"
    gone = {release.locators for release in lab.of(it.rest(0.2), Release)}
    assert gone == {(f"mem:{lab.named('model/initial')}",), ("mem:model/1",)}
    it.gather()
    assert Release(("mem:model/2",)) in lab.of(_replace(lab, it, "model/4", 0.5), Release)


def test_own_hashlists_stay_as_the_policy_says_but_for_one_that_was_withdrawn(lab: Any, desk: Any) -> None:
    it = _desk(desk, own=ALL)
    for number in (1, 2):
        it.cut(f"slice/{number}")
        it.give(events.SlicesStored((lab.entry(f"slice/{number}", at=str(number)),)))
        it.store(FileKind.HASHLIST, f"list/{number}")
    assert not lab.of(it.rest(200.0), Release)
    it.restore(sharing=False)
    it.start()
    for number in (1, 2):
        it.give(events.FilesReleased((str(f"mem:{number}"),)))
    gone = {release.locators for release in lab.of(it.rest(50.0), Release)}
    assert gone == {("mem:list/1",), ("mem:list/2",)}, "what leaves a private peer is a closed list"


def test_few_releases_are_under_way_at_once(lab: Any, desk: Any) -> None:
    it = _desk(desk, passes=1, max_fetches=2)
    for number in range(1, 6):
        _replace(lab, it, f"model/{number}", 0.5)
    released = lab.of(it.rest(50.0), Release)
    assert len(released) == 2
    made = it.give(events.FilesReleased(released[0].locators))
    assert len(lab.of(made, Release)) == 1
    made = it.give(events.ReleaseFailed(released[1].locators, "gone"))
    assert len(lab.of(made, Release)) == 1


def test_a_file_that_is_replaced_again_while_it_is_released_is_released_once(lab: Any, desk: Any) -> None:
    it = _desk(desk, passes=1, quiet_period_s=10.0)
    _replace(lab, it, "model/1", 0.2)
    it.hear(lab.model("model/initial", 0.9))
    it.folded("average", 0.1)
    assert lab.of(it.rest(50.0), Release)
    assert it.phase is Phase.ADOPTING
    it.folded("model/initial", 0.9)
    _replace(lab, it, "model/2", 0.3)
    assert not [each for each in lab.of(it.rest(60.0), Release) if f"mem:{lab.named('model/initial')}" in each.locators]
    it.give(events.FilesReleased((f"mem:{lab.named('model/initial')}",)))
    assert f"model/{lab.named('model/initial')}" not in it.memory.offered
    it.rest(100.0)


# Files of others.


def test_a_folded_model_is_kept_once_its_record_is_durable_and_the_next_takes_its_place(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST)
    made = _fold(lab, it, "model/a")
    assert _orders(lab, made) == [_keep(lab, "model/a")]
    record = it.durable.kept[f"model/{lab.named('model/a')}"]
    assert (record.author, record.locators, record.kept) == (lab.named("peer/a"), ("mem:model/a",), False)
    made = _kept(lab, it, "model/a")
    assert lab.of(made, FileKept) == [FileKept(FileKind.MODEL, lab.named("model/a"), lab.named("peer/a"))]
    assert it.durable.kept[f"model/{lab.named('model/a')}"].kept
    made = _fold(lab, it, "model/b", author="peer/b")
    assert _orders(lab, made) == [Release(("mem:model/a",)), _keep(lab, "model/b", author="peer/b")]
    assert not it.durable.kept[f"model/{lab.named('model/a')}"].kept, "it is not sure any more"
    made = it.give(events.FilesReleased(("mem:model/a",)))
    assert lab.of(made, FileLetGo) == [FileLetGo(FileKind.MODEL, lab.named("model/a"))]
    assert it.memory.kept.keys() == {f"model/{lab.named('model/b')}"}


def test_what_cannot_be_kept_where_it_came_from_is_not(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    it.hear(lab.model("model/a", 0.1))
    made = _folded(lab, it, None) + _fetch_list(lab, it, "list/a", "slice/a")
    made += it.give(events.SliceFetched(lab.named("peer/a"), lab.named("slice/a"), 10))
    assert not lab.of(made, (Keep, Notice))
    assert not it.memory.kept


def test_none_is_kept_of_what_the_policy_names_none_of(lab: Any, desk: Any) -> None:
    it = _desk(desk)
    made = _fold(lab, it, "model/a") + _fetch_list(lab, it, "list/a", "slice/a", at="mem:list/a")
    assert not lab.of(made + _fetch_slice(lab, it, "slice/a"), Keep)
    assert not it.memory.kept


def test_slices_and_hashlists_are_kept_too_and_counted_apart(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST)
    assert _orders(lab, _fetch_list(lab, it, "list/a", "slice/1", "slice/2", at="mem:list/a")) == [_keep(lab, "list/a")]
    assert _orders(lab, _fetch_slice(lab, it, "slice/1")) == [_keep(lab, "slice/1")]
    for name in ("list/a", "slice/1"):
        _kept(lab, it, name)
    assert _orders(lab, _fetch_slice(lab, it, "slice/2")) == [Release(("mem:slice/1",)), _keep(lab, "slice/2")]
    assert not lab.of(_fetch_slice(lab, it, "slice/forgotten"), Keep), (
        "one that was forgotten while it was on its way is of no use"
    )


def test_a_private_peer_keeps_models_and_nothing_else(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL, sharing=False)
    assert lab.of(_fold(lab, it, "model/a"), Keep)
    assert not lab.of(_fetch_list(lab, it, "list/a", "slice/a", at="mem:list/a") + _fetch_slice(lab, it, "slice/a"), Keep)


@pytest.mark.parametrize(("judge", "first"), [(Judge.ACCURACY, "model/a"), (Judge.LOSS, "model/b")])
def test_the_best_one_is_the_one_of_which_the_best_is_reported(lab: Any, desk: Any, judge: Judge, first: str) -> None:
    it = _desk(desk, foreign=BEST, judge=judge)
    made = _fold(lab, it, "model/a", 0.3, loss=0.8)
    assert lab.of(made, Keep) == [_keep(lab, "model/a")]
    _kept(lab, it, "model/a")
    made = _fold(lab, it, "model/b", 0.2, loss=0.7, author="peer/b")
    is_kept = first == "model/b"
    assert _orders(lab, made) == ([Release(("mem:model/a",)), _keep(lab, "model/b", author="peer/b")] if is_kept else [])
    _kept(lab, it, "model/b")
    made = _fold(lab, it, "model/c", 0.3 if judge is Judge.ACCURACY else 0.1, loss=0.7, author="peer/c")
    assert not lab.of(made, Keep), "of equals, the one that is there"


def test_all_means_all_each_once(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL, passes=1)
    for number in range(5):
        assert lab.of(_fold(lab, it, f"model/{number}", author=f"peer/{number}"), Keep)
        _kept(lab, it, f"model/{number}")
    _replace(lab, it, "model/mine", 0.4)
    assert not _orders(lab, _folded(lab, it, "mem:any")), "with another own model the same ones are tried again"
    assert len(it.memory.kept) == 5


def test_what_is_fetched_again_is_the_latest(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=Policy(last=2), passes=1)
    for name in ("model/a", "model/b"):
        _fold(lab, it, name, author=f"peer/{name}")
        _kept(lab, it, name)
    it.cut("slice/1")
    it.trained("model/mine", 0.4)
    first, then = ("model/a", "model/b") if _folding(it) == lab.named("model/a") else ("model/b", "model/a")
    for name in (first, then):
        _folded(lab, it, f"mem:{name}")
    assert lab.of(_fold(lab, it, "model/c", author="peer/c"), Release) == [Release((f"mem:{first}",))]


def test_few_files_are_being_kept_at_once_and_what_was_never_begun_needs_no_release(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=Policy(last=2), max_fetches=1)
    assert len(lab.of(_fold(lab, it, "model/a"), Keep)) == 1
    made = _fold(lab, it, "model/b", author="peer/b") + _fold(lab, it, "model/c", author="peer/c")
    made += _fold(lab, it, "model/d", author="peer/d")
    assert not _orders(lab, made), "what is under way is released when that is over"
    assert {file.digest for file in it.memory.kept.values()} == {lab.named(f"model/{each}") for each in "acd"}
    made = _kept(lab, it, "model/a")
    assert _orders(lab, made) == [Release(("mem:model/a",)), _keep(lab, "model/c", author="peer/c")]
    assert not lab.of(made, FileKept)
    assert _orders(lab, _kept(lab, it, "model/c")) == [_keep(lab, "model/d", author="peer/d")]


def test_what_cannot_be_kept_is_tried_again_and_given_up_in_the_end(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, retry_s=2.0)
    _fold(lab, it, "model/a")
    failed = events.KeepFailed(FileKind.MODEL, lab.named("model/a"), "the disk is full")
    made = it.give(failed)
    assert [notice.text for notice in lab.of(made, Notice)] == [
        f"cannot keep model {lab.named('model/a')[:8]} of another peer now: the disk is full"
    ]
    for wait_s in (2.0, 4.0, 8.0, 16.0, 32.0):
        assert not lab.of(it.rest(wait_s - 0.1), Keep)
        assert lab.of(it.rest(0.1), Keep) == [_keep(lab, "model/a")]
        made = it.give(failed)
        assert not lab.of(made, Notice), "said once"
    assert lab.of(made, Release) == [Release(("mem:model/a",))], "a part of it may be there"
    it.give(events.FilesReleased(("mem:model/a",)))
    assert not it.memory.kept
    assert not _orders(lab, it.rest(1_000.0))
    assert lab.of(_fold_again(lab, it, "model/a"), Keep), "who fetches it again tries again"
    _kept(lab, it, "model/a")
    _fold(lab, it, "model/b", author="peer/b")
    made = it.give(events.KeepFailed(FileKind.MODEL, lab.named("model/b"), "the disk is full"))
    assert lab.of(made, Notice), "after a success it is said again"


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_let_go_while_it_is_being_kept_is_released_afterwards(lab: Any, desk: Any, fails: bool) -> None:
    it = _desk(desk, foreign=LAST)
    _fold(lab, it, "model/a")
    assert _orders(lab, _fold(lab, it, "model/b", author="peer/b")) == [_keep(lab, "model/b", author="peer/b")]
    digest = lab.named("model/a")
    made = it.give(events.KeepFailed(FileKind.MODEL, digest, "gone") if fails else events.Kept(FileKind.MODEL, digest))
    assert _orders(lab, made) == [Release(("mem:model/a",))]
    assert not lab.of(made, (FileKept, Notice))


def test_what_is_wanted_again_while_it_is_being_kept_simply_stays(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST)
    _fold(lab, it, "model/a")
    _fold(lab, it, "model/b", author="peer/b")
    _fold_again(lab, it, "model/a")
    made = _kept(lab, it, "model/a")
    assert lab.of(made, FileKept)
    assert not _orders(lab, made)


def _releasing(lab: Any, desk: Any) -> Any:
    it = _desk(desk, foreign=LAST, retry_s=2.0)
    _fold(lab, it, "model/a")
    _kept(lab, it, "model/a")
    assert Release(("mem:model/a",)) in lab.of(_fold(lab, it, "model/b", author="peer/b"), Release)
    _kept(lab, it, "model/b")
    return it


def test_what_could_not_be_released_is_released_later(lab: Any, desk: Any) -> None:
    it = _releasing(lab, desk)
    made = it.give(events.ReleaseFailed(("mem:model/a",), "gone away"))
    assert "cannot be released now, trying again: gone away" in lab.of(made, Notice)[0].text
    assert not lab.of(it.rest(1.9), Release)
    assert lab.of(it.rest(0.2), Release) == [Release(("mem:model/a",))]
    assert not lab.of(it.give(events.ReleaseFailed(("mem:model/a",), "gone away")), Notice), "said once"
    assert lab.of(it.rest(4.0), Release) == [Release(("mem:model/a",))]
    it.give(events.FilesReleased(("mem:model/a",)))
    assert it.memory.kept.keys() == {f"model/{lab.named('model/b')}"}


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_fetched_again_while_it_is_released_is_kept_anew(lab: Any, desk: Any, fails: bool) -> None:
    it = _releasing(lab, desk)
    made = _fold_again(lab, it, "model/a")
    assert _orders(lab, made) == [Release(("mem:model/b",))], "not before it is known what came of it"
    answer = events.ReleaseFailed(("mem:model/a",), "gone") if fails else events.FilesReleased(("mem:model/a",))
    made = it.give(answer)
    assert _orders(lab, made) == [_keep(lab, "model/a")]
    assert not lab.of(made, Notice)
    assert lab.of(_kept(lab, it, "model/a"), FileKept)


def test_what_failed_to_be_released_and_is_fetched_again_is_not_released(lab: Any, desk: Any) -> None:
    it = _releasing(lab, desk)
    it.give(events.ReleaseFailed(("mem:model/a",), "gone"))
    assert _keep(lab, "model/a") in _orders(lab, _fold_again(lab, it, "model/a"))
    _kept(lab, it, "model/a")
    assert Release(("mem:model/a",)) not in lab.of(it.rest(100.0), Release)


# Restarts.


def test_after_a_crash_what_was_to_be_kept_is_and_what_was_to_go_goes(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST)
    _fold(lab, it, "model/a")
    _kept(lab, it, "model/a")
    _fold(lab, it, "model/b", author="peer/b")
    it.restore()
    assert _orders(lab, it.start()) == [Release(("mem:model/a",)), _keep(lab, "model/b", author="peer/b")]
    it.give(events.FilesReleased(("mem:model/a",)))
    _kept(lab, it, "model/b")
    it.restore()
    assert not _orders(lab, it.start() + it.rest(100.0)), "nothing is to be done"


def test_a_policy_that_names_more_after_a_restart_keeps_what_may_be_gone(lab: Any, desk: Any) -> None:
    it = _releasing(lab, desk)
    it.restore(persistency=Persistency(foreign_models=Policy(last=2)))
    assert _orders(lab, it.start()) == [_keep(lab, "model/a")], "the crash came perhaps after the release"


def test_a_policy_that_names_fewer_after_a_restart_lets_the_oldest_go(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    for name in ("a", "b", "c"):
        _fold(lab, it, f"model/{name}", author=f"peer/{name}")
        _kept(lab, it, f"model/{name}")
    it.restore(persistency=Persistency(foreign_models=LAST))
    assert {each.locators for each in lab.of(it.start(), Release)} == {("mem:model/a",), ("mem:model/b",)}
    it.restore(persistency=Persistency())
    assert len(lab.of(it.start(), Release)) == 3


def test_who_shares_no_more_after_a_restart_lets_rows_go(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    _fold(lab, it, "model/a")
    _fetch_list(lab, it, "list/a", "slice/a")
    _fetch_slice(lab, it, "slice/a")
    for name in ("model/a", "slice/a"):
        _kept(lab, it, name)
    it.restore(sharing=False)
    assert lab.of(it.start(), Release) == [Release(("mem:slice/a",))]


def test_the_latest_is_the_latest_after_a_restart_too(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=Policy(last=2))
    for name in ("z", "a"):
        _fold(lab, it, f"model/{name}", author=f"peer/{name}")
        _kept(lab, it, f"model/{name}")
    it.restore()
    it.start()
    it.gather()
    assert lab.of(_fold(lab, it, "model/m", author="peer/m"), Release) == [Release(("mem:model/z",))]


# Authors.


def test_what_a_quarantined_author_offered_goes(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL, limits=Limits(quarantine_after=1))
    _fold(lab, it, "model/a")
    _fold(lab, it, "model/b", author="peer/b")
    _fetch_list(lab, it, "list/a", "slice/a")
    _fetch_slice(lab, it, "slice/a")
    for name in ("model/a", "model/b", "slice/a"):
        _kept(lab, it, name)
    made = it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/a"), lab.named("slice/x"), "no slice", wrong=True))
    assert {each.locators for each in lab.of(made, Release)} == {("mem:model/a",), ("mem:slice/a",)}
    assert not lab.of(_fetch_list(lab, it, "list/late", at="mem:list"), Keep), "what was on its way from it is not kept"


def test_whom_the_operator_does_not_listen_to_any_more_nothing_is_kept_of(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    for name in ("model/a", "model/b"):
        _fold(lab, it, name, author=f"peer/{name[-1]}")
        _kept(lab, it, name)
    it.restore(allow=frozenset({lab.named("peer/b")}))
    assert lab.of(it.start(), Release) == [Release(("mem:model/a",))]


def test_what_its_author_withdrew_goes(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    _fold(lab, it, "model/a")
    _fetch_list(lab, it, "list/a", "slice/a", at="mem:list/a")
    _fetch_slice(lab, it, "slice/a")
    for name in ("model/a", "list/a", "slice/a"):
        _kept(lab, it, name)
    made = it.hear(Retirement("hashlist"), sequence=10_000)
    assert {each.locators for each in lab.of(made, Release)} == {("mem:list/a",), ("mem:slice/a",)}, "its rows are private now"
    assert lab.of(it.hear(Retirement("model"), sequence=10_001), Release) == [Release(("mem:model/a",))]


def test_one_that_was_let_go_is_wanted_again_when_a_later_one_has_to_go(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, limits=Limits(quarantine_after=1), retry_s=20.0)
    _fold(lab, it, "model/a")
    _kept(lab, it, "model/a")
    _fold(lab, it, "model/b", author="peer/b")
    _kept(lab, it, "model/b")
    it.give(events.ReleaseFailed(("mem:model/a",), "gone"))
    made = it.give(events.FetchFailed(FileKind.SLICE, lab.named("peer/b"), lab.named("slice/x"), "no slice", wrong=True))
    assert _orders(lab, made) == [Release(("mem:model/b",)), _keep(lab, "model/a")]


# The same file, own and foreign.


def _adopted(lab: Any, desk: Any, **policies: Policy) -> Any:
    """Keep a model and adopt it; in an unsealed session its locator is the same as an own and as a foreign one."""
    it = _desk(desk, quiet_period_s=10.0, passes=1, retry_s=5.0, **policies)
    _fold(lab, it, "model/a", 0.9)
    _kept(lab, it, "model/a")
    it.rest(10.0)
    assert it.phase is Phase.ADOPTING
    made = it.folded("model/a", 0.9)
    assert lab.of(made, StoreModel)
    it.store(FileKind.MODEL, "model/a")
    return it


def test_a_foreign_file_that_is_an_own_one_too_is_not_released_with_it(lab: Any, desk: Any) -> None:
    it = _adopted(lab, desk, foreign=LAST)
    made = _fold(lab, it, "model/b", author="peer/b")
    assert not lab.of(made, (Release, FileLetGo)), "it is the own model"
    assert it.memory.kept.keys() == {f"model/{lab.named('model/b')}"}
    _replace(lab, it, "model/mine", 0.95)
    assert Release(("mem:model/a",)) in lab.of(it.rest(60.0), Release), "when it is not, it goes as an own one goes"


def test_an_own_file_that_is_a_foreign_one_too_is_not_released_with_it(lab: Any, desk: Any) -> None:
    it = _adopted(lab, desk, foreign=LAST)
    _replace(lab, it, "model/mine", 0.95)
    assert Release(("mem:model/a",)) not in lab.of(it.rest(60.0), Release)
    assert f"model/{lab.named('model/a')}" not in it.memory.offered
    it.rest(100.0)
    assert Release(("mem:model/a",)) in lab.of(_fold(lab, it, "model/b", author="peer/b"), Release)


def test_a_model_is_not_stored_while_it_is_released_as_a_foreign_one(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, quiet_period_s=10.0)
    _fold(lab, it, "model/a", 0.9)
    _kept(lab, it, "model/a")
    assert Release(("mem:model/a",)) in _orders(lab, _fold(lab, it, "model/b", author="peer/b"))
    it.rest(10.0)
    made = it.folded("model/a", 0.9)
    assert not lab.of(made + it.rest(100.0), StoreModel)
    assert it.phase is not Phase.FINISHED, "others cannot fetch it yet"
    assert lab.of(it.give(events.FilesReleased(("mem:model/a",))), StoreModel) == [StoreModel(lab.named("model/a"))]
    assert not lab.of(it.rest(10.0), StoreModel)


@pytest.mark.parametrize("fails", [False, True])
def test_a_foreign_file_is_not_released_while_it_is_stored_as_the_own_model(lab: Any, desk: Any, fails: bool) -> None:
    it = _desk(desk, foreign=LAST, quiet_period_s=10.0, retry_s=2.0)
    _fold(lab, it, "model/a", 0.9)
    _kept(lab, it, "model/a")
    it.rest(10.0)
    assert lab.of(it.folded("model/a", 0.9), StoreModel)
    made = _fold(lab, it, "model/b", author="peer/b") + it.rest(9.0)
    assert Release(("mem:model/a",)) not in lab.of(made, Release)
    if not fails:
        it.store(FileKind.MODEL, "model/a")
        assert not lab.of(it.rest(100.0), FileLetGo)
        assert it.memory.kept.keys() == {f"model/{lab.named('model/b')}"}
        return
    it.give(events.StoreFailed(FileKind.MODEL, lab.named("model/a"), "full"))
    made = it.rest(2.0)
    assert Release(("mem:model/a",)) in lab.of(made, Release), "it is not, while it waits to be tried again"
    assert not lab.of(made, StoreModel)
    assert lab.of(it.give(events.FilesReleased(("mem:model/a",))), StoreModel)


def test_an_own_file_that_is_being_released_is_kept_as_a_foreign_one_afterwards(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, passes=1)
    _replace(lab, it, "model/mine", 0.6)
    first = f"mem:{lab.named('model/initial')}"
    assert lab.of(it.rest(50.0), Release) == [Release((first,))]
    made = _fold(lab, it, "model/initial", at=lab.named("model/initial"))
    assert not lab.of(made, Keep)
    made = it.give(events.FilesReleased((first,)))
    assert [keep.locators for keep in lab.of(made, Keep)] == [(first,)]


def test_an_own_slice_that_was_a_foreign_one_is_released_only_when_it_is_neither(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, retry_s=2.0)
    _fetch_list(lab, it, "list/a", "slice/a")
    _fetch_slice(lab, it, "slice/a")
    _kept(lab, it, "slice/a")
    it.give(events.SlicesLost((lab.named("slice/a"),)))
    assert lab.of(it.cut("slice/a"), StoreSlices), "the same rows turn out to be own ones too"
    _fetch_list(lab, it, "list/b", "slice/b", author="peer/b")
    made = _fetch_slice(lab, it, "slice/b", author="peer/b") + it.rest(1.0)
    assert Release(("mem:slice/a",)) not in lab.of(made, Release), "it is being stored"
    it.give(events.SlicesStored((lab.entry("slice/a", at="slice/a"),)))
    assert Release(("mem:slice/a",)) not in lab.of(it.rest(100.0), Release), "it is shared"
    assert it.memory.kept.keys() == {f"slice/{lab.named('slice/b')}"}


def test_a_foreign_hashlist_is_not_released_while_one_is_stored_nor_the_other_way_round(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST, retry_s=2.0)
    _fetch_list(lab, it, "list/a", at="mem:list/a")
    _kept(lab, it, "list/a")
    it.cut("slice/1")
    assert lab.of(it.give(events.SlicesStored((lab.entry("slice/1"),))), StoreHashlist)
    made = _fetch_list(lab, it, "list/b", author="peer/b", at="mem:list/b")
    assert Release(("mem:list/a",)) not in lab.of(made + it.rest(50.0), Release)
    it.store(FileKind.HASHLIST, "list/mine")
    assert Release(("mem:list/a",)) in lab.of(it.rest(2.0), Release)
    it.cut("slice/2")
    assert not lab.of(it.give(events.SlicesStored((lab.entry("slice/2"),))), StoreHashlist)
    while it.phase is Phase.TRAINING:
        it.trained(f"model/{len(it.signed)}")
    it.store(FileKind.MODEL, "model/any")
    it.give(events.FileStored(FileKind.MODEL, it.machine.own.model, ("mem:own",), 9))
    it.rest(2e6)
    assert it.phase is not Phase.FINISHED, "others cannot fetch it yet"
    assert lab.of(it.give(events.FilesReleased(("mem:list/a",))), StoreHashlist)


def test_an_answer_about_a_file_that_nobody_knows_changes_nothing(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=LAST)
    made = it.give(events.Kept(FileKind.MODEL, lab.named("model/x")))
    made += it.give(events.KeepFailed(FileKind.MODEL, lab.named("model/x"), "gone"))
    assert not lab.of(made, (FileKept, Notice))


def test_two_files_at_one_place_are_released_together(lab: Any, desk: Any) -> None:
    it = _desk(desk, foreign=ALL)
    for name in ("model/a", "model/b"):
        _fold(lab, it, name, author=f"peer/{name[-1]}", at="x")
        _kept(lab, it, name)
    it.restore(persistency=Persistency())
    assert lab.of(it.start(), Release) == [Release(("mem:x",))]
    made = it.give(events.FilesReleased(("mem:x",)))
    assert {fact.digest for fact in lab.of(made, FileLetGo)} == {lab.named("model/a"), lab.named("model/b")}
    assert not it.memory.kept
