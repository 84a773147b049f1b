"""What a machine remembers: one table of frozen records for each idea. A driver keeps the same tables durable."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from learnae.machine.events import FileKind
from learnae.values.announcements import ModelRecord, SignedAnnouncement
from learnae.values.ids import Digest, Locator, PeerId
from learnae.values.scores import Score


class Own(msgspec.Struct, frozen=True):
    """The own model; ``score`` was measured on the validation rows of digest ``validation``, both ``None`` before that."""

    model: Digest
    maturity: int = 0
    score: Score | None = None
    validation: Digest | None = None


class Core(msgspec.Struct, frozen=True):
    """The single record of table ``core``.

    Attributes:
        cycle: Work cycles ended.
        sequence: The last number this peer signed with.
        draws: Random draws made.
        best: The best own model ever, by its score when it was made.
        recovering: The sequence number was lost with the state, and others may know a higher one.
    """

    own: Own
    cycle: int = 0
    sequence: int = 0
    draws: int = 0
    best: ModelRecord | None = None
    recovering: bool = False


class KnownSlice(msgspec.Struct, frozen=True):
    """A dataslice; ``locators`` say where it was offered, ``held`` that its rows are here.

    ``author`` is who signed the hashlist; for an own slice, this peer. ``shared``: it stands on the own hashlist.
    """

    digest: Digest
    author: PeerId
    rows: int
    evaluation: bool
    held: bool
    locators: tuple[Locator, ...] = ()
    shared: bool = False


class QueuedPass(msgspec.Struct, frozen=True):
    """The ``number``-th pass of this peer over a slice, from 1, yet to be completed."""

    slice: Digest
    number: int


class Uses(msgspec.Struct, frozen=True):
    """How many passes over a slice this peer has begun, ever.

    ``turn`` is the place of the last of them among all that were begun since turns are counted or the state was lost, from 1;
    0 for one that was begun before.
    """

    begun: int
    turn: int = 0


class Tried(msgspec.Struct, frozen=True):
    """An attempt that need not be repeated: the table's key says which. ``cycle`` is when it was made."""

    cycle: int


class Charges(msgspec.Struct, frozen=True):
    """How often an author was charged with bad content."""

    count: int


class Offered(msgspec.Struct, frozen=True):
    """A file of this peer's own that it offers; once superseded, it is released after a while, and the record stays until it is.

    ``serial`` grows with every file that is superseded, so that of two the later one can be told.
    """

    kind: FileKind
    digest: Digest
    locators: tuple[Locator, ...]
    superseded: bool = False
    serial: int = 0


class KeptFile(msgspec.Struct, frozen=True):
    """A file of another peer's that this one offers too, or is about to; the record stays until it surely is released.

    Attributes:
        author: Who signed the announcement by which it was fetched.
        locators: Where it was fetched, and is kept.
        serial: Grows with every file that is fetched.
        score: Of a model: what its author reported.
        kept: Whether it surely is offered from here.
    """

    kind: FileKind
    digest: Digest
    author: PeerId
    locators: tuple[Locator, ...]
    serial: int
    score: Score | None = None
    kept: bool = False


Record = Core | SignedAnnouncement | Tried | KnownSlice | QueuedPass | Uses | Charges | Offered | KeptFile


@dataclass(slots=True)
class Memory:
    """All tables. Mutable, and owned by one machine; a driver hands a filled one over when it restores."""

    core: dict[str, Core] = field(default_factory=dict)
    board: dict[str, SignedAnnouncement] = field(default_factory=dict)
    tried: dict[str, Tried] = field(default_factory=dict)
    slices: dict[str, KnownSlice] = field(default_factory=dict)
    queue: dict[str, QueuedPass] = field(default_factory=dict)
    uses: dict[str, Uses] = field(default_factory=dict)
    charges: dict[str, Charges] = field(default_factory=dict)
    refused: dict[str, Charges] = field(default_factory=dict)
    offered: dict[str, Offered] = field(default_factory=dict)
    kept: dict[str, KeptFile] = field(default_factory=dict)


TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "core": Core,
    "board": SignedAnnouncement,
    "tried": Tried,
    "slices": KnownSlice,
    "queue": QueuedPass,
    "uses": Uses,
    "charges": Charges,
    "refused": Charges,
    "offered": Offered,
    "kept": KeptFile,
}
"""The record type of each table, for whoever decodes them."""

CORE: Final = "core"
"""The only key of table ``core``."""
