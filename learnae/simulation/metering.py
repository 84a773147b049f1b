"""How much work a framework did, so that virtual time can be charged for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learnae.interfaces.framework import ModelFramework, Trained
    from learnae.values.arrays import Rows, Weights
    from learnae.values.scores import Score

SCORING = 1 / 3
"""Scoring a row takes a forward pass; training on it, a backward one of twice the arithmetic besides."""


class MeteredFramework:
    """A ``ModelFramework`` that counts.

    Attributes:
        worked: Rows trained on, once for each epoch, and a third of the rows scored.
        jobs: Calls.
    """

    def __init__(self, framework: ModelFramework) -> None:
        self._framework = framework
        self.worked = 0.0
        self.jobs = 0

    def initial_weights(self) -> Weights:
        """See ``ModelFramework``."""
        return self._framework.initial_weights()

    def train(
        self, weights: Weights, optimiser_state: Weights | None, rows: Rows, *, epochs: int, batch_size: int, seed: int
    ) -> Trained:
        """See ``ModelFramework``."""
        self._count(float(len(rows) * epochs))
        return self._framework.train(weights, optimiser_state, rows, epochs=epochs, batch_size=batch_size, seed=seed)

    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        """See ``ModelFramework``."""
        self._count(len(rows) * SCORING)
        return self._framework.evaluate(weights, rows)

    def predict(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[Any]:
        """See ``ModelFramework``."""
        self._count(len(features) * SCORING)
        return self._framework.predict(weights, features)

    def _count(self, rows: float) -> None:
        self.worked += rows
        self.jobs += 1
