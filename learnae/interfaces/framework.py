"""Gradients: weights in, weights out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learnae.values.arrays import Rows, Weights
    from learnae.values.scores import Score


@dataclass(frozen=True, slots=True)
class Trained:
    """What training made.

    Attributes:
        weights: New arrays; those that came in are untouched.
        optimiser_state: Path to array, opaque to the caller, safe to store and hand back; empty if there is none.
        steps: Gradient steps taken.
        loss: Mean training loss over the last epoch.
    """

    weights: Weights
    optimiser_state: Weights
    steps: int
    loss: float


class ModelFramework(Protocol):
    """Trains, scores and runs the model of one session.

    Stateless between calls, which may come from any one thread at a time.

    Weights always have exactly the paths, shapes and dtypes of the manifest. Loss: binary, sigmoid cross-entropy of the logit;
    multi-class, softmax cross-entropy; regression, half the squared error. Accuracy: the share of rows classified rightly (a
    binary logit above zero means class 1); for regression R².
    """

    def initial_weights(self) -> Weights:
        """Return the weights that everyone starts from, whose digest is the manifest's ``initial``."""

    def train(
        self, weights: Weights, optimiser_state: Weights | None, rows: Rows, *, epochs: int, batch_size: int, seed: int
    ) -> Trained:
        """Run some epochs of minibatch training.

        Each epoch goes over the rows once in an order drawn from ``seed``; the last batch may be short, and counts as a step.
        Equal arguments give equal bytes on one machine.

        Args:
            weights: Where to start.
            optimiser_state: What an earlier call returned, perhaps in an earlier process; ``None`` starts afresh. One that does
                not fit the optimiser is discarded, not an error.
            rows: At least one.
            epochs: At least 1.
            batch_size: Rows a step, at least 1; more than there are means all of them.
            seed: 0 to 2**63 - 1.

        Raises:
            UsageError: No rows, or weights that do not fit the manifest.
        """

    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        """Score weights on rows; a model whose outputs are not finite gets accuracy 0 (or -1e30) and loss 1e30.

        Raises:
            UsageError: No rows, or weights that do not fit the manifest.
        """

    def predict(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model.

        Returns:
            float32 ``[rows, outputs]``: probabilities for classification (binary: one column, of class 1), values for regression.

        Args:
            weights: The model.
            features: float32 ``[rows, features]``, scaled.
        """
