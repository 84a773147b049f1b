"""A laboratory for machines: fake signatures, announcements made by hand, a desk that keeps what is saved and checks it."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
import pytest

from learnae.machine import effects, events
from learnae.machine.machine import Machine
from learnae.machine.memory import TABLES, Memory
from learnae.machine.rules import Rules
from learnae.values.announcements import (
    PROTOCOL,
    Announcement,
    Content,
    HashlistEntry,
    HashlistOffer,
    ModelOffer,
    ModelRecord,
    Presence,
    SignedAnnouncement,
    SliceUse,
)
from learnae.values.choices import Judge, Phase, Role
from learnae.values.ids import Digest, Locator, PeerId, SessionId
from learnae.values.manifest import Limits
from learnae.values.scores import Score

T = TypeVar("T")

STORES = effects.StoreModel | effects.StoreSlices | effects.StoreHashlist


def named(text: str) -> Any:
    """Make a digest, an id, from a name."""
    return blake2b(text.encode(), digest_size=32).hexdigest()


SESSION = SessionId(named("session"))
ME = PeerId(named("peer/me"))


def sign(announcement: Announcement) -> SignedAnnouncement:
    """Sign without cryptography, deterministically."""
    return SignedAnnouncement(announcement, blake2b(msgspec.json.encode(announcement), digest_size=64).hexdigest())


def rules(**changes: Any) -> Rules:
    """Return the rules of a private full peer, with changes."""
    given: dict[str, Any] = {
        "session": SESSION,
        "peer": ME,
        "role": Role.FULL,
        "initial": Digest(named("model/initial")),
        "sharing_allowed": True,
        "sharing": False,
        "judge": Judge.ACCURACY,
        "min_gain": 0.0,
        "passes": 2,
        "overuse_threshold": 4,
        "limits": Limits(),
        "seed": 1,
    }
    return Rules(**(given | changes))


class Desk:
    """A machine, and the tables that its ``Save`` effects fill; every step checks what holds of all steps."""

    def __init__(self, told: Rules) -> None:
        self.rules = told
        self.now_s = 100.0
        self.tables: dict[str, dict[str, bytes]] = {table: {} for table in TABLES}
        self.durable = Memory()
        self.model: Digest = told.initial
        self.signed: dict[int, SignedAnnouncement] = {}
        self.storing: list[effects.Effect] = []
        self.memory = Memory()
        self.machine = Machine(told, self.memory, sign)

    @property
    def phase(self) -> Phase:
        return self.machine.phase

    def restore(self, **changes: Any) -> None:
        """Crash, and make the machine anew from what was saved, perhaps with other settings."""
        self.rules = replace(self.rules, **changes)
        self.memory, self.durable = self.saved(), self.saved()
        self.storing.clear()
        self.machine = Machine(self.rules, self.memory, sign)

    def saved(self) -> Memory:
        """Decode the tables."""
        memory = Memory()
        for table, records in self.tables.items():
            for key, data in records.items():
                getattr(memory, table)[key] = msgspec.json.decode(data, type=TABLES[table])
        return memory

    def give(self, event: events.Event, *, after_s: float = 0.0) -> tuple[effects.Effect, ...]:
        """Hand an event over; carry out what saves; return all effects."""
        self.now_s += after_s
        uses = {key: use.begun for key, use in self.memory.uses.items()}
        made = self.machine.handle(event, self.now_s)
        is_save = [isinstance(effect, effects.Save | effects.SaveModel) for effect in made]
        assert is_save == sorted(is_save, reverse=True), "saves come first"
        for effect in made:
            self._save(effect)
        assert self.durable == self.memory, "what is saved is what is remembered"
        assert self.machine.own.model == self.model, "the own model is durable"
        self.storing += [effect for effect in made if isinstance(effect, STORES)]
        for effect in made:
            if isinstance(effect, effects.Announce):
                self._check_announcement(effect.signed)
        assert all(self.memory.uses[key].begun >= begun for key, begun in uses.items()), "uses never decrease"
        assert all(use.begun <= self.rules.passes for use in self.memory.uses.values()), "uses never exceed the passes"
        return made

    def _save(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Save(table=table, key=key, value=None):
                self.tables[table].pop(key, None)
                getattr(self.durable, table).pop(key, None)
            case effects.Save(table=table, key=key, value=value):
                self.tables[table][key] = msgspec.json.encode(value)
                getattr(self.durable, table)[key] = msgspec.json.decode(self.tables[table][key], type=TABLES[table])
            case effects.SaveModel(model=model):
                self.model = model
            case _:
                pass

    def _check_announcement(self, signed: SignedAnnouncement) -> None:
        said = signed.announcement
        board = self.durable.board[f"{self.rules.peer}/{said.subject}"]
        assert said.sequence <= self.durable.core["core"].sequence, "its number is durable"
        assert board.announcement.sequence > said.sequence or board == signed, "what is announced is durable"
        if said.sequence in self.signed:
            assert self.signed[said.sequence] == signed, "one number, one announcement"
        else:
            assert said.sequence > max(self.signed, default=0), "numbers grow"
            self.signed[said.sequence] = signed
        if not self.rules.sharing:
            assert said.subject in ("model", "presence", "hashlist"), "a private peer is silent about slices"
            assert not isinstance(said.content, HashlistOffer), "a private peer offers no slices"

    def hear(self, content: Content, *, author: str = "peer/a", sequence: int = 1) -> tuple[effects.Effect, ...]:
        """Let the machine hear somebody."""
        return self.give(events.Heard(say(content, author=author, sequence=sequence)))

    def start(self, **changes: Any) -> tuple[effects.Effect, ...]:
        """Start it."""
        return self.give(events.Started(**changes))

    def score(self, accuracy: float, *, loss: float = 0.5, rows: str = "rows") -> tuple[effects.Effect, ...]:
        """Answer ``Score``."""
        validation = Digest(named(rows))
        return self.give(events.OwnScored(self.machine.own.model, validation, Score(accuracy, loss, 100)))

    def ready(self, accuracy: float = 0.5) -> tuple[effects.Effect, ...]:
        """Start it and give it validation rows and a score."""
        self.start()
        self.gather()
        return self.score(accuracy)

    def gather(self, rows: str = "rows") -> tuple[effects.Effect, ...]:
        """Give it validation rows."""
        return self.give(events.ValidationGathered(named(rows), 100))

    def cut(self, *names: str, evaluation: bool = False) -> tuple[effects.Effect, ...]:
        """Give it slices of its own."""
        return self.give(events.SlicesCut(tuple(events.CutSlice(named(name), 10, evaluation) for name in names)))

    def trained(self, name: str, accuracy: float = 0.5, *, rows: str = "rows") -> tuple[effects.Effect, ...]:
        """Answer ``Train``."""
        return self.give(events.ModelTrained(named(name), named(rows), Score(accuracy, 0.5, 100)))

    def folded(self, name: str, accuracy: float, *, rows: str = "rows", loss: float = 0.5) -> tuple[effects.Effect, ...]:
        """Answer ``Fold``."""
        return self.give(events.ModelFolded(named(name), named(rows), Score(accuracy, loss, 100), 7))

    def store(self, kind: events.FileKind, name: str) -> tuple[effects.Effect, ...]:
        """Answer ``StoreModel``, ``StoreHashlist`` or ``StoreBoard``."""
        return self.give(events.FileStored(kind, named(name), (Locator(f"mem:{name}"),), 9))

    def stored(self) -> tuple[effects.Effect, ...]:
        """Answer all orders to store models, slices and hashlists that were not answered by this."""
        made: list[effects.Effect] = []
        while self.storing:
            match self.storing.pop(0):
                case effects.StoreModel(model=digest):
                    made += self.give(events.FileStored(events.FileKind.MODEL, digest, (Locator(f"mem:{digest}"),), 9))
                case effects.StoreSlices(slices=listed):
                    made += self.give(
                        events.SlicesStored(
                            tuple(HashlistEntry(digest, 10, evaluation, (f"mem:{digest}",)) for digest, evaluation in listed)
                        )
                    )
                case effects.StoreHashlist(entries=entries):
                    digest = named(repr(entries))
                    made += self.give(events.FileStored(events.FileKind.HASHLIST, digest, (Locator(f"mem:{digest}"),), 9))
        return tuple(made)

    def rest(self, seconds: float) -> tuple[effects.Effect, ...]:
        """Let time pass, waking the machine whenever it wants to be."""
        made: list[effects.Effect] = []
        end_s = self.now_s + seconds
        while (due_s := self.machine.wake_at(self.now_s)) is not None and due_s <= end_s:
            self.now_s = due_s
            made += self.give(events.TimePassed())
        self.now_s = end_s
        return tuple(made)


def say(content: Content, *, author: str = "peer/a", sequence: int = 1) -> SignedAnnouncement:
    """Make somebody's announcement."""
    return sign(Announcement(PROTOCOL, SESSION, PeerId(named(author)), sequence, content))


