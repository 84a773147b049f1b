"""Where the announcements of a session lie: under tags that change with time and with how much is there.

A node returns at most 1,000 transactions for one tag, without a word about the others. So time is cut into epochs and each epoch
into pages, and every page has a tag of its own, derived from the session's rendezvous. Who posts takes the first page that is not
full; who reads follows as far as pages are full, and looks now and then at the one after them. Only the first transaction of an
announcement carries the tag: one hash for each. What a stranger fills makes the next page begin.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from learnae_iota.bundles.bundles import Bundle
from learnae_iota.tangle.content import Place, place_of
from learnae_iota.tangle.fetching import Fetched

EPOCH_S = 300
PAST_EPOCHS = 3
"""What is read of before: the own epoch and so many earlier ones, a quarter of an hour and more."""

FULL_AT = 600
"""Announcements after which a page counts as full; what others post before they see it has room up to 1,000."""

MAX_PAGES = 32
"""Of one epoch: some 19,000 announcements, what 320 peers say in five minutes. After that the last page is filled up."""


@dataclass(slots=True)
class Page:
    """One page, and what was read of it.

    Attributes:
        number: In its epoch, from 0.
        place: Where it is.
        known: The tagged transactions that need not be fetched again.
        full: Whether the next page has begun.
        cut: Whether there was more than was read last time.
        looked_at_s: When it was read last, monotonic; ``None`` if it never was.
    """

    epoch: int
    number: int
    place: Place
    known: set[str] = field(default_factory=set)
    full: bool = False
    cut: bool = False
    looked_at_s: float | None = None

    def took(self, fetched: Fetched, now_s: float) -> None:
        """Note what was read."""
        self.known |= fetched.seen - self._without_tag(fetched.bundles)
        self.cut = fetched.cut
        self.full |= fetched.cut or len(self.known) >= FULL_AT
        self.looked_at_s = now_s

    def _without_tag(self, bundles: Iterable[Bundle]) -> set[str]:
        """Return the transactions that no query for this page finds."""
        return {
            digest
            for bundle in bundles
            for digest, transaction in zip(bundle.hashes, bundle.transactions, strict=True)
            if transaction.tag != self.place.tag
        }


class Pages:
    """The pages of one session that are within reach.

    Args:
        rendezvous: The session's name on ledgers.
    """

    def __init__(self, rendezvous: str) -> None:
        self._rendezvous = rendezvous
        self._epochs: dict[int, list[Page]] = {}

    def turn_to(self, epoch: int) -> None:
        """Keep what is within reach of an epoch: itself, the next (clocks differ), and some before; forget the others."""
        reach = range(epoch - PAST_EPOCHS, epoch + 2)
        for old in self._epochs.keys() - set(reach):
            del self._epochs[old]
        for each in reach:
            if each not in self._epochs:
                self._epochs[each] = [self._page(each, 0)]

    def writable(self, epoch: int) -> Page:
        """Return the page on which to post: the first that is not full."""
        return next((page for page in self._upto(epoch) if not page.full), self._epochs[epoch][-1])

    def due(self, epoch: int, now_s: float, idle_s: float) -> list[Page]:
        """Return the pages to read now.

        Args:
            epoch: The own.
            now_s: Monotonic.
            idle_s: How long pages rest on which little is expected: those of other epochs, full ones, and the one after them.
        """
        pages: list[Page] = []
        for each in sorted(self._epochs, reverse=True):
            reached = list(self._upto(each))
            ahead = self._after(reached[-1])
            busy = reached[-2:] if each == epoch else []
            for page in [*reached, *ahead]:
                rested = page.looked_at_s is None or now_s - page.looked_at_s >= idle_s
                settled = each < epoch - 1 and page.looked_at_s is not None and not page.cut
                if page in busy or (rested and not settled):
                    pages.append(page)
        return pages

    def took(self, page: Page, fetched: Fetched, now_s: float) -> tuple[Bundle, ...]:
        """Note what was read of a page; if there is anything on it, those before it are full."""
        page.took(fetched, now_s)
        if page.known:
            for before in self._epochs.get(page.epoch, [])[: page.number]:
                before.full = True
        return fetched.bundles

    def _upto(self, epoch: int) -> Iterator[Page]:
        """Go over the pages of an epoch up to the first that is not full."""
        for page in self._epochs[epoch]:
            yield page
            if not page.full:
                return
        yield from self._after(self._epochs[epoch][-1])

    def _after(self, page: Page) -> list[Page]:
        """Return the page after one; none after the last."""
        pages = self._epochs[page.epoch]
        if page.number + 1 >= MAX_PAGES:
            return []
        if page.number + 1 == len(pages):
            pages.append(self._page(page.epoch, page.number + 1))
        return [pages[page.number + 1]]

    def _page(self, epoch: int, number: int) -> Page:
        return Page(epoch, number, place_of("announcements", self._rendezvous, epoch, number))
