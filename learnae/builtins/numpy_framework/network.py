"""The multilayer perceptron: outputs forwards, gradients backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnae.values.choices import Task
from learnae.values.manifest import Mlp

Array = NDArray[np.float32]


class Network:
    """Parameters of the built-in model as views of one vector, so that an optimiser does its arithmetic once for all of them."""

    def __init__(self, features: int, outputs: int, mlp: Mlp) -> None:
        self._tanh = mlp.activation == "tanh"
        self._shapes: list[tuple[str, tuple[int, ...]]] = []
        for layer, (fan_in, fan_out) in enumerate(pairwise((features, *mlp.hidden, outputs))):
            self._shapes += [(f"dense{layer}/kernel", (fan_in, fan_out)), (f"dense{layer}/bias", (fan_out,))]
        self.size = sum(int(np.prod(shape)) for _, shape in self._shapes)
        """How many numbers the parameters are."""

    def views(self, vector: Array) -> dict[str, Array]:
        """Cut a vector ``[size]`` into named parameters, without copying."""
        found: dict[str, Array] = {}
        start = 0
        for path, shape in self._shapes:
            stop = start + int(np.prod(shape))
            found[path] = vector[start:stop].reshape(shape)
            start = stop
        return found

    def vector(self, weights: Mapping[str, Array]) -> Array:
        """Copy named parameters into one new vector ``[size]``."""
        return np.concatenate([weights[path].ravel() for path, _ in self._shapes])

    def forward(self, weights: Mapping[str, Array], features: Array) -> list[Array]:
        """Return the input of every layer, and last the raw outputs ``[rows, outputs]``."""
        layers = len(self._shapes) // 2
        values = [features]
        for layer in range(layers):
            result = values[-1] @ weights[f"dense{layer}/kernel"]
            result += weights[f"dense{layer}/bias"]
            if layer < layers - 1:
                (np.tanh(result, out=result) if self._tanh else np.maximum(result, 0.0, out=result))
            values.append(result)
        return values

    def backward(
        self, weights: Mapping[str, Array], values: Sequence[Array], error: Array, gradients: Mapping[str, Array]
    ) -> None:
        """Write the gradients of the mean loss into views.

        Args:
            weights: The parameters that ``values`` came from.
            values: What ``forward`` returned.
            error: Gradient of the mean loss by the raw outputs, ``[rows, outputs]``.
            gradients: Views to write to, one for each parameter.
        """
        for layer in reversed(range(len(self._shapes) // 2)):
            before = values[layer]
            np.matmul(before.T, error, out=gradients[f"dense{layer}/kernel"])
            np.sum(error, axis=0, out=gradients[f"dense{layer}/bias"])
            if layer:
                error = error @ weights[f"dense{layer}/kernel"].T
                error *= (1.0 - np.square(before)) if self._tanh else (before > 0.0)


def loss_and_error(task: Task, outputs: Array, targets: Array) -> tuple[float, NDArray[Any]]:
    """Return the summed loss, and the gradient of the *mean* loss by the outputs ``[rows, outputs]``.

    Args:
        task: Chooses the loss: sigmoid or softmax cross-entropy, or half the squared error.
        outputs: Raw outputs, float32 ``[rows, outputs]``.
        targets: float32 ``[rows]``.
    """
    losses: NDArray[Any]
    error: NDArray[Any]
    match task:
        case Task.BINARY:
            logits = outputs[:, 0]
            # log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|)); both this and the sigmoid below never overflow.
            decay = np.exp(-np.abs(logits))
            losses = np.maximum(logits, 0.0) - logits * targets + np.log1p(decay)
            error = (np.where(logits >= 0.0, np.float32(1.0), decay) / (1.0 + decay) - targets)[:, None]
        case Task.MULTICLASS:
            classes = targets.astype(np.int64)
            picked = np.arange(len(classes)), classes
            shifted = outputs - outputs.max(axis=1, keepdims=True)
            error = np.exp(shifted)
            total = error.sum(axis=1, keepdims=True)
            losses = np.log(total[:, 0]) - shifted[picked]
            error /= total
            error[picked] -= 1.0
        case Task.REGRESSION:
            error = outputs - targets[:, None]
            losses = 0.5 * np.square(error[:, 0])
    return float(losses.sum(dtype=np.float64)), error / np.float32(outputs.shape[0])
