"""Development nodes to ask, bundles to send to them, and what is asked over plain HTTP."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Bundle, Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.ledger import Entry
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from serving_rig import NOW_S, WEIGHT, ask_node

QUICK = NodeSettings(weight=WEIGHT, milestone_interval_s=0.05)

Attach = Callable[..., Bundle]
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def attach() -> Attach:
    """Make and attach a bundle: ``attach(transactions=3, tag="TAG", trunk=…, branch=…)``; each call makes another one."""
    count = itertools.count()

    def make(
        *,
        transactions: int = 1,
        address: str = "A" * 81,
        tag: str = "",
        trunk: str = NULL_HASH,
        branch: str | None = None,
        weight: int = WEIGHT,
        now_s: int = NOW_S,
        clock: Callable[[], int] | None = None,
    ) -> Bundle:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[next(count) % 26]
        bundle = prepare_bundle([Posting(address, (letters * 2187) * transactions, tag)], now_s + next(count))
        return attach_bundle(bundle, Tips(trunk, branch or trunk), weight, clock=clock or (lambda: 1000 * now_s))

    return make


@pytest.fixture
def entries() -> Callable[[Bundle], list[Entry]]:
    """A bundle's transactions as the ledger takes them."""
    return lambda bundle: [Entry(*each) for each in zip(bundle.hashes, bundle.trytes, bundle.transactions, strict=True)]


@pytest.fixture
def node() -> Iterator[DevelopmentNode]:
    """A node of its own for one test, whose time is ``NOW_S``."""
    with node_in_thread(settings=QUICK, clock=lambda: 1000 * NOW_S) as running:
        yield running


@pytest.fixture
def ask(node: DevelopmentNode) -> Ask:
    """Ask that node: ``ask("getTrytes", hashes=[…])`` is the status and the answer."""
    return lambda command, **arguments: ask_node(node.url, command, **arguments)
