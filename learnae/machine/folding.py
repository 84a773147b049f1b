"""Averaging, exploring and adopting: which remote models, and what becomes of the result (paper, section 4.3)."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from learnae.averaging.judging import is_better, merit
from learnae.averaging.partners import choose_partners, remote_share
from learnae.machine.board import Board, Offer
from learnae.machine.effects import Fold
from learnae.machine.events import FileKind
from learnae.machine.fetching import Backoff
from learnae.machine.memory import Own, Tried
from learnae.machine.notebook import Notebook
from learnae.values.announcements import ModelRecord, matured
from learnae.values.choices import Cycle
from learnae.values.ids import Digest, PeerId
from learnae.values.scores import Score

ADOPT: Final = "adopt"
MAX_TRIED: Final = 100_000
MAX_MEASURED: Final = 10_000
MAX_ADOPTION_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Attempt:
    """An averaging, exploring or adopting cycle under way.

    Attributes:
        base: The best model of the cycle so far: the own one, or an average that was better.
        left: Offers still to be folded in.
        now: The offer being folded in.
        folded: Records of those that made the base better.
        partners: Authors of all that were tried.
        tried: The latest score.
    """

    kind: Cycle
    base: Own
    left: list[Offer]
    now: Offer
    folded: list[ModelRecord] = field(default_factory=list)
    partners: list[PeerId] = field(default_factory=list)
    tried: Score | None = None


class Folding:
    """Chooses partners, and keeps a result only if it is strictly better on the same validation rows."""

    def __init__(self, notebook: Notebook, board: Board) -> None:
        self._notebook = notebook
        self._board = board
        self._backoff = Backoff(notebook.rules.retry_s)
        self._measured: dict[tuple[Digest, Digest | None], Score] = {}
        tried = notebook.memory.tried
        self._tried_oldest_first = OrderedDict.fromkeys(sorted(tried, key=lambda key: (tried[key].cycle, key)))
        self.attempt: Attempt | None = None

    def eligible(self) -> tuple[list[Offer], list[Offer]]:
        """List the offers worth averaging with: one for each model, not the own, not tried, not failing just now.

        Returns:
            Those that report a better score than the own one; and all.
        """
        own = self._notebook.own
        better: dict[Digest, Offer] = {}
        chosen: dict[Digest, Offer] = {}
        for offer in self._board.offers():
            record = offer.content.record
            if record.digest == own.model or record.digest in better:
                continue
            if self._is_due(offer) and not self._is_tried(own, record.digest, _average(0)):
                chosen.setdefault(record.digest, offer)
                if self._promises(record):
                    better[record.digest] = offer
        return list(better.values()), list(chosen.values())

    def _is_due(self, offer: Offer) -> bool:
        """Say whether it may be fetched now: who offers a model that cannot be had does not stop others from offering it."""
        return self._backoff.is_due((offer.author, offer.content.record.digest), self._notebook.now_s)

    def _promises(self, record: ModelRecord) -> bool:
        """Say whether a record reports a better score than the own model's; what is not scored yet promises nothing."""
        own, rules = self._notebook.own, self._notebook.rules
        return own.score is not None and is_better(rules.judge, rules.min_gain, record.score, own.score)

    def begin(self, kind: Cycle, eligible: list[Offer]) -> None:
        """Begin to average or explore with some of the offers."""
        rules = self._notebook.rules
        chosen = choose_partners(rules.averaging, rules.soup_size, eligible, self._notebook.draw)
        self._start(kind, list(chosen))

    def adoptable(self, attempts: int) -> Offer | None:
        """Return the model to adopt, if it scores better: the one with the highest reported score, or, after a failure, the next.

        Args:
            attempts: How many were attempted since the peer came to rest.
        """
        if attempts >= MAX_ADOPTION_ATTEMPTS:
            return None
        rules, own = self._notebook.rules, self._notebook.own
        best_first = sorted(
            self._board.offers(), key=lambda offer: (-merit(rules.judge, offer.content.record.score), offer.content.record.digest)
        )
        models: dict[Digest, list[Offer]] = {}
        for offer in best_first:
            models.setdefault(offer.content.record.digest, []).append(offer)
        is_first = True
        for digest, offers in models.items():
            promises = self._promises(offers[0].content.record)
            if not is_first and not promises:
                return None
            due = [offer for offer in offers if self._is_due(offer)]
            if due and digest != own.model and not self._is_tried(own, digest, ADOPT) and not self._is_known_worse(own, digest):
                return due[0]
            # Who broke a promise, or cannot keep it now, does not take the first place from the next best.
            is_first = is_first and promises and digest != own.model
        return None

    def _is_known_worse(self, own: Own, remote: Digest) -> bool:
        """Say whether a remote model was scored on the own rows before, and was no better: a lie takes only one attempt."""
        measured = self._measured.get((remote, own.validation))
        rules = self._notebook.rules
        return measured is not None and own.score is not None and not is_better(rules.judge, rules.min_gain, measured, own.score)

    def begin_adoption(self, offer: Offer) -> None:
        """Begin to look at a remote model as it is."""
        self._start(Cycle.ADOPT, [offer])

    def _start(self, kind: Cycle, offers: list[Offer]) -> None:
        self.attempt = Attempt(kind, self._notebook.own, offers[1:], offers[0])
        self._order(self.attempt)

    def _order(self, attempt: Attempt) -> None:
        offer = attempt.now
        attempt.partners.append(offer.author)
        share = 1.0 if attempt.kind is Cycle.ADOPT else remote_share(len(attempt.folded))
        self._notebook.order(Fold(attempt.base.model, offer.content.record, offer.author, offer.content.locators, share))

    def folded(self, model: Digest, validation: Digest, score: Score) -> bool:
        """Judge a result; return whether the cycle goes on with another offer.

        A result on other rows than the base's cannot be compared: it is dropped, and what was attempted may be tried again.
        """
        attempt = self.current()
        record = attempt.now.content.record
        self._backoff.succeeded((attempt.now.author, record.digest))
        if validation != attempt.base.validation:
            return False
        attempt.tried = score
        if attempt.kind is Cycle.ADOPT:
            self._measured[record.digest, validation] = score
            if len(self._measured) > MAX_MEASURED:
                del self._measured[next(iter(self._measured))]
        rules = self._notebook.rules
        if attempt.base.score is not None and is_better(rules.judge, rules.min_gain, score, attempt.base.score):
            # Not marked as tried: the base changes, and a crash before the end of the cycle loses what was gained.
            attempt.folded.append(record)
            attempt.base = Own(model, self._maturity(attempt), score, validation)
        else:
            operation = ADOPT if attempt.kind is Cycle.ADOPT else _average(len(attempt.folded))
            self._mark_tried(attempt.base, record.digest, operation)
        return self._next(attempt)

    def _maturity(self, attempt: Attempt) -> int:
        """Return an adopted model's own maturity, or one more than an average's largest parent's."""
        parents = [record.maturity for record in attempt.folded]
        return parents[0] if attempt.kind is Cycle.ADOPT else matured(max(self._notebook.own.maturity, *parents))

    def failed(self, reason: str, *, wrong: bool) -> bool:
        """The offer's model did not come; return whether the cycle goes on with another."""
        attempt = self.current()
        digest = attempt.now.content.record.digest
        if wrong:
            self._board.charge(attempt.now.author, FileKind.MODEL, digest, reason)
        else:
            self._backoff.failed((attempt.now.author, digest), self._notebook.now_s)
        return self._next(attempt)

    def _next(self, attempt: Attempt) -> bool:
        while attempt.left:
            offer = attempt.left.pop(0)
            if self._board.is_admitted(offer.author):
                attempt.now = offer
                self._order(attempt)
                return True
        return False

    def end(self) -> Attempt:
        """End the cycle and return what it came to."""
        attempt = self.current()
        self.attempt = None
        return attempt

    def current(self) -> Attempt:
        """Return the attempt under way."""
        assert self.attempt is not None, "the transition table lets results come only while an attempt is under way"  # noqa: S101
        return self.attempt

    def _is_tried(self, own: Own, remote: Digest, operation: str) -> bool:
        return _tried_key(own, remote, operation) in self._notebook.memory.tried

    def _mark_tried(self, own: Own, remote: Digest, operation: str) -> None:
        key = _tried_key(own, remote, operation)
        self._notebook.put("tried", key, Tried(self._notebook.core.cycle))
        self._tried_oldest_first[key] = None
        self._tried_oldest_first.move_to_end(key)
        if len(self._tried_oldest_first) > MAX_TRIED:
            oldest, _ = self._tried_oldest_first.popitem(last=False)
            self._notebook.remove("tried", oldest)

    def is_news(self, digest: Digest) -> bool:
        """Say whether a model that was offered just now is worth waking for."""
        own = self._notebook.own
        is_known = digest == own.model or self._is_tried(own, digest, _average(0))
        return not is_known and not self._board.is_refused(FileKind.MODEL, digest)

    def next_due_s(self, now_s: float) -> float | None:
        """Return when the next failed fetch may be repeated."""
        return self._backoff.next_due_s(now_s)


def _average(folded: int) -> str:
    return f"average/{folded}"


def _tried_key(own: Own, remote: Digest, operation: str) -> str:
    """Key an attempt by all that its outcome depends on."""
    return f"{own.model}/{remote}/{operation}/{own.validation}"
