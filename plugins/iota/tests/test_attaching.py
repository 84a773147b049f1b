"""Attaching: the chain, the times, the work, and what a node did for us."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle, check_attached, detached
from learnae_iota.bundles.bundles import Bundle, Posting, check_bundle, prepare_bundle
from learnae_iota.bundles.transactions import LATEST_MS
from learnae_iota.bundles.work import transaction_hash, weight_of
from learnae_iota.clock import milliseconds
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.trinary.kernel import Kernel

from learnae.errors import DamagedError, UsageError

TIPS = Tips("T" * 81, "U" * 81)
THREE = prepare_bundle([Posting("HERE".ljust(81, "9"), "B" * 5000, "LEARNAE")], 1_600_000_000)


def ticking() -> Callable[[], int]:
    times = iter(range(1_600_000_000_000, 1_700_000_000_000))
    return lambda: next(times)


def test_each_leads_to_the_next_and_the_last_to_the_tips(kernel: Kernel) -> None:
    bundle = attach_bundle(THREE, TIPS, 5, clock=ticking(), kernel=kernel)
    check_bundle(bundle, kernel)
    assert bundle.hashes == tuple(transaction_hash(trytes, kernel) for trytes in bundle.trytes)
    assert [part.trunk for part in bundle.transactions] == [bundle.hashes[1], bundle.hashes[2], TIPS.trunk]
    assert [part.branch for part in bundle.transactions] == [TIPS.trunk, TIPS.trunk, TIPS.branch]
    assert min(weight_of(digest) for digest in bundle.hashes) >= 5
    assert [part.attached_ms - 1_600_000_000_000 for part in bundle.transactions] == [2, 1, 0]
    assert {(part.attached_from_ms, part.attached_to_ms) for part in bundle.transactions} == {(0, LATEST_MS)}
    assert detached(bundle) == THREE


def test_the_kernels_attach_alike(kernels: list[Kernel]) -> None:
    bundles = [attach_bundle(THREE, TIPS, 6, clock=ticking(), kernel=kernel) for kernel in kernels]
    assert all(bundle == bundles[0] for bundle in bundles)


def test_attached_again_it_is_the_same_with_another_tail() -> None:
    once = attach_bundle(THREE, TIPS, 1, clock=ticking())
    again = attach_bundle(once, Tips("V" * 81, "W" * 81), 1, clock=ticking())
    assert again.hash == once.hash
    assert again.postings == once.postings
    assert again.tail != once.tail
    check_bundle(again)


def test_it_ends_when_it_is_asked_to(kernel: Kernel) -> None:
    stop = Stop()

    def clock() -> int:
        stop.ask()  # after which the hopeless search of the first nonce would go on for ever
        return 0

    with pytest.raises(StoppedError):
        attach_bundle(THREE, TIPS, 20, stop=stop, clock=clock, kernel=kernel)


@pytest.mark.parametrize("weight", [-1, 21])
def test_a_weight_has_a_range(weight: int) -> None:
    with pytest.raises(UsageError, match=f"a weight magnitude of {weight}"):
        attach_bundle(THREE, TIPS, weight)


@pytest.mark.parametrize("tips", [("T" * 80, "U" * 81), ("T" * 81, "u" * 81)])
def test_tips_are_hashes(tips: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="a tip is 81 trytes"):
        Tips(*tips)


def test_the_clock_counts_milliseconds() -> None:
    assert 1_600_000_000_000 < milliseconds() < 10_000_000_000_000


def test_what_a_node_attached_is_taken_in_either_order() -> None:
    bundle = attach_bundle(THREE, TIPS, 2, clock=ticking())
    for trytes in (bundle.trytes, bundle.trytes[::-1]):
        assert check_attached(THREE, trytes, TIPS, 2) == bundle
    assert check_attached(attach_bundle(THREE, Tips("V" * 81, "W" * 81), 0), bundle.trytes, TIPS, 2) == bundle


def other_message(bundle: Bundle) -> Bundle:
    parts = (dataclasses.replace(bundle.transactions[0], message="M" * 2187), *bundle.transactions[1:])
    return dataclasses.replace(bundle, transactions=parts)


@pytest.mark.parametrize(
    ("made", "trouble"),
    [
        pytest.param(lambda: THREE, "it is not attached", id="nothing"),
        pytest.param(lambda: attach_bundle(other_message(THREE), TIPS, 2), "not the bundle that was given", id="message"),
        pytest.param(
            lambda: attach_bundle(prepare_bundle([Posting("A" * 81, "A")], 1), TIPS, 2), "not the bundle that was", id="other"
        ),
        pytest.param(lambda: attach_bundle(THREE, Tips("V" * 81, "U" * 81), 2), "approves something else", id="trunk"),
        pytest.param(lambda: attach_bundle(THREE, Tips("T" * 81, "V" * 81), 2), "approves something else", id="branch"),
        pytest.param(lambda: attach_bundle(THREE, TIPS, 0), "weight magnitude of 12 is not reached", id="weight"),
    ],
)
def test_what_a_node_attached_wrongly_is_noticed(made: Callable[[], Any], trouble: str) -> None:
    with pytest.raises(DamagedError, match=trouble):
        check_attached(THREE, made().trytes, TIPS, 12 if "weight" in trouble else 2)
