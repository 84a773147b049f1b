"""The numbers: models trained, averaged, scored. Blocking, for a thread of its own; one call at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from learnae.averaging.arithmetic import average
from learnae.codec.digests import plain_digest
from learnae.codec.seal import Seal
from learnae.codec.slices import decode_slice
from learnae.codec.tensors import first_not_finite
from learnae.codec.weights import decode_arrays, decode_weights, encode_arrays, encode_weights
from learnae.data.assignment import rows_digest
from learnae.data.rows import to_rows
from learnae.errors import BadContentError, ConfigError, DamagedError, LearnaeError, NotFoundError, UsageError
from learnae.performing.shelf import Shelf
from learnae.performing.store import OwnModel
from learnae.values.ids import Digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learnae.interfaces.framework import ModelFramework
    from learnae.values.arrays import Rows, Weights
    from learnae.values.manifest import Manifest
    from learnae.values.scores import Score


@dataclass(frozen=True, slots=True)
class _Model:
    """A model at hand, and its canonical bytes: encoded once, in the workshop, so that making it durable only writes."""

    weights: Weights
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """A model and its score on the validation rows of that digest."""

    model: Digest
    validation: Digest
    score: Score


class LostSlicesError(LearnaeError):
    """Dataslices that should be on the shelf are not, or are damaged."""

    def __init__(self, digests: tuple[Digest, ...]) -> None:
        super().__init__(f"dataslices {', '.join(digest[:8] for digest in digests)} are not on the shelf")
        self.digests = digests


class DivergedError(LearnaeError):
    """Training gave a model that is not finite."""


class Workshop:
    """Holds the weights that are at hand, the validation rows and the optimiser's state."""

    def __init__(
        self, manifest: Manifest, seal: Seal, framework: ModelFramework, shelf: Shelf, *, epochs: int, batch_size: int
    ) -> None:
        self._manifest = manifest
        self._seal = seal
        self._framework = framework
        self._shelf = shelf
        self._epochs = epochs
        self._batch_size = batch_size
        self._models: dict[Digest, _Model] = {}
        self._optimiser: Weights | None = None
        self._encoded_optimiser: bytes | None = None
        self._validation: tuple[Digest, Rows] | None = None

    def start(self) -> Digest:
        """Take the initial weights; return their digest within the session.

        Raises:
            ConfigError: They are not those of the manifest: another model, or another version of what makes them.
        """
        weights = self._framework.initial_weights()
        encoded = encode_weights(weights)
        if plain_digest(encoded) != self._manifest.initial:
            raise ConfigError(
                f"the model's initial weights have the digest {plain_digest(encoded)[:16]}, the manifest says "
                f"{self._manifest.initial[:16]}: this is another model, or another version of it"
            )
        digest = self._seal.digest(encoded)
        self._models[digest] = _Model(weights, encoded)
        return digest

    def resume(self, own: OwnModel) -> None:
        """Take the own model as it was last made durable.

        Raises:
            DamagedError: It does not fit the manifest, or is not what its digest says.
        """
        if self._seal.digest(own.weights) != own.model:
            raise DamagedError("the stored model is not what its digest says")
        try:
            self._models[own.model] = _Model(decode_weights(own.weights, self._manifest), own.weights)
            self._optimiser = decode_arrays(own.optimiser) if own.optimiser is not None else None
            self._encoded_optimiser = own.optimiser
        except BadContentError as exc:
            raise DamagedError(f"the stored model does not fit the manifest: {exc}") from exc

    def encoded(self, model: Digest) -> bytes:
        """Return the canonical bytes of a model at hand.

        Raises:
            UsageError: It is not at hand.
        """
        return self._at_hand(model).encoded

    def own_model(self, model: Digest) -> OwnModel:
        """Return a model at hand as it is to be made durable; nothing is computed for it."""
        return OwnModel(model, self.encoded(model), self._encoded_optimiser)

    def keep_only(self, model: Digest) -> None:
        """Let all models at hand go but one."""
        self._models = {model: self._at_hand(model)}

    def _weights(self, model: Digest) -> Weights:
        return self._at_hand(model).weights

    def _at_hand(self, model: Digest) -> _Model:
        try:
            return self._models[model]
        except KeyError as exc:
            raise UsageError(f"model {model[:8]} is not at hand") from exc

    def validate_on(self, raw: NDArray[np.float32]) -> tuple[Digest, int]:
        """Set the validation rows, unscaled; return their digest and number."""
        digest = rows_digest(raw)
        self._validation = (digest, to_rows(raw, self._manifest))
        return digest, len(raw)

    def validate_on_slices(self, digests: Sequence[Digest]) -> tuple[Digest, int]:
        """Set the validation rows to those of held slices.

        Raises:
            LostSlicesError: Some are not there.
        """
        return self.validate_on(self._rows_of(digests))

    def _rows_of(self, digests: Sequence[Digest]) -> NDArray[np.float32]:
        found, lost = [], []
        for digest in digests:
            try:
                data = self._shelf.get(digest)
                if self._seal.digest(data) != digest:
                    raise DamagedError(digest)
                found.append(decode_slice(data, self._manifest))
            except (NotFoundError, DamagedError, BadContentError):
                lost.append(digest)
        if lost:
            raise LostSlicesError(tuple(lost))
        return np.concatenate(found)

    def score(self, model: Digest) -> Judged:
        """Score a model at hand on the validation rows."""
        return self._judge(model)

    def _judge(self, model: Digest) -> Judged:
        if self._validation is None:
            raise UsageError("there are no validation rows")
        digest, rows = self._validation
        return Judged(model, digest, self._framework.evaluate(self._weights(model), rows))

    def train(self, model: Digest, slices: Sequence[Digest], seed: int) -> Judged:
        """Train a model at hand on slices, taken together; score the result.

        Raises:
            LostSlicesError: Some slices are not there.
            DivergedError: The result is not finite; nothing was changed.
        """
        rows = to_rows(self._rows_of(slices), self._manifest)
        trained = self._framework.train(
            self._weights(model), self._optimiser, rows, epochs=self._epochs, batch_size=self._batch_size, seed=seed
        )
        bad = first_not_finite(trained.weights)
        if bad is not None:
            raise DivergedError(f"the weights diverged: {bad} is not finite; lower --learning-rate")
        self._optimiser = trained.optimiser_state
        self._encoded_optimiser = encode_arrays(trained.optimiser_state)
        return self._judge(self._keep(trained.weights))

    def fold(self, base: Digest, remote: bytes, share: float) -> Judged:
        """Average a model at hand with a remote one, or take the remote one as it is; score the result.

        Args:
            base: A model at hand.
            remote: The canonical bytes of the remote one, known to fit its digest.
            share: The remote one's share, above 0, at most 1.

        Raises:
            BadContentError: The bytes are no model of this session.
        """
        theirs = decode_weights(remote, self._manifest)
        if share == 1.0:
            digest = self._seal.digest(remote)
            self._models[digest] = _Model(theirs, remote)
            return self._judge(digest)
        return self._judge(self._keep(average(self._weights(base), theirs, share)))

    def _keep(self, weights: Weights) -> Digest:
        encoded = encode_weights(weights)
        digest = self._seal.digest(encoded)
        self._models[digest] = _Model(weights, encoded)
        return digest
