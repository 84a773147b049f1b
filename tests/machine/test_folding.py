"""Averaging, exploring, adopting: who is chosen, what is kept, what is tried."""

from typing import Any

import pytest

from learnae.machine import effects, events, folding
from learnae.machine.effects import BestImproved, Fold, KeepOnly, Score, StoreModel
from learnae.values.choices import Averaging, Cycle, Judge, Phase
from learnae.values.journal import CycleEnded, FetchFailed, FileFetched
from learnae.values.manifest import Limits


def _fold(lab: Any, made: Any) -> Fold:
    (order,) = lab.of(made, Fold)
    return order


def _shut(lab: Any, it: Any, limit: int = 40) -> None:
    """Let every average under way be worse, until the peer rests."""
    for number in range(limit):
        if it.phase not in (Phase.AVERAGING, Phase.EXPLORING):
            return
        it.folded(f"average/{number}", 0.0)
    pytest.fail("it never rests")


def test_training_always_replaces_the_model_and_adds_one_to_its_maturity(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.cut("slice/1")
    made = it.trained("model/1", 0.1)
    assert (it.machine.own.model, it.machine.own.maturity) == (lab.named("model/1"), 1)
    (ended,) = lab.of(made, CycleEnded)
    assert (ended.kind, ended.kept, ended.slice) == (Cycle.TRAIN, True, lab.named("slice/1"))
    assert not lab.of(made, BestImproved), "worse than the best so far"
    assert lab.of(made, (StoreModel, KeepOnly)) == [StoreModel(lab.named("model/1")), KeepOnly(lab.named("model/1"))]
    assert lab.of(it.trained("model/2", 0.9), BestImproved)[0].record.maturity == 2


@pytest.mark.parametrize("remote", [pytest.param(0, id="younger"), pytest.param(7, id="older")])
def test_an_average_that_is_better_is_kept_and_one_more_mature_than_its_larger_parent(lab: Any, desk: Any, remote: int) -> None:
    it = desk()
    it.ready(0.5)
    it.cut("slice/1")
    it.trained("model/1", 0.5)
    it.trained("model/2", 0.5)
    order = _fold(lab, it.hear(lab.model("model/remote", 0.9, maturity=remote)))
    assert (it.phase, order.remote_share, order.base) == (Phase.AVERAGING, 0.5, lab.named("model/2"))
    made = it.folded("model/average", 0.6)
    assert it.machine.own.maturity == max(2, remote) + 1
    (ended,) = lab.of(made, CycleEnded)
    assert (ended.kind, ended.kept, ended.partners) == (Cycle.AVERAGE, True, (lab.named("peer/a"),))
    assert lab.of(made, FileFetched)


@pytest.mark.parametrize("accuracy", [0.5, 0.4])
def test_an_average_that_is_not_strictly_better_is_dropped_and_not_tried_again(lab: Any, desk: Any, accuracy: float) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/remote", 0.9))
    own = it.machine.own
    made = it.folded("model/average", accuracy)
    assert it.machine.own == own
    assert not lab.of(made, (StoreModel, BestImproved))
    assert it.phase is Phase.IDLE
    it.hear(lab.model("model/remote", 0.95), sequence=2)
    it.hear(lab.model("model/remote", 0.95), author="peer/b")
    assert it.phase is Phase.IDLE
    it.restore()
    it.start()
    it.gather()
    assert it.phase is Phase.IDLE, "tried is durable, and the score too"


def test_a_gain_must_exceed_the_least_gain(lab: Any, desk: Any) -> None:
    it = desk(judge=Judge.LOSS, min_gain=0.1)
    it.ready()
    it.hear(lab.model("model/a", 0.0, loss=0.45))
    assert it.phase is Phase.EXPLORING, "it reports a better loss, but not by enough"
    it.folded("average", 0.9, loss=0.45)
    assert it.machine.own.model == lab.named("model/initial")
    it.hear(lab.model("model/b", 0.0, loss=0.3), author="peer/b")
    assert it.phase is Phase.AVERAGING
    it.folded("average", 0.0, loss=0.35)
    assert it.machine.own.model == lab.named("average")


def test_soup_folds_one_after_the_other_and_keeps_what_helps(lab: Any, desk: Any) -> None:
    it = desk(averaging=Averaging.SOUP, soup_size=4)
    it.start()
    it.gather()
    for number in range(4):
        it.hear(lab.model(f"model/{number}", 0.9, maturity=number), author=f"peer/{number}")
    first = _fold(lab, it.score(0.5))
    second = _fold(lab, it.folded("soup/1", 0.6))
    third = _fold(lab, it.folded("soup/2", 0.55))
    fourth = _fold(lab, it.folded("soup/3", 0.7))
    assert [order.remote_share for order in (first, second, third, fourth)] == [1 / 2, 1 / 3, 1 / 3, 1 / 4]
    assert [order.base for order in (second, third, fourth)] == [lab.named(f"soup/{n}") for n in (1, 1, 3)]
    assert len({order.author for order in (first, second, third, fourth)}) == 4
    assert it.machine.own.model == lab.named("model/initial"), "nothing is kept before the cycle ends"
    made = it.give(events.FoldFailed("gone"))
    (ended,) = lab.of(made, CycleEnded)
    assert (ended.kept, len(ended.partners), it.machine.own.model) == (True, 4, lab.named("soup/3"))
    assert it.machine.own.maturity == max(first.remote.maturity, third.remote.maturity) + 1
    assert it.machine.own.score is not None
    assert it.machine.own.score.accuracy == 0.7


def test_soup_skips_an_author_who_turned_out_a_liar_meanwhile(lab: Any, desk: Any) -> None:
    it = desk(averaging=Averaging.SOUP, soup_size=3, limits=Limits(quarantine_after=1))
    it.start()
    it.gather()
    for number in range(2):
        it.hear(lab.model(f"model/{number}", 0.9), author=f"peer/{number}")
    first = _fold(lab, it.score(0.5))
    (other,) = [f"peer/{n}" for n in range(2) if lab.named(f"peer/{n}") != first.author]
    it.give(events.FetchFailed(events.FileKind.SLICE, lab.named(other), lab.named("slice"), "wrong", wrong=True))
    assert not lab.of(it.folded("soup/1", 0.6), Fold)[1:]
    assert it.machine.own.model == lab.named("soup/1")


def test_soup_goes_on_when_one_model_does_not_come(lab: Any, desk: Any) -> None:
    it = desk(averaging=Averaging.SOUP, soup_size=2)
    it.start()
    it.gather()
    for number in range(2):
        it.hear(lab.model(f"model/{number}", 0.9), author=f"peer/{number}")
    first = _fold(lab, it.score(0.5))
    second = _fold(lab, it.give(events.FoldFailed("gone")))
    assert first.remote != second.remote
    assert second.remote_share == 0.5
    it.folded("soup", 0.6)
    assert it.machine.own.model == lab.named("soup")


def test_a_crash_within_a_soup_loses_the_gain_and_so_may_try_it_again(lab: Any, desk: Any) -> None:
    it = desk(averaging=Averaging.SOUP)
    it.start()
    it.gather()
    it.hear(lab.model("model/a", 0.9))
    it.hear(lab.model("model/b", 0.9), author="peer/b")
    first = _fold(lab, it.score(0.5))
    it.folded("soup/1", 0.6)
    it.restore()
    made = it.start() + it.gather()
    folds = [_fold(lab, made), *lab.of(it.folded("soup/0", 0.1), Fold)]
    assert first.remote.digest in {order.remote.digest for order in folds}


def test_a_model_that_cannot_be_had_is_tried_again_later_and_from_others_at_once(lab: Any, desk: Any) -> None:
    it = desk(retry_s=2.0, quiet_period_s=1_000.0, presence_interval_s=10_000.0)
    it.ready()
    it.hear(lab.model("model/x", 0.9, at="nowhere"))
    made = it.give(events.FoldFailed("gone"))
    assert lab.of(made, FetchFailed)
    assert it.phase is Phase.IDLE
    assert it.machine.wake_at(it.now_s) == it.now_s + 2.0
    order = _fold(lab, it.hear(lab.model("model/x", 0.9, at="here"), author="peer/b"))
    assert order.locators == ("mem:here",)
    it.give(events.FoldFailed("gone"))
    assert len(lab.of(it.rest(2.0), Fold)) == 1
    it.give(events.FoldFailed("gone"))
    waits = []
    for _ in range(12):
        began_s = it.now_s
        due_s = it.machine.wake_at(it.now_s)
        assert due_s is not None
        it.give(events.TimePassed(), after_s=due_s - it.now_s)
        waits.append(it.now_s - began_s)
        it.give(events.FoldFailed("gone"))
    assert max(waits) <= 128.0
    assert sum(waits) > 128.0


def test_changed_validation_rows_mean_a_new_score_before_anything_else(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/a", 0.9))
    it.gather("rows/new")
    assert it.phase is Phase.AVERAGING
    own = it.machine.own
    made = it.folded("average", 0.99, rows="rows/new")
    assert it.machine.own == own, "results on other rows are not compared"
    assert (it.phase, lab.of(made, Score)) == (Phase.SCORING, [Score(own.model)])
    it.score(0.3)
    assert it.phase is Phase.SCORING, "scored on the old rows: once more"
    made = it.score(0.3, rows="rows/new")
    assert lab.of(made, BestImproved), "the best score on other rows is none to compare with"
    assert it.phase is Phase.AVERAGING, "on these rows it was not tried"
    it.folded("average", 0.3, rows="rows/new")
    assert it.phase is Phase.IDLE
    it.gather("rows/new")
    assert it.phase is Phase.IDLE


def test_validation_rows_that_change_while_training_are_scored_with_the_result(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.cut("slice/1")
    it.gather("rows/new")
    it.trained("model/1", rows="rows/new")
    assert it.phase is Phase.TRAINING


def test_exploring_averages_with_models_that_report_worse_under_the_same_gate(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/worse", 0.2))
    assert it.phase is Phase.EXPLORING
    made = it.folded("average", 0.6)
    assert lab.of(made, CycleEnded)[0].kind is Cycle.EXPLORE
    assert it.machine.own.model == lab.named("average")


def test_the_own_model_offered_by_others_is_no_partner(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.stored()
    it.hear(lab.model("model/initial", 0.9))
    assert it.phase is Phase.IDLE
    it.rest(20.0)
    assert it.phase is Phase.FINISHED


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_chance_chooses_between_training_and_averaging(lab: Any, desk: Any, probability: float) -> None:
    it = desk(train_probability=probability)
    it.start()
    it.gather()
    it.cut("slice/1")
    it.hear(lab.model("model/a", 0.9))
    it.score(0.5)
    assert it.phase is (Phase.TRAINING if probability else Phase.AVERAGING)


def test_adopting_looks_at_the_best_reported_models_as_they_are_up_to_three(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.stored()
    for number, claim in enumerate((0.6, 0.9, 0.7, 0.8)):
        it.hear(lab.model(f"model/{claim}", claim), author=f"peer/{number}")
        _shut(lab, it)
    attempted = [_fold(lab, it.rest(10.0))]
    assert (it.phase, attempted[0].remote_share) == (Phase.ADOPTING, 1.0)
    attempted.append(_fold(lab, it.folded("model/0.9", 0.1)))
    attempted.append(_fold(lab, it.give(events.FoldFailed("gone"))))
    assert [order.remote.score.accuracy for order in attempted] == [0.9, 0.8, 0.7]
    made = it.give(events.FoldFailed("gone"))
    assert it.phase is Phase.FINISHED
    assert lab.of(made, CycleEnded)[0].kind is Cycle.ADOPT
    assert it.machine.own.model == lab.named("model/initial")


def test_an_adopted_model_keeps_its_maturity(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/remote", 0.9, maturity=7))
    _shut(lab, it)
    it.rest(10.0)
    it.folded("model/remote", 0.8)
    assert (it.machine.own.model, it.machine.own.maturity) == (lab.named("model/remote"), 7)


def test_a_lie_takes_one_attempt(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.stored()
    it.hear(lab.model("model/lie", 1.0))
    it.hear(lab.model("model/honest", 0.2), author="peer/b")
    _shut(lab, it)
    assert _fold(lab, it.rest(10.0)).remote.digest == lab.named("model/lie")
    assert _fold(lab, it.folded("model/lie", 0.1)).remote.digest == lab.named("model/honest"), "the next best"
    it.folded("model/honest", 0.1)
    assert it.phase is Phase.FINISHED
    it.cut("slice/1")
    it.trained("model/1", 0.6)
    for number in range(9):
        if it.phase is Phase.TRAINING:
            it.trained(f"model/2/{number}", 0.6)
        _shut(lab, it)
    it.stored()
    made = it.rest(20.0)
    assert it.phase is Phase.FINISHED
    assert not lab.of(made, Fold), "its score on these rows is known"


def test_without_a_promise_only_the_best_is_looked_at(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.stored()
    for number, claim in enumerate((0.4, 0.3)):
        it.hear(lab.model(f"model/{claim}", claim), author=f"peer/{number}")
        _shut(lab, it)
    assert _fold(lab, it.rest(10.0)).remote.digest == lab.named("model/0.4")
    it.folded("model/0.4", 0.1)
    assert it.phase is Phase.FINISHED


def test_one_model_that_several_offer_is_one_candidate(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    for number in range(4):
        it.hear(lab.model("model/top", 0.9), author=f"peer/{number}")
    it.hear(lab.model("model/second", 0.8), author="peer/z")
    _shut(lab, it)
    it.rest(10.0)
    assert _fold(lab, it.folded("model/top", 0.1)).remote.digest == lab.named("model/second")


def test_what_was_tried_is_remembered_within_bounds(lab: Any, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MAX_TRIED", 4)
    monkeypatch.setattr(folding, "MAX_MEASURED", 1)
    it = desk()
    it.ready(0.5)
    for number in range(3):
        it.hear(lab.model(f"model/{number}", 0.6 + number / 10), author=f"peer/{number}")
        it.folded("average", 0.1)
    it.rest(10.0)
    for name in ("model/2", "model/1"):
        assert it.phase is Phase.ADOPTING
        it.folded(name, 0.1)
    assert len(it.memory.tried) == 4


def test_a_score_that_is_better_by_chance_is_kept_even_if_the_model_is_the_same(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/a", 0.9))
    it.folded("model/initial", 0.6)
    assert it.machine.own.score is not None
    assert it.machine.own.score.accuracy == 0.6


def test_results_without_a_transfer_note_none(lab: Any, desk: Any) -> None:
    it = desk()
    it.ready(0.5)
    it.hear(lab.model("model/a", 0.9))
    made = it.give(events.ModelFolded(lab.named("average"), lab.named("rows"), type(it.machine.own.score)(0.1, 0.5, 100)))
    assert not lab.of(made, FileFetched)
    assert lab.of(made, effects.KeepOnly)


def test_the_oldest_attempts_are_forgotten_first_also_after_a_restart(
    lab: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "MAX_TRIED", 3)
    it = desk()
    it.ready(0.5)
    for number in range(3):
        it.hear(lab.model(f"model/{number}", 0.6), author=f"peer/{number}")
        it.folded("average", 0.1)
    by_age = sorted(it.memory.tried, key=lambda key: it.memory.tried[key].cycle)
    it.tables["tried"] = dict(sorted(it.tables["tried"].items(), key=lambda item: -by_age.index(item[0])))
    it.restore()
    it.start()
    it.gather()
    it.hear(lab.model("model/3", 0.6), author="peer/3")
    it.folded("average", 0.1)
    assert set(by_age) - it.memory.tried.keys() == {by_age[0]}


def test_a_digest_with_two_scores_is_averaged_with_for_the_better_one(lab: Any, desk: Any) -> None:
    it = desk()
    it.start()
    it.gather()
    for number, claim in enumerate((0.2, 0.9, 0.8)):
        it.hear(lab.model("model/same", claim), author=f"peer/{number}")
    order = _fold(lab, it.score(0.5))
    assert it.phase is Phase.AVERAGING
    assert order.remote.score.accuracy > 0.5
