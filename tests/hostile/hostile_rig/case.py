"""One hostile input, what must come of it, and who is charged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from learnae.values.choices import Cycle
from learnae.values.ids import PeerId
from learnae.values.journal import AnyFact, ContentRefused, CycleEnded, FetchFailed, FileFetched, MessageIgnored, PeerSeen

if TYPE_CHECKING:
    from hostile_rig.arena import Arena
    from hostile_rig.stranger import Stranger


class Outcome(StrEnum):
    """What the peer's journal must show."""

    IGNORED = "ignored"
    """The message is no announcement of this session; nobody is charged."""
    UNREAD = "unread"
    """Nothing at all: the transport never hands it over."""
    KNOWN = "known already"
    """A statement that says nothing new: it changes nothing."""
    RETRIED = "not fetched, tried again later"
    """The fault of storage or of nobody."""
    CHARGED = "refused, its signer charged"
    """It fits a signed digest and is still wrong."""
    REJECTED = "tried, not kept"
    """A proper model that does not score better here."""
    MERGED = "merged but for what is forged"
    """A board of which only what verifies counts."""
    TAKEN = "counts for its author alone"
    """A proper statement, however strange."""


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        name: For the table.
        attack: Writes it; returns the stranger that signed it, if any did.
        outcome: What must come of it.
        reason: A part of the reason that the journal must give.
    """

    name: str
    attack: Callable[[Arena], Stranger | None]
    outcome: Outcome
    reason: str = ""


def run_case(arena: Arena, case: Case) -> PeerId | None:
    """Attack, wait for the outcome, and return who was charged."""
    since = len(arena.victim.facts())
    stranger = case.attack(arena)
    author = stranger.peer if stranger else None
    if case.outcome in (Outcome.UNREAD, Outcome.KNOWN):
        arena.wait_until_everything_was_read()
        facts = arena.victim.facts()[since:]
        assert not [fact for fact in facts if isinstance(fact, MessageIgnored) and not arena.is_sentinel(fact)]
    else:
        arena.victim.wait_for(
            f"{case.name} ({author})", lambda facts: any(_shows(fact, case, author) for fact in facts), since=since
        )
    charged = {fact.author for fact in arena.victim.facts()[since:] if isinstance(fact, ContentRefused)}
    assert charged == ({author} if case.outcome is Outcome.CHARGED else set()), charged
    return author if charged else None


def _shows(fact: AnyFact, case: Case, author: PeerId | None) -> bool:
    match case.outcome, fact:
        case Outcome.IGNORED, MessageIgnored(reason=reason):
            return case.reason in reason
        case Outcome.RETRIED, FetchFailed(author=who, reason=reason):
            return who == author and case.reason in reason
        case Outcome.CHARGED, ContentRefused(author=who, reason=reason):
            return who == author and case.reason in reason
        case Outcome.REJECTED, CycleEnded(partners=partners, kept=kept, tried=tried, kind=kind):
            return author in partners and not kept and tried is not None and kind is not Cycle.TRAIN
        case Outcome.MERGED, FileFetched(kind="board", author=who):
            return who == author
        case Outcome.TAKEN, PeerSeen(author=who):
            return who == author
        case _:
            return False
