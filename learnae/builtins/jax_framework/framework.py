"""Training, scoring and prediction with JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from learnae.builtins.jax_framework.buckets import bucket
from learnae.builtins.jax_framework.models import built_in_model, own_model
from learnae.builtins.jax_framework.optimisers import build_optimiser, save_state
from learnae.builtins.jax_framework.state import Model, Tree, take_apart
from learnae.builtins.jax_framework.training import Beginning, compile_epoch, compile_outputs
from learnae.errors import ConfigError
from learnae.interfaces.framework import Trained
from learnae.values.arrays import Rows, Weights
from learnae.values.batches import epoch_order
from learnae.values.fitting import require_features, require_rows, require_training, require_weights
from learnae.values.manifest import Custom, Manifest, Mlp
from learnae.values.metrics import predictions, score_outputs
from learnae.values.mlp import mlp_initial_weights
from learnae.values.recipe import read_recipe
from learnae.values.scores import Score

_ROWS_AT_ONCE = 8192
"""Bounds the memory of scoring and prediction, whatever the number of rows."""


class JaxFramework:
    """The ``ModelFramework`` of the built-in perceptron and of operators' own Flax NNX models, in float32.

    A manifest without parameters is a draft: ``initial_weights`` of an own model then says what its parameters are.

    Raises:
        ConfigError: The model, the optimiser or the schedule cannot be used, or the weights are not those of the manifest.
    """

    def __init__(self, manifest: Manifest, training: Mapping[str, object], *, model: str | None = None) -> None:
        self._manifest = manifest
        match manifest.architecture:
            case Mlp() if model is not None:
                msg = f"training.model = {model!r} cannot be used: the session has the built-in model; remove the setting"
                raise ConfigError(msg)
            case Mlp() as mlp:
                self._model = take_apart(built_in_model(manifest, mlp))
                self._initial: Weights = mlp_initial_weights(manifest)
            case Custom(label=label):
                if model is None:
                    msg = (
                        f"the session's model is {label!r}, which is code that you must have: "
                        "set training.model = 'module:function'"
                    )
                    raise ConfigError(msg)
                self._model = take_apart(own_model(manifest, model))
                _require_outputs(self._model, manifest, model)
                self._initial = self._model.weights()
                _require_parameters(self._initial, manifest, model)
        self._optimiser = build_optimiser(read_recipe(training))
        self._begin = Beginning(self._model, self._optimiser)
        self._epoch = compile_epoch(self._model, self._optimiser, manifest.task)
        self._run = compile_outputs(self._model)

    def initial_weights(self) -> Weights:
        """Return the weights that everyone starts from."""
        return {path: array.copy() for path, array in self._initial.items()}

    def train(
        self, weights: Weights, optimiser_state: Weights | None, rows: Rows, *, epochs: int, batch_size: int, seed: int
    ) -> Trained:
        """Run some epochs of minibatch training, as ``ModelFramework.train`` says.

        Where a model mixes the rows of a batch, as batch normalisation does, a last batch that is short is filled up with its own
        rows, over and over; they weigh in the batch's statistics, not in the loss.
        """
        require_training(rows, self._manifest, epochs=epochs, batch_size=batch_size, seed=seed)
        require_weights(weights, self._manifest)
        carry = self._begin(weights, optimiser_state, self._model.randoms(seed))
        count = len(rows)
        padded = bucket(count)
        features = jax.device_put(_pad(rows.features, padded))
        targets = jax.device_put(_pad(rows.targets, padded))
        batch = min(batch_size, padded)
        total: Any = 0.0
        for epoch in range(epochs):
            order = jax.device_put(_batches(epoch_order(count, seed, epoch), batch))
            carry, total = self._epoch(carry, features, targets, order, np.int32(count))
        trained = {path: np.array(leaf) for path, leaf in (carry.parameters | carry.others).items()}
        return Trained(trained, save_state(carry.optimiser), epochs * -(-count // batch), float(total) / count)

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

    def _outputs(self, weights: Weights, features: NDArray[np.float32]) -> NDArray[np.float32]:
        parameters, others = self._model.split(weights)
        rows = features.shape[0]
        outputs = np.empty((rows, self._manifest.outputs), np.float32)
        for start in range(0, rows, _ROWS_AT_ONCE):
            chunk = features[start : start + _ROWS_AT_ONCE]
            result = self._run(parameters, others, jax.device_put(_pad(chunk, bucket(len(chunk)))))
            outputs[start : start + len(chunk)] = np.asarray(result)[: len(chunk)]
        return outputs


def _pad(array: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Copy rows to the beginning of a longer array; zeros follow. JAX may keep the copy, never the caller's array."""
    padded = np.zeros((rows, *array.shape[1:]), np.float32)
    padded[: len(array)] = array
    return padded


def _batches(order: NDArray[np.int64], batch: int) -> NDArray[np.int32]:
    """Cut an order into batches ``[padded batches, batch]``; a short last one repeats its own rows, then come zeros."""
    batches = -(-len(order) // batch)
    last = order[(batches - 1) * batch :]
    padded = np.zeros((bucket(batches), batch), np.int32)
    padded[: batches - 1] = order[: (batches - 1) * batch].reshape(-1, batch)
    padded[batches - 1] = np.resize(last, batch)
    return padded


def _require_outputs(model: Model, manifest: Manifest, name: str) -> None:
    """Trace the model once in each mode, computing nothing."""
    features = np.zeros((2, len(manifest.features)), np.float32)

    def both(parameters: Tree, others: Tree, randoms: Tree, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return model.train(parameters, others, randoms, x)[0], model.evaluate(parameters, others, x)

    try:
        found = jax.eval_shape(both, model.parameters, model.others, model.randoms(0), features)
    except Exception as error:
        msg = f"training.model = {name!r}: the model cannot be run on [batch, {len(manifest.features)}] features: {error}"
        raise ConfigError(msg) from error
    for outputs in found:
        shape = getattr(outputs, "shape", None)
        if shape != (2, manifest.outputs):
            msg = f"training.model = {name!r}: the model returns {shape} for 2 rows; accepted: (2, {manifest.outputs})"
            raise ConfigError(msg)


def _require_parameters(initial: Mapping[str, NDArray[Any]], manifest: Manifest, name: str) -> None:
    if not manifest.parameters:
        return
    found = {path: (array.shape, array.dtype.name) for path, array in initial.items()}
    agreed = {each.path: (each.shape, each.dtype) for each in manifest.parameters}
    for path in sorted(found.keys() | agreed.keys()):
        if found.get(path) != agreed.get(path):
            msg = (
                f"training.model = {name!r}: the model's array {path!r} is {found.get(path, 'missing')}; "
                f"the session's is {agreed.get(path, 'missing')}. It is not the model that this session agreed on"
            )
            raise ConfigError(msg)
