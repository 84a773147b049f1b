"""The machine's desk: its memory, its random draws, its pen, and the effects of the event at hand."""

from collections.abc import Callable

import msgspec

from learnae.machine.draws import below, draw_bits, fraction
from learnae.machine.effects import Effect, Note, Save, SaveModel
from learnae.machine.memory import CORE, Core, Memory, Own
from learnae.machine.rules import Rules
from learnae.values.announcements import PROTOCOL, Announcement, Content, SignedAnnouncement
from learnae.values.journal import AnyFact

Sign = Callable[[Announcement], SignedAnnouncement]
"""A pure function: Ed25519 signatures are deterministic (RFC 8032, section 5.1.6)."""


class Notebook:
    """Every change of the memory goes through here, and so becomes a ``Save`` effect.

    Attributes:
        rules: What the machine was told.
        memory: Its tables, to be read; ``put`` and ``remove`` change them.
        now_s: The time of the event at hand, in seconds on the driver's monotonic clock.
    """

    def __init__(self, rules: Rules, memory: Memory, sign: Sign) -> None:
        self.rules = rules
        self.memory = memory
        self.now_s = 0.0
        self._sign = sign
        self._saves: list[Effect] = []
        self._orders: list[Effect] = []
        if CORE not in memory.core:
            self.put("core", CORE, Core(own=Own(rules.initial)))

    @property
    def core(self) -> Core:
        """The single record of what the peer is."""
        return self.memory.core[CORE]

    @property
    def own(self) -> Own:
        """The own model."""
        return self.core.own

    def change_core(self, **changes: object) -> None:
        """Replace fields of the core record."""
        self.put("core", CORE, msgspec.structs.replace(self.core, **changes))

    def put(self, table: str, key: str, value: msgspec.Struct) -> None:
        """Set a record."""
        getattr(self.memory, table)[key] = value
        self._saves.append(Save(table, key, value))

    def remove(self, table: str, key: str) -> None:
        """Remove a record that exists."""
        del getattr(self.memory, table)[key]
        self._saves.append(Save(table, key, None))

    def save_model(self, own: Own) -> None:
        """Make a model the own one."""
        self.change_core(own=own)
        self._saves.append(SaveModel(own.model))

    def order(self, effect: Effect) -> None:
        """Add an effect."""
        self._orders.append(effect)

    def note(self, fact: AnyFact) -> None:
        """Add a fact for the journal."""
        self._orders.append(Note(fact))

    def sign(self, content: Content) -> SignedAnnouncement:
        """Sign a statement with the next sequence number."""
        sequence = self.core.sequence + 1
        self.change_core(sequence=sequence)
        return self._sign(Announcement(PROTOCOL, self.rules.session, self.rules.peer, sequence, content))

    def draw(self, bound: int) -> int:
        """Return 0 to ``bound`` - 1 at random."""
        return below(self._bits(), bound)

    def chance(self) -> float:
        """Return a number in [0, 1) at random."""
        return fraction(self._bits())

    def seed(self) -> int:
        """Return 63 random bits."""
        return self._bits() >> 1

    def _bits(self) -> int:
        position = self.core.draws
        self.change_core(draws=position + 1)
        return draw_bits(self.rules.seed, position)

    def take(self) -> tuple[Effect, ...]:
        """Hand over the effects of the event at hand: saves first, one for each record, then the rest in order."""
        latest: dict[object, Effect] = {}
        for effect in self._saves:
            match effect:
                case Save(table=table, key=key):
                    latest[(table, key)] = effect
                case _:
                    latest["model"] = effect
        effects = (*latest.values(), *self._orders)
        self._saves, self._orders = [], []
        return effects


def board_key(announcement: Announcement) -> str:
    """Name the place of an announcement on a board."""
    return f"{announcement.author}/{announcement.subject}"
