"""What should be on offer, and is gone from its storage: the operator deleted its repository, or uses another one now."""

from collections.abc import Callable

from learnae.machine.events import InventoryTaken
from learnae.machine.keeping import Keeping
from learnae.machine.notebook import Notebook
from learnae.machine.offering import Offering
from learnae.machine.sharing import Sharing
from learnae.values.ids import Locator, scheme_of
from learnae.values.journal import Notice

IsLost = Callable[[tuple[Locator, ...]], bool]


class Restocking:
    """Has what a storage lost offered again: own files from the bytes that are at hand, those of others from whoever has them.

    Nothing is being stored or kept while an inventory is taken, so that what is not listed, and not being released, is gone.
    """

    def __init__(self, notebook: Notebook, *, offering: Offering, sharing: Sharing, keeping: Keeping) -> None:
        self._notebook = notebook
        self._offering = offering
        self._sharing = sharing
        self._keeping = keeping

    def inventory_taken(self, event: InventoryTaken) -> None:
        """The storages said what they offer; of a storage that cannot tell, nothing is known to be lost."""
        listed, told = frozenset(event.locators), frozenset(event.schemes)

        def is_lost(locators: tuple[Locator, ...]) -> bool:
            return any(scheme_of(locator) in told and locator not in listed for locator in locators)

        lost = self._offering.lost(is_lost) + self._sharing.lost(is_lost) + self._keeping.lost(is_lost)
        if lost:
            self._notebook.note(Notice(f"files that this peer offers are gone from its storage, offering them again: {lost}"))
