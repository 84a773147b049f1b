"""The machine's orders carried out: files and messages out, files in, numbers made. Each order gives at most one event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from learnae.codec.boards import decode_board, encode_board
from learnae.codec.hashlists import decode_hashlist, encode_hashlist
from learnae.codec.messages import encode_message
from learnae.codec.seal import Seal
from learnae.codec.slices import decode_slice, largest_slice
from learnae.codec.weights import weights_size
from learnae.errors import BadContentError, DamagedError, ForgedError, NotFoundError, UsageError, WorldError
from learnae.interfaces.abilities import Keeper
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae.machine import effects, events
from learnae.machine.events import FileKind
from learnae.performing.persisting import Persisting
from learnae.performing.shelf import Shelf
from learnae.performing.workshop import DivergedError, LostSlicesError, Workshop
from learnae.values.announcements import PROTOCOL, Hashlist, HashlistEntry, SignedAnnouncement
from learnae.values.ids import Digest, Locator, PeerId, SessionId, scheme_of
from learnae.values.journal import AnnouncementSent, AnyFact, FileStored, Notice
from learnae.values.manifest import Manifest

T = TypeVar("T")


class Pace(Protocol):
    """How a driver waits: a real one uses threads and time-outs, a simulated one neither."""

    async def compute(self, job: Callable[[], T]) -> T:
        """Run a job of the workshop's; one at a time, in order."""

    async def decode(self, job: Callable[[], T]) -> T:
        """Run a short job that must not wait for the workshop."""

    async def within(self, fetch: Awaitable[T]) -> T:
        """Wait for a remote operation, but not for ever.

        Raises:
            UnavailableError: It took too long.
        """

    async def first(self, attempts: Sequence[Callable[[], Awaitable[T]]]) -> T:
        """Make attempts one after the other until one succeeds; all together take no longer than one may in ``within``.

        Args:
            attempts: At least one. One that hangs leaves time to those after it.

        Raises:
            WorldError: The last one's, or that it took too long.
        """


@dataclass(frozen=True, slots=True)
class Session:
    """What everybody who performs needs to know."""

    id: SessionId
    manifest: Manifest
    seal: Seal
    peer: PeerId


@dataclass(frozen=True, slots=True)
class _Got:
    """A file that came, in plaintext that fits its digest, and whence, if it can be kept on offer there."""

    data: bytes
    keepable: Locator | None


