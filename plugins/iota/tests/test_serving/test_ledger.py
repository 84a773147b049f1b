"""The ledger: what is taken, what is confirmed when, what is found; and the file that it lies in."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from learnae_iota.bundles.bundles import Bundle
from learnae_iota.bundles.transactions import NULL_HASH, encode_transaction
from learnae_iota.bundles.work import transaction_hash
from learnae_iota.serving import ledger as ledger_module
from learnae_iota.serving.declining import UNAVAILABLE, DeclinedError
from learnae_iota.serving.ledger import Entry, Ledger
from learnae_iota.serving.records import (
    Standing,
    are_confirmed,
    find_hashes,
    latest_milestone,
    missing_hashes,
    newest_tips,
    standing_of,
    trytes_of,
    unpack,
)

from learnae.errors import StateError

Attach = Callable[..., Bundle]
Entries = Callable[[Bundle], list[Entry]]

READY = Standing(is_tail=True, is_ready=True, is_waiting=False)
WAITING = Standing(is_tail=True, is_ready=False, is_waiting=True)
WRONG = Standing(is_tail=True, is_ready=False, is_waiting=False)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger.open(None)
    yield opened
    opened.close()


def standing(ledger: Ledger, name: str) -> Standing | None:
    return ledger.look(lambda records: standing_of(records, name))


def confirmed(ledger: Ledger, bundle: Bundle) -> set[bool]:
    return set(ledger.look(lambda records: are_confirmed(records, bundle.hashes)))


def broken(whole: Bundle, /, **fields: object) -> Bundle:
    """A bundle whose tail has other fields; the ledger does not look at proof of work."""
    tail = replace(whole.transactions[0], **fields)  # type: ignore[arg-type]  # each test's own business
    return Bundle((tail, *whole.transactions[1:]), (transaction_hash(encode_transaction(tail)), *whole.hashes[1:]))


def test_a_bundle_is_confirmed_by_the_next_milestone_and_not_before(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    first = attach(transactions=3)
    assert ledger.add(entries(first)) == 3
    assert confirmed(ledger, first) == {False}
    milestone = ledger.set_milestone(7)
    assert milestone is not None
    assert (milestone.number, milestone.hash) == (2, first.tail)
    assert confirmed(ledger, first) == {True}
    assert ledger.set_milestone(8) is None
    second = attach(trunk=first.tail)
    ledger.add(entries(second))
    assert (confirmed(ledger, first), confirmed(ledger, second)) == ({True}, {False})
    ledger.set_milestone(9)
    assert confirmed(ledger, second) == {True}
    assert ledger.look(latest_milestone).number == 3


def test_the_same_again_changes_nothing(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    bundle = attach(transactions=2)
    assert ledger.add(entries(bundle)) == 2
    ledger.set_milestone(1)
    assert ledger.add(entries(bundle) * 2) == 0
    assert ledger.set_milestone(2) is None
    assert ledger.look(lambda records: newest_tips(records, 9)) == [bundle.tail]


def test_transactions_come_back_as_they_were(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    bundle = attach(transactions=2)
    ledger.add(entries(bundle))
    found = ledger.look(lambda records: trytes_of(records, [*bundle.hashes, "A" * 81]))
    assert [kept and unpack(kept) for kept in found] == [*bundle.trytes, None]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_parts_may_come_one_by_one_in_any_order(order: tuple[int, ...], ledger: Ledger, attach: Attach, entries: Entries) -> None:
    bundle = attach(transactions=3)
    parts = entries(bundle)
    for place in order:
        assert ledger.set_milestone(1) is None
        ledger.add([parts[place]])
    assert ledger.set_milestone(2) is not None
    assert confirmed(ledger, bundle) == {True}
    assert standing(ledger, bundle.tail) == READY
    assert standing(ledger, bundle.hashes[1]) == Standing(is_tail=False, is_ready=False, is_waiting=False)


def test_a_bundle_waits_for_what_it_approves(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    first = attach(transactions=2)
    second = attach(transactions=2, trunk=first.tail, branch=NULL_HASH)
    third = attach(trunk=NULL_HASH, branch=second.tail)
    ledger.add(entries(third))
    ledger.add(entries(second))
    assert ledger.look(lambda records: missing_hashes(records, 9)) == [first.tail]
    ledger.add(entries(first)[1:])
    assert ledger.set_milestone(1) is None
    assert [standing(ledger, each.tail) for each in (first, second, third)] == [None, WAITING, WAITING]
    ledger.add(entries(first)[:1])
    ledger.set_milestone(2)
    assert [confirmed(ledger, each) for each in (first, second, third)] == [{True}] * 3
    assert ledger.look(lambda records: missing_hashes(records, 9)) == []
    assert ledger.look(lambda records: newest_tips(records, 9)) == [third.tail]


def test_tips_are_what_no_bundle_approves_the_newest_first(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    first, second, third = attach(), attach(), attach()
    for bundle in (first, second, third):
        ledger.add(entries(bundle))
    assert ledger.look(lambda records: newest_tips(records, 9)) == [third.tail, second.tail, first.tail]
    fourth = attach(transactions=2, trunk=first.tail, branch=third.tail)
    ledger.add(entries(fourth))
    assert ledger.look(lambda records: newest_tips(records, 9)) == [fourth.tail, second.tail]
    assert ledger.look(lambda records: newest_tips(records, 1)) == [fourth.tail]


def test_old_tips_are_forgotten(ledger: Ledger, attach: Attach, entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_TIPS", 2)
    bundles = [attach() for _ in range(4)]
    for bundle in bundles:
        ledger.add(entries(bundle))
    ledger.set_milestone(1)
    assert ledger.look(lambda records: newest_tips(records, 9)) == [bundles[3].tail, bundles[2].tail]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"timestamp_s": 5}, "its hash is another one", id="essence"),
        pytest.param({"bundle": "B" * 81}, "is of another one", id="bundle"),
        pytest.param({"last_index": 1}, "at place 1 is number 1 of 0 … 2", id="too short"),
        pytest.param({"branch": "B" * 81}, "approve as their branch", id="branch"),
        pytest.param({"last_index": 1000}, "1001 transactions, more than 1000", id="too long"),
    ],
)
def test_a_wrong_bundle_is_declined_and_nothing_of_it_kept(
    fields: dict[str, object], why: str, ledger: Ledger, attach: Attach, entries: Entries
) -> None:
    good, wrong = attach(), broken(attach(transactions=3), **fields)
    with pytest.raises(DeclinedError, match=why) as declined:
        ledger.add([*entries(good), *entries(wrong)])
    assert declined.value.status == 400
    assert ledger.look(lambda records: find_hashes(records, limit=9)) == []
    assert ledger.add(entries(good)) == 1


def test_a_chain_whose_places_do_not_follow_is_wrong(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    bundle = attach(transactions=3)
    skipping = broken(bundle, trunk=bundle.hashes[2])
    with pytest.raises(DeclinedError, match="number 2 of a bundle follows number 0"):
        ledger.add(entries(skipping))


def test_a_bundle_that_approves_what_is_no_tail_or_wrong_is_wrong(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    first = attach(transactions=2)
    ledger.add(entries(first))
    with pytest.raises(DeclinedError, match="is no tail"):
        ledger.add(entries(attach(trunk=first.hashes[1])))
    wrong = broken(attach(transactions=2), timestamp_s=5)
    child = attach(trunk=wrong.tail)
    ledger.add(entries(wrong)[:1])
    ledger.add(entries(child))
    assert (standing(ledger, wrong.tail), standing(ledger, child.tail)) == (WAITING, WAITING)
    ledger.add(entries(wrong)[1:])  # whoever sends the rest is not to blame
    assert (standing(ledger, wrong.tail), standing(ledger, child.tail)) == (WRONG, WRONG)
    with pytest.raises(DeclinedError, match="whose bundle is wrong"):
        ledger.add(entries(attach(trunk=wrong.tail)))
    ledger.set_milestone(1)
    assert (confirmed(ledger, first), confirmed(ledger, wrong), confirmed(ledger, child)) == ({True}, {False}, {False})


def test_two_tails_may_share_a_rest(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    bundle = attach(transactions=2)
    twin = broken(bundle, message="Z" * 2187)  # not part of what the bundle's hash covers
    assert ledger.add([*entries(bundle), *entries(twin)]) == 3
    ledger.set_milestone(1)
    assert confirmed(ledger, bundle) | confirmed(ledger, twin) == {True}


def test_work_that_is_too_much_for_one_go_is_left_over(
    ledger: Ledger, attach: Attach, entries: Entries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LOOKED_AT", 1)
    bundles = [attach() for _ in range(3)]
    ledger.add([entry for bundle in bundles for entry in entries(bundle)])
    assert [standing(ledger, bundle.tail) for bundle in bundles] == [WAITING, WAITING, READY]
    assert ledger.judge()
    assert not ledger.judge()
    assert not ledger.judge()
    assert [standing(ledger, bundle.tail) for bundle in bundles] == [READY] * 3


def test_only_so_many_bundles_may_wait(ledger: Ledger, attach: Attach, entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_WAITING", 2)
    first = attach()
    waiting = [attach(trunk=first.tail) for _ in range(4)]
    following = attach(trunk=waiting[0].tail)
    for bundle in (*waiting[:1], following, *waiting[1:]):
        ledger.add(entries(bundle))
    ledger.add(entries(first))
    while ledger.judge():
        pass
    assert [standing(ledger, bundle.tail) for bundle in waiting] == [WRONG, WRONG, READY, READY]
    assert standing(ledger, following.tail) == WRONG
    assert ledger.add(entries(attach(trunk=first.tail))) == 1


def test_a_full_ledger_takes_what_it_knows(attach: Attach, entries: Entries) -> None:
    ledger = Ledger.open(None, max_transactions=2)
    bundle = attach(transactions=2)
    with pytest.raises(DeclinedError, match="it takes 2 transactions") as declined:
        ledger.add([*entries(bundle), *entries(attach())])
    assert declined.value.status == UNAVAILABLE
    assert ledger.add(entries(bundle)) == 2
    assert ledger.add(entries(bundle)) == 0
    with pytest.raises(DeclinedError, match="full"):
        ledger.add(entries(attach()))
    ledger.close()


def test_finds_by_each_kind_and_by_all_that_are_given(ledger: Ledger, attach: Attach, entries: Entries) -> None:
    one = attach(transactions=2, address="A" * 81, tag="ONE")
    two = attach(address="A" * 81, tag="TWO", trunk=one.tail, branch=NULL_HASH)
    three = attach(address="C" * 81, tag="TWO", trunk=NULL_HASH, branch=one.tail)
    for bundle in (one, two, three):
        ledger.add(entries(bundle))

    def find(limit: int = 9, **kinds: list[str]) -> list[str]:
        return ledger.look(lambda records: find_hashes(records, limit=limit, **kinds))

    tag_one, tag_two = "ONE".ljust(27, "9"), "TWO".ljust(27, "9")
    assert find(addresses=["A" * 81]) == sorted([*one.hashes, two.tail])
    assert find(addresses=["A" * 81], limit=2) == sorted([*one.hashes, two.tail])[:2]
    assert find(tags=[tag_one, tag_two]) == sorted([*one.hashes, two.tail, three.tail])
    assert find(bundles=[three.hash, one.hash]) == sorted([*one.hashes, three.tail])
    assert find(approvees=[one.tail]) == sorted([two.tail, three.tail])
    assert find(approvees=[one.hashes[1]]) == [one.tail]
    assert find(addresses=["A" * 81], tags=[tag_two]) == [two.tail]
    assert find(addresses=["A" * 81], tags=[tag_two], approvees=[one.tail], bundles=[two.hash]) == [two.tail]
    assert find(addresses=["C" * 81], tags=[tag_one]) == []


def test_a_ledger_goes_on_where_it_was(tmp_path: Path, attach: Attach, entries: Entries) -> None:
    path = tmp_path / "ledger.sqlite"
    first, second = attach(transactions=2), attach()
    third = attach(trunk=second.tail)
    ledger = Ledger.open(path)
    ledger.add(entries(first))
    ledger.set_milestone(1)
    ledger.add(entries(third))
    ledger.add(entries(first))
    ledger.close()
    ledger.close()
    ledger = Ledger.open(path)
    assert (confirmed(ledger, first), standing(ledger, third.tail)) == ({True}, WAITING)
    ledger.add(entries(second))
    ledger.close()
    ledger = Ledger.open(path)
    milestone = ledger.set_milestone(2)
    assert milestone is not None
    assert (milestone.number, milestone.hash) == (3, third.tail)
    ledger.close()


def test_one_file_serves_one_ledger_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    with pytest.raises(StateError, match="another node uses it"):
        Ledger.open(tmp_path / "ledger.sqlite")
    ledger.close()
    Ledger.open(tmp_path / "ledger.sqlite").close()


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE mine (value)")
    other.commit()
    other.close()
    with pytest.raises(StateError, match="something else than a ledger"):
        Ledger.open(tmp_path / "other.sqlite")
    (tmp_path / "text").write_text("no database at all, but long enough to look at, and to be damaged" * 20)
    with pytest.raises(StateError, match="cannot be used as a ledger"):
        Ledger.open(tmp_path / "text")
    with pytest.raises(StateError, match="cannot be used as a ledger"):
        Ledger.open(tmp_path / "no" / "folder")
    Ledger.open(tmp_path / "later").close()
    later = sqlite3.connect(tmp_path / "later")
    later.execute("PRAGMA user_version=99")
    later.close()
    with pytest.raises(StateError, match="another version of LEARNAE"):
        Ledger.open(tmp_path / "later")
