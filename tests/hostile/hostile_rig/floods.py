"""Too much of everything."""

from __future__ import annotations

import os
from collections.abc import Callable

from hostile_rig.arena import Arena
from hostile_rig.contents import NOWHERE
from hostile_rig.messages import HERE
from hostile_rig.stranger import PERFECT, Stranger
from learnae.values.announcements import ModelOffer, ModelRecord, Presence, SliceUse
from learnae.values.choices import Role
from learnae.values.ids import Digest

STRANGERS = 2_000
Flood = Callable[[Arena], object]


def two_thousand_strangers(arena: Arena) -> None:
    """Be 2,000 peers at once."""
    for _ in range(STRANGERS):
        Stranger(arena).say(HERE)


def thirty_dead_models(arena: Arena) -> None:
    """Offer perfect models that nobody keeps, each in the name of another new key."""
    for _ in range(30):
        record = ModelRecord(Digest(os.urandom(32).hex()), PERFECT, 1)
        Stranger(arena).say(ModelOffer(record, (NOWHERE,)))


def a_hundred_dead_boards(arena: Arena) -> None:
    """Show boards that nobody keeps."""
    for _ in range(100):
        Stranger(arena).say(Presence(Role.FULL, False, Digest(os.urandom(32).hex()), (NOWHERE,)))


def uses_without_end(arena: Arena) -> Stranger:
    """Announce uses of more slices than one peer may speak of."""
    stranger = Stranger(arena)
    for _ in range(2 * arena.manifest.limits.subjects_per_peer):
        stranger.say(SliceUse(Digest(os.urandom(32).hex()), 2**31))
    return stranger


def garbage_that_changes(arena: Arena) -> Stranger:
    """Rewrite one message again and again."""
    stranger = Stranger(arena)
    for _ in range(500):
        stranger.post(os.urandom(2_000))
    return stranger
