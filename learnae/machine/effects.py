"""What a machine orders.

A driver first makes all ``Save`` and ``SaveModel`` effects of one ``handle`` durable, together; then it does the rest, in order.
"""

from dataclasses import dataclass

import msgspec

from learnae.machine.events import FileKind
from learnae.values.announcements import HashlistEntry, ModelRecord, SignedAnnouncement
from learnae.values.ids import Digest, Locator, PeerId
from learnae.values.journal import AnyFact


@dataclass(frozen=True, slots=True)
class Save:
    """Make a record durable, or remove it: ``value`` is a frozen struct of the table's type."""

    table: str
    key: str
    value: msgspec.Struct | None


@dataclass(frozen=True, slots=True)
class SaveModel:
    """Make this model's weights durable as the own model, and after training the optimiser's state too."""

    model: Digest


@dataclass(frozen=True, slots=True)
class KeepOnly:
    """Whatever weights were made for folding may go, but for this model's."""

    model: Digest


@dataclass(frozen=True, slots=True)
class Announce:
    """Hand this to the transport."""

    signed: SignedAnnouncement


@dataclass(frozen=True, slots=True)
class Score:
    """Score the own model on the own validation rows; answer with ``OwnScored``."""

    model: Digest


@dataclass(frozen=True, slots=True)
class Train:
    """Train the own model on these slices, as one set of rows, and score the result.

    Answer with ``ModelTrained`` or ``TrainingFailed``.
    """

    model: Digest
    slices: tuple[Digest, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Fold:
    """Fetch a remote model, average it with ``base``, score the result; answer with ``ModelFolded`` or ``FoldFailed``.

    ``remote_share`` 1 means the remote model as it is.
    """

    base: Digest
    remote: ModelRecord
    author: PeerId
    locators: tuple[Locator, ...]
    remote_share: float


@dataclass(frozen=True, slots=True)
class GatherValidation:
    """Validate on the rows of these held evaluation slices; answer with ``ValidationGathered`` or ``SlicesLost``."""

    slices: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class StoreModel:
    """Offer the own model to others; answer with ``FileStored`` or ``StoreFailed``.

    There is no answer if the model is not the own one any more and not at hand: a newer order is on its way then.
    """

    model: Digest


@dataclass(frozen=True, slots=True)
class StoreSlices:
    """Offer held slices to others; answer with ``SlicesStored`` or ``StoreFailed``."""

    slices: tuple[tuple[Digest, bool], ...]
    """Digest, and whether it is for evaluation."""


@dataclass(frozen=True, slots=True)
class StoreHashlist:
    """Offer a hashlist to others; answer with ``FileStored`` or ``StoreFailed``."""

    entries: tuple[HashlistEntry, ...]


@dataclass(frozen=True, slots=True)
class StoreBoard:
    """Offer a board to others; answer with ``FileStored`` or ``StoreFailed``."""

    entries: tuple[SignedAnnouncement, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch a hashlist, slice or board and check it; answer with ``…Fetched`` or ``FetchFailed``."""

    kind: FileKind
    author: PeerId
    digest: Digest
    locators: tuple[Locator, ...]


@dataclass(frozen=True, slots=True)
class ForgetSlice:
    """A slice of another peer's is done with: its local copy may go."""

    slice: Digest


@dataclass(frozen=True, slots=True)
class Keep:
    """Offer a file of another peer's, which was fetched and found good; answer with ``Kept`` or ``KeepFailed``."""

    kind: FileKind
    author: PeerId
    digest: Digest
    locators: tuple[Locator, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Stop offering files, own or kept; answer with ``FilesReleased`` or ``ReleaseFailed``."""

    locators: tuple[Locator, ...]


@dataclass(frozen=True, slots=True)
class TakeInventory:
    """List what the storages offer for this peer; answer with ``InventoryTaken`` or ``InventoryFailed``.

    Nothing is being stored or kept when this is ordered, and nothing will be until it is answered.
    """


@dataclass(frozen=True, slots=True)
class Note:
    """Write a fact to the journal."""

    fact: AnyFact


@dataclass(frozen=True, slots=True)
class BestImproved:
    """The own model is the best that this peer ever had."""

    record: ModelRecord


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop for good: somebody else signs with this peer's key. The text is for the operator."""

    text: str


Effect = (
    Save
    | SaveModel
    | KeepOnly
    | Announce
    | Score
    | Train
    | Fold
    | GatherValidation
    | StoreModel
    | StoreSlices
    | StoreHashlist
    | StoreBoard
    | Fetch
    | ForgetSlice
    | Keep
    | Release
    | TakeInventory
    | Note
    | BestImproved
    | Halt
)
