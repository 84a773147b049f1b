"""Which files stay offered to others, beyond what is current: the paper's persistency policy (section 5)."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Policy:
    """What stays of the files of one kind.

    Attributes:
        last: How many of the latest; ``None`` for all of them.
        best: Whether it is the one with the best score instead; models only.
    """

    last: int | None = 0
    best: bool = False


ALL: Final = Policy(last=None)
BEST: Final = Policy(best=True)
NONE: Final = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistency:
    """A peer's policies: for own files that were replaced, and for what it fetched from others."""

    own_models: Policy = NONE
    own_hashlists: Policy = NONE
    foreign_models: Policy = NONE
    foreign_slices: Policy = NONE
    foreign_hashlists: Policy = NONE


NOTHING_MORE: Final = Persistency()
"""Only what is current is offered, and nothing of others."""
