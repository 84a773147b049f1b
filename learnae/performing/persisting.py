"""Files kept on offer for others, let go, and listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from learnae.errors import WorldError
from learnae.interfaces.abilities import Inventory, Keeper
from learnae.interfaces.storage import Storage
from learnae.machine import effects, events
from learnae.machine.events import FileKind
from learnae.values.ids import Locator, scheme_of

T = TypeVar("T")


class Waiting(Protocol):
    """The part of a driver's pace that is needed here."""

    async def within(self, fetch: Awaitable[T]) -> T:
        """Wait for a remote operation, but not for ever."""


class Persisting:
    """Carries out orders about files that lie in storages.

    Attributes:
        has_inventory: Whether some storage can list what it offers for this peer.
    """

    def __init__(self, storages: Mapping[str, Storage], pace: Waiting, most_bytes: Callable[[FileKind], int]) -> None:
        """Make one.

        Args:
            storages: By scheme.
            pace: The driver's way of waiting.
            most_bytes: Says how large a file of a kind may be, sealed.
        """
        self._storages = storages
        self._pace = pace
        self._most_bytes = most_bytes
        self._inventories = [storage for storage in storages.values() if isinstance(storage, Inventory)]
        self.has_inventory = bool(self._inventories)

    async def perform(self, order: effects.Keep | effects.Release | effects.TakeInventory) -> events.Event:
        """Carry out an order and return what came of it."""
        match order:
            case effects.Keep():
                return await self._keep(order)
            case effects.Release(locators=locators):
                return await self._release(locators)
            case effects.TakeInventory():
                return await self._take_inventory()

    async def _keep(self, order: effects.Keep) -> events.Kept | events.KeepFailed:
        for locator in order.locators:
            keeper: object = self._storages.get(scheme_of(locator))
            if not isinstance(keeper, Keeper):
                return events.KeepFailed(order.kind, order.digest, f"no storage here keeps {locator} on offer")
            try:
                await self._pace.within(keeper.keep(locator, max_bytes=self._most_bytes(order.kind)))
            except WorldError as exc:
                return events.KeepFailed(order.kind, order.digest, str(exc))
        return events.Kept(order.kind, order.digest)

    async def _release(self, locators: tuple[Locator, ...]) -> events.FilesReleased | events.ReleaseFailed:
        failures: list[str] = []
        for locator in locators:
            storage = self._storages.get(scheme_of(locator))
            if storage is None:
                failures.append(f"no storage named {scheme_of(locator)!r} is set up here")
                continue
            try:
                await self._pace.within(storage.release(locator))
            except WorldError as exc:
                failures.append(str(exc))
        if failures:
            return events.ReleaseFailed(locators, "; ".join(failures))
        return events.FilesReleased(locators)

    async def _take_inventory(self) -> events.InventoryTaken | events.InventoryFailed:
        offered: set[Locator] = set()
        for storage in self._inventories:
            try:
                offered.update(await self._pace.within(storage.offered()))
            except WorldError as exc:
                return events.InventoryFailed(str(exc))
        return events.InventoryTaken(tuple(sorted(offered)), tuple(storage.scheme for storage in self._inventories))
