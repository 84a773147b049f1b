"""The built-in model in float64, as plainly as it can be written: what frameworks are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnae.values.arrays import Rows
from learnae.values.choices import Task
from learnae.values.manifest import Manifest, Mlp

Wide = NDArray[np.float64]


def reference_outputs(manifest: Manifest, weights: Mapping[str, NDArray[Any]], features: NDArray[Any]) -> Wide:
    """Return raw outputs ``[rows, outputs]`` of the built-in model."""
    mlp = manifest.architecture
    assert isinstance(mlp, Mlp), "the reference is of the built-in model"
    values = features.astype(np.float64)
    for layer in range(len(mlp.hidden) + 1):
        values = values @ weights[f"dense{layer}/kernel"].astype(np.float64) + weights[f"dense{layer}/bias"]
        if layer < len(mlp.hidden):
            values = np.tanh(values) if mlp.activation == "tanh" else np.where(values > 0, values, 0.0)
    return values


def reference_probabilities(manifest: Manifest, outputs: Wide) -> Wide:
    """Return what ``predict`` returns for these raw outputs."""
    match manifest.task:
        case Task.BINARY:
            return 1.0 / (1.0 + np.exp(-outputs))
        case Task.MULTICLASS:
            exponents = np.exp(outputs)
            shares: Wide = exponents / exponents.sum(axis=1, keepdims=True)
            return shares
        case Task.REGRESSION:
            return outputs


def reference_score(manifest: Manifest, weights: Mapping[str, NDArray[Any]], rows: Rows) -> tuple[float, float]:
    """Return accuracy (or R²) and mean loss of the built-in model on rows, whose outputs must be of moderate size."""
    outputs = reference_outputs(manifest, weights, rows.features)
    truth = rows.targets.astype(np.float64)
    likely = reference_probabilities(manifest, outputs)
    match manifest.task:
        case Task.BINARY:
            right = np.where(truth == 1, likely[:, 0], 1 - likely[:, 0])
            return float(np.mean((outputs[:, 0] > 0) == (truth == 1))), float(np.mean(-np.log(right)))
        case Task.MULTICLASS:
            right = likely[np.arange(len(truth)), truth.astype(int)]
            return float(np.mean(outputs.argmax(axis=1) == truth)), float(np.mean(-np.log(right)))
        case Task.REGRESSION:
            errors = (outputs[:, 0] - truth) ** 2
            return float(1 - errors.sum() / ((truth - truth.mean()) ** 2).sum()), float(np.mean(errors / 2))
