"""Training, scoring and prediction in NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from learnae.builtins.numpy_framework.network import Array, Network, loss_and_error
from learnae.builtins.numpy_framework.optimisers import Optimiser
from learnae.errors import ConfigError
from learnae.interfaces.framework import Trained
from learnae.values.arrays import Rows, Weights
from learnae.values.batches import epoch_order
from learnae.values.fitting import require_features, require_rows, require_training, require_weights
from learnae.values.manifest import Manifest, Mlp
from learnae.values.metrics import predictions, score_outputs
from learnae.values.mlp import mlp_initial_weights
from learnae.values.recipe import read_recipe
from learnae.values.scores import Score

_ROWS_AT_ONCE = 8192
"""Bounds the memory of scoring and prediction, whatever the number of rows."""


class NumpyFramework:
    """The ``ModelFramework`` of the built-in multilayer perceptron, in float32.

    Raises:
        ConfigError: The session's model is not the built-in one, or the recipe names what is not there.
    """

    def __init__(self, manifest: Manifest, training: Mapping[str, object], *, model: str | None = None) -> None:
        if not isinstance(manifest.architecture, Mlp):
            msg = (
                f"the framework numpy has only the built-in model, and this session's is {manifest.architecture.label!r}; "
                "set training.framework = 'jax'"
            )
            raise ConfigError(msg)
        if model is not None:
            msg = f"training.model = {model!r} cannot be used: the session has the built-in model; remove the setting"
            raise ConfigError(msg)
        self._manifest = manifest
        self._network = Network(len(manifest.features), manifest.outputs, manifest.architecture)
        self._optimiser = Optimiser(read_recipe(training), self._network)

    def initial_weights(self) -> Weights:
        """Return the weights that everyone starts from."""
        return mlp_initial_weights(self._manifest)

    def train(
        self, weights: Weights, optimiser_state: Weights | None, rows: Rows, *, epochs: int, batch_size: int, seed: int
    ) -> Trained:
        """Run some epochs of minibatch training, as ``ModelFramework.train`` says."""
        require_training(rows, self._manifest, epochs=epochs, batch_size=batch_size, seed=seed)
        require_weights(weights, self._manifest)
        vector = self._network.vector(weights)
        gradient = np.empty_like(vector)
        parameters, gradients = self._network.views(vector), self._network.views(gradient)
        state = self._optimiser.restore(optimiser_state)
        steps, total = 0, 0.0
        # A model that diverges is the caller's to judge by its score, not worth a warning for each operation.
        with np.errstate(all="ignore"):
            for epoch in range(epochs):
                order = epoch_order(len(rows), seed, epoch)
                features, targets = rows.features[order], rows.targets[order]
                total = 0.0
                for start in range(0, len(rows), batch_size):
                    stop = start + batch_size
                    values = self._network.forward(parameters, features[start:stop])
                    loss, error = loss_and_error(self._manifest.task, values[-1], targets[start:stop])
                    self._network.backward(parameters, values, error, gradients)
                    self._optimiser.step(state, vector, gradient)
                    steps += 1
                    total += loss
        trained = {path: view.copy() for path, view in parameters.items()}
        return Trained(trained, self._optimiser.save(state), steps, total / len(rows))

    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        """Score weights on rows, as ``ModelFramework.evaluate`` says."""
        require_rows(rows, self._manifest)
        require_weights(weights, self._manifest)
        return score_outputs(self._manifest.task, self._outputs(weights, rows.features), rows.targets)

    def predict(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the model, as ``ModelFramework.predict`` says."""
        require_features(features, self._manifest)
        require_weights(weights, self._manifest)
        return predictions(self._manifest.task, self._outputs(weights, features))

    def _outputs(self, weights: Weights, features: Array) -> Array:
        outputs = np.empty((features.shape[0], self._manifest.outputs), np.float32)
        with np.errstate(all="ignore"):
            for start in range(0, features.shape[0], _ROWS_AT_ONCE):
                chunk = features[start : start + _ROWS_AT_ONCE]
                outputs[start : start + len(chunk)] = self._network.forward(weights, chunk)[-1]
        return outputs
