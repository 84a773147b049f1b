"""What can happen to a machine. Events are past tense; drivers make them, the machine alone knows what they mean."""

from dataclasses import dataclass
from enum import StrEnum

from learnae.values.announcements import HashlistEntry, SignedAnnouncement
from learnae.values.ids import Digest, Locator, PeerId, SensorId
from learnae.values.scores import Score


class FileKind(StrEnum):
    """What a file in a storage is."""

    MODEL = "model"
    SLICE = "slice"
    HASHLIST = "hashlist"
    BOARD = "board"


@dataclass(frozen=True, slots=True)
class Started:
    """The program runs.

    Attributes:
        recovering: The key is there, but the state that belongs to it was lost.
        inventory: Some storage can list what it offers for this peer.
    """

    recovering: bool = False
    inventory: bool = False


@dataclass(frozen=True, slots=True)
class ValidationGathered:
    """The own validation rows are these now: a digest of them as a set, and their number."""

    validation: Digest
    rows: int


@dataclass(frozen=True, slots=True)
class CutSlice:
    """A dataslice that this peer cut from its own rows or a sensor's readings, and holds durably."""

    digest: Digest
    rows: int
    evaluation: bool = False


@dataclass(frozen=True, slots=True)
class SlicesCut:
    """Own dataslices exist; known ones may be among them."""

    slices: tuple[CutSlice, ...]


@dataclass(frozen=True, slots=True)
class SlicesLost:
    """Held dataslices turned out not to be here any more, or to be damaged."""

    slices: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class SlicesStored:
    """Own dataslices were offered to others."""

    entries: tuple[HashlistEntry, ...]


@dataclass(frozen=True, slots=True)
class FileStored:
    """An own model, hashlist or board was offered to others; ``size`` in bytes as stored."""

    kind: FileKind
    digest: Digest
    locators: tuple[Locator, ...]
    size: int


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """A file could not be offered now; of slices, ``digest`` is the first."""

    kind: FileKind
    digest: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of another peer's is offered from here too."""

    kind: FileKind
    digest: Digest


@dataclass(frozen=True, slots=True)
class KeepFailed:
    """A file of another peer's could not be kept now; perhaps a part of it was."""

    kind: FileKind
    digest: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class FilesReleased:
    """Files are not offered any more; ``locators`` as they were ordered to be released."""

    locators: tuple[Locator, ...]


@dataclass(frozen=True, slots=True)
class ReleaseFailed:
    """Some of these files could not be released now."""

    locators: tuple[Locator, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class InventoryTaken:
    """What the storages offer for this peer, from whatever run; ``schemes``: of which storages that is all."""

    locators: tuple[Locator, ...]
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InventoryFailed:
    """Some storage does not say what it offers now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heard:
    """An announcement came whose form, session and signature were verified."""

    signed: SignedAnnouncement


@dataclass(frozen=True, slots=True)
class BoardFetched:
    """A peer's board came; every entry's form, session and signature was verified."""

    author: PeerId
    digest: Digest
    entries: tuple[SignedAnnouncement, ...]
    size: int = 0


@dataclass(frozen=True, slots=True)
class HashlistFetched:
    """A hashlist came that fits its digest and the manifest's limits; ``locator``: whence, if it can be kept on offer there."""

    author: PeerId
    digest: Digest
    entries: tuple[HashlistEntry, ...]
    size: int = 0
    locator: Locator | None = None


@dataclass(frozen=True, slots=True)
class SliceFetched:
    """A dataslice came that fits its digest and the manifest's schema, and is held durably; ``locator`` as of a hashlist."""

    author: PeerId
    digest: Digest
    rows: int
    size: int = 0
    locator: Locator | None = None


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """A hashlist, slice or board did not come; ``wrong``: it came, fits its signed digest, and is still wrong."""

    kind: FileKind
    author: PeerId
    digest: Digest
    reason: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class OwnScored:
    """The own model was scored on the validation rows of that digest."""

    model: Digest
    validation: Digest
    score: Score


@dataclass(frozen=True, slots=True)
class ModelTrained:
    """Training made a model, scored on the validation rows of that digest."""

    model: Digest
    validation: Digest
    score: Score


@dataclass(frozen=True, slots=True)
class TrainingFailed:
    """Training made no model: ``lost`` slices are not here any more, or, if there are none, the result was not finite."""

    reason: str
    lost: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFolded:
    """A remote model was fetched and folded in; the result was scored on the validation rows of that digest.

    ``locator``: whence the remote model came, if it can be kept on offer there.
    """

    model: Digest
    validation: Digest
    score: Score
    size: int = 0
    locator: Locator | None = None


@dataclass(frozen=True, slots=True)
class FoldFailed:
    """The remote model of the fold under way did not come; ``wrong`` as in ``FetchFailed``."""

    reason: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class ReadingsArrived:
    """A sensor's readings were taken into its buffer, or rejected."""

    sensor: SensorId
    accepted: int
    rejected: int


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing but time; due when ``Machine.wake_at`` says so, harmless at any other moment."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The operator wants the peer to stop."""

    reason: str = "asked to"


Event = (
    Started
    | ValidationGathered
    | SlicesCut
    | SlicesLost
    | SlicesStored
    | FileStored
    | StoreFailed
    | Kept
    | KeepFailed
    | FilesReleased
    | ReleaseFailed
    | InventoryTaken
    | InventoryFailed
    | Heard
    | BoardFetched
    | HashlistFetched
    | SliceFetched
    | FetchFailed
    | OwnScored
    | ModelTrained
    | TrainingFailed
    | ModelFolded
    | FoldFailed
    | ReadingsArrived
    | TimePassed
    | StopRequested
)