def model(name: str, accuracy: float = 0.5, *, loss: float = 0.5, maturity: int = 0, at: str = "x") -> ModelOffer:
    """Make a model's offer."""
    return ModelOffer(ModelRecord(named(name), Score(accuracy, loss, 100), maturity), (Locator(f"mem:{at}"),))


def hashlist(name: str, *, slices: int = 1) -> HashlistOffer:
    """Make a hashlist's offer."""
    return HashlistOffer(named(name), (Locator("mem:list"),), slices)


def entry(name: str, *, evaluation: bool = False, at: str = "x", rows: int = 10) -> HashlistEntry:
    """Make a line of a hashlist."""
    return HashlistEntry(named(name), rows, evaluation, (Locator(f"mem:{at}"),))


def presence(board: str | None = None) -> Presence:
    """Make a presence."""
    return Presence(Role.FULL, False, named(board) if board else None, (Locator("mem:board"),) if board else ())


def use(name: str, uses: int) -> SliceUse:
    """Make a statement about a use."""
    return SliceUse(named(name), uses)


def of(made: tuple[effects.Effect, ...], kind: type[T]) -> list[T]:
    """Pick the effects, or the noted facts, of a type."""
    return [
        found
        for effect in made
        for found in (effect.fact if isinstance(effect, effects.Note) else effect,)
        if isinstance(found, kind)
    ]


def said(made: tuple[effects.Effect, ...], kind: type[T]) -> list[T]:
    """Pick the announced contents of a type."""
    return [
        announce.signed.announcement.content
        for announce in of(made, effects.Announce)
        if isinstance(announce.signed.announcement.content, kind)
    ]


class Lab:
    """What tests use, by name: test modules cannot import each other."""

    me = ME
    session = SESSION
    named = staticmethod(named)
    sign = staticmethod(sign)
    rules = staticmethod(rules)
    say = staticmethod(say)
    model = staticmethod(model)
    hashlist = staticmethod(hashlist)
    entry = staticmethod(entry)
    presence = staticmethod(presence)
    use = staticmethod(use)
    of = staticmethod(of)
    said = staticmethod(said)
    Desk = Desk


@pytest.fixture(scope="session")
def lab() -> type[Lab]:
    return Lab


@pytest.fixture
def desk() -> Callable[..., Desk]:
    """Make a desk for a peer with these settings."""
    return lambda **changes: Desk(rules(**changes))
