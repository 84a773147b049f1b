"""Looks at one place again and again, and fetches as little as can be of what was seen."""

from dataclasses import replace

from learnae_iota.stopping import Stop
from learnae_iota.tangle.basket import Torn
from learnae_iota.tangle.fetching import Fetched, Fetches, Query

MAX_SEEN = 20_000
"""Transactions that are remembered so as not to be fetched again; after that, all of them are."""

MAX_TORN = 2_000
"""Torn bundles that are remembered; after that, everything is looked at anew."""


class Watch:
    """A place that is looked at again and again. For one thread at a time.

    What was passed over is not shown again. Of a bundle that is there in part, the parts are remembered as seen and the whole is
    asked for by its hash, in turns with others: so it is found even where nodes show only some of what lies at its address, and
    whoever writes beginnings of bundles there makes nobody fetch them more than twice.

    Args:
        query: What lies there.
        max_bundle: The most transactions of one bundle.
    """

    def __init__(self, query: Query, max_bundle: int) -> None:
        self._query, self._max_bundle = query, max_bundle
        self._seen: set[str] = set()
        self._torn: tuple[Torn, ...] = ()
        self._cut = False

    def look(self, tangle: Fetches, stop: Stop | None = None) -> Fetched:
        """Fetch what was not passed over; raises what ``Tangle.fetch`` does.

        Args:
            tangle: Where.
            stop: Ends it early.
        """
        if len(self._seen) > MAX_SEEN or len(self._torn) > MAX_TORN:
            self.forget()
        query = replace(self._query, torn=self._torn)
        return tangle.fetch(query, known=self._seen, max_bundle=self._max_bundle, stop=stop)

    @property
    def is_digging(self) -> bool:
        """Whether there are torn bundles that were not asked for by their hashes yet: the next look may show more."""
        return self._cut and any(torn.looks == 0 for torn in self._torn)

    def pass_over(self, found: Fetched) -> None:
        """Do not show again what the last look showed."""
        self._seen |= found.seen
        self._torn, self._cut = found.torn, found.cut

    def forget(self) -> None:
        """Show everything again."""
        self._seen, self._torn = set(), ()