class Performer:
    """Carries out orders; several may be under way at once."""

    def __init__(
        self,
        session: Session,
        *,
        transport: Transport,
        storages: Sequence[Storage],
        workshop: Workshop,
        shelf: Shelf,
        pace: Pace,
        note: Callable[[AnyFact], None],
        is_known: Callable[[SignedAnnouncement], bool],
    ) -> None:
        """Make a performer.

        Args:
            session: The session and the peer.
            transport: Where announcements go.
            storages: Where files come from, by scheme; the first also takes the peer's own.
            workshop: Does the numbers.
            shelf: Keeps dataslices.
            pace: The driver's way of waiting.
            note: Writes a fact to the journal.
            is_known: Says whether exactly this announcement was verified before.
        """
        self._session = session
        self._transport = transport
        self._storages = {storage.scheme: storage for storage in storages}
        self._storage = storages[0]
        self._workshop = workshop
        self._shelf = shelf
        self._pace = pace
        self._note = note
        self._is_known = is_known
        self._persisting = Persisting(self._storages, pace, self._most_sealed_bytes)
        self._fetched_model: tuple[Digest, _Got] | None = None

    @property
    def has_inventory(self) -> bool:
        """Whether some storage can list what it offers for this peer."""
        return self._persisting.has_inventory

    async def perform(self, effect: effects.Effect) -> events.Event | None:  # noqa: PLR0911 - one line for each order
        """Carry out an order and return what came of it.

        Raises:
            StateError: The state folder cannot be written.
        """
        match effect:
            case effects.Announce(signed=signed):
                await self._announce(signed)
                return None
            case effects.Score(model=model):
                judged = await self._pace.compute(lambda: self._workshop.score(model))
                return events.OwnScored(judged.model, judged.validation, judged.score)
            case effects.Train():
                return await self._train(effect)
            case effects.Fold():
                return await self._fold(effect)
            case effects.GatherValidation(slices=slices):
                return await self._gather(slices)
            case effects.Fetch():
                return await self._fetch(effect)
            case effects.StoreModel() | effects.StoreSlices() | effects.StoreHashlist() | effects.StoreBoard():
                return await self._store(effect)
            case effects.Keep() | effects.Release() | effects.TakeInventory():
                return await self._persisting.perform(effect)
            case effects.ForgetSlice(slice=digest):
                await self._pace.decode(lambda: self._shelf.drop(digest))
                return None
            case effects.KeepOnly(model=model):
                self._workshop.keep_only(model)
                return None
            case _:
                raise UsageError(f"{type(effect).__name__} is for the driver")

    async def _announce(self, signed: SignedAnnouncement) -> None:
        message = encode_message(signed, self._session.seal)
        subject = signed.announcement.subject
        try:
            await self._pace.within(self._transport.publish(self._session.seal.slot(self._session.peer, subject), message))
        except WorldError as exc:
            # Nothing is lost: the board carries it, and presence repeats that.
            self._note(Notice(f"cannot announce now: {exc}"))
        else:
            self._note(AnnouncementSent(subject, signed.announcement.sequence, len(message)))

    async def _train(self, order: effects.Train) -> events.Event:
        try:
            judged = await self._pace.compute(lambda: self._workshop.train(order.model, order.slices, order.seed))
        except LostSlicesError as exc:
            return events.TrainingFailed(str(exc), exc.digests)
        except DivergedError as exc:
            return events.TrainingFailed(str(exc))
        return events.ModelTrained(judged.model, judged.validation, judged.score)

    async def _fold(self, order: effects.Fold) -> events.Event:
        digest, size = order.remote.digest, 0
        try:
            if self._fetched_model is not None and self._fetched_model[0] == digest:
                got = self._fetched_model[1]
            else:
                got = await self._get(FileKind.MODEL, digest, order.locators)
                size = len(got.data)
                self._fetched_model = (digest, got)
            judged = await self._pace.compute(lambda: self._workshop.fold(order.base, got.data, order.remote_share))
        except WorldError as exc:
            return events.FoldFailed(str(exc))
        except BadContentError as exc:
            return events.FoldFailed(str(exc), wrong=True)
        return events.ModelFolded(judged.model, judged.validation, judged.score, size, got.keepable)

    async def _gather(self, slices: tuple[Digest, ...]) -> events.Event:
        try:
            validation, rows = await self._pace.compute(lambda: self._workshop.validate_on_slices(slices))
        except LostSlicesError as exc:
            self._note(Notice(f"cannot validate: {exc}"))
            return events.SlicesLost(exc.digests)
        return events.ValidationGathered(validation, rows)

    async def _fetch(self, order: effects.Fetch) -> events.Event:
        author, digest = order.author, order.digest
        try:
            got = await self._get(order.kind, digest, order.locators)
            return await self._pace.decode(lambda: self._read(order, got))
        except WorldError as exc:
            return events.FetchFailed(order.kind, author, digest, str(exc))
        except BadContentError as exc:
            return events.FetchFailed(order.kind, author, digest, str(exc), wrong=True)

    def _read(self, order: effects.Fetch, got: _Got) -> events.Event:
        author, digest, data, size = order.author, order.digest, got.data, len(got.data)
        limits = self._session.manifest.limits
        match order.kind:
            case FileKind.BOARD:
                entries = decode_board(data, session=self._session.id, limits=limits, known=self._is_known)
                return events.BoardFetched(author, digest, entries, size)
            case FileKind.HASHLIST:
                hashlist = decode_hashlist(data, session=self._session.id, limits=limits)
                return events.HashlistFetched(author, digest, hashlist.entries, size, got.keepable)
            case _:
                rows = len(decode_slice(data, self._session.manifest))
                self._shelf.put(digest, data)
                return events.SliceFetched(author, digest, rows, size, got.keepable)

    async def _get(self, kind: FileKind, digest: Digest, locators: Sequence[Locator]) -> _Got:
        """Fetch a file from wherever it is.

        Raises:
            WorldError: It cannot be had now.
        """
        found = [(self._storages.get(scheme_of(locator)), locator) for locator in locators]
        attempts = [partial(self._get_from, storage, locator, kind, digest) for storage, locator in found if storage is not None]
        if not attempts:
            raise NotFoundError(f"no storage here reads {', '.join(locators)}")
        return await self._pace.first(attempts)

    async def _get_from(self, storage: Storage, locator: Locator, kind: FileKind, digest: Digest) -> _Got:
        sealed = await storage.get(locator, max_bytes=self._most_sealed_bytes(kind))
        data = await self._pace.decode(lambda: self._opened(kind, digest, sealed))
        return _Got(data, locator if isinstance(storage, Keeper) else None)

    def _opened(self, kind: FileKind, digest: Digest, data: bytes) -> bytes:
        try:
            plain = self._session.seal.open(data, kind)
        except ForgedError as exc:
            raise DamagedError(f"{kind} {digest[:8]} does not open: {exc}") from exc
        if self._session.seal.digest(plain) != digest:
            raise DamagedError(f"{kind} {digest[:8]} is not what was announced")
        return plain

    def _most_sealed_bytes(self, kind: FileKind) -> int:
        return self._most_bytes(kind) + self._session.seal.overhead

    def _most_bytes(self, kind: FileKind) -> int:
        manifest = self._session.manifest
        limits = manifest.limits
        match kind:
            case FileKind.MODEL:
                return min(weights_size(manifest), limits.model_bytes)
            case FileKind.SLICE:
                return min(largest_slice(manifest), limits.slice_bytes)
            case FileKind.HASHLIST:
                return limits.hashlist_bytes
            case FileKind.BOARD:
                return limits.board_bytes

    async def _store(
        self, order: effects.StoreModel | effects.StoreSlices | effects.StoreHashlist | effects.StoreBoard
    ) -> events.Event | None:
        match order:
            case effects.StoreSlices(slices=slices):
                return await self._store_slices(slices)
            case effects.StoreModel(model=model):
                try:
                    data = self._workshop.encoded(model)
                except UsageError:
                    return None  # The own model changed meanwhile; the next order is on its way.
                return await self._put(FileKind.MODEL, data)
            case effects.StoreHashlist(entries=entries):
                hashlist = Hashlist(PROTOCOL, self._session.id, entries)
                return await self._put(FileKind.HASHLIST, await self._pace.decode(lambda: encode_hashlist(hashlist)))
            case effects.StoreBoard(entries=signed):
                return await self._put(FileKind.BOARD, await self._pace.decode(lambda: encode_board(signed)))

    async def _put(self, kind: FileKind, data: bytes) -> events.FileStored | events.StoreFailed:
        seal = self._session.seal
        digest = await self._pace.decode(lambda: seal.digest(data))
        if len(data) > self._most_bytes(kind):
            # Nobody would fetch it.
            return events.StoreFailed(kind, digest, f"{len(data)} bytes, where the session allows {self._most_bytes(kind)}")
        sealed = await self._pace.decode(lambda: seal.seal(data, kind))
        try:
            locator = await self._pace.within(self._storage.put(sealed))
        except (WorldError, UsageError) as exc:
            return events.StoreFailed(kind, digest, str(exc))
        self._note(FileStored(kind, digest, len(sealed)))
        return events.FileStored(kind, digest, (locator,), len(sealed))

    async def _store_slices(self, slices: tuple[tuple[Digest, bool], ...]) -> events.Event:
        entries: list[HashlistEntry] = []
        failed = events.StoreFailed(FileKind.SLICE, slices[0][0], "none of the dataslices is on the shelf")
        for digest, evaluation in slices:
            try:
                data, rows = await self._pace.decode(partial(self._held, digest))
            except (NotFoundError, BadContentError) as exc:
                self._note(Notice(str(exc)))
                continue
            stored = await self._put(FileKind.SLICE, data)
            if isinstance(stored, events.StoreFailed):
                failed = stored
                break
            entries.append(HashlistEntry(digest, rows, evaluation, stored.locators))
        if entries:
            return events.SlicesStored(tuple(entries))
        return failed

    def _held(self, digest: Digest) -> tuple[bytes, int]:
        data = self._shelf.get(digest)
        return data, len(decode_slice(data, self._session.manifest))
