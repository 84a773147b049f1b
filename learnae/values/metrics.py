"""What a model's outputs are worth: the one definition of loss, accuracy and probability that all frameworks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from learnae.values.choices import Task
from learnae.values.scores import Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORST = 1e30
"""The loss of a model whose outputs are not finite; minus this is the least R² there is."""


def score_outputs(task: Task, outputs: NDArray[Any], targets: NDArray[Any]) -> Score:
    """Score a model's raw outputs, computing in float64.

    Binary: sigmoid cross-entropy of the logit in nats; a logit above zero means class 1. Multi-class: softmax cross-entropy; the
    largest logit, the first of equals, is the class. Regression: half the squared error, and R²; where all targets are
    equal, R² is 1 for outputs that are exactly right and else 0.

    Args:
        task: What is predicted.
        outputs: ``[rows, outputs]``, at least one row; if any is not finite the accuracy is 0 (-1e30 for R²) and the loss 1e30.
        targets: ``[rows]``: class indices, or values.
    """
    import numpy as np  # noqa: PLC0415 - values must import in no time

    rows = int(targets.shape[0])
    if not np.isfinite(outputs).all():
        return Score(accuracy=-WORST if task is Task.REGRESSION else 0.0, loss=WORST, rows=rows)
    wide, truth = outputs.astype(np.float64), targets.astype(np.float64)
    match task:
        case Task.BINARY:
            logits = wide[:, 0]
            losses = np.logaddexp(0.0, logits) - logits * truth
            accuracy = float(((logits > 0.0) == (truth > 0.5)).mean())
        case Task.MULTICLASS:
            top = wide.max(axis=1, keepdims=True)
            classes = truth.astype(np.int64)
            losses = top[:, 0] + np.log(np.exp(wide - top).sum(axis=1)) - wide[np.arange(rows), classes]
            accuracy = float((wide.argmax(axis=1) == classes).mean())
        case Task.REGRESSION:
            errors = np.square(wide[:, 0] - truth)
            losses = errors / 2.0
            residual, total = float(errors.sum()), float(np.square(truth - truth.mean()).sum())
            flat = 1.0 if residual == 0.0 else 0.0
            accuracy = max(1.0 - residual / total, -WORST) if total > 0.0 else flat
    return Score(accuracy=accuracy, loss=min(float(losses.mean()), WORST), rows=rows)


def predictions(task: Task, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn raw outputs ``[rows, outputs]`` into float32 probabilities; a regression's values stay as they are."""
    import numpy as np  # noqa: PLC0415 - values must import in no time

    wide = outputs.astype(np.float64)
    match task:
        case Task.BINARY:
            # The hyperbolic tangent saturates where exp would overflow.
            probabilities = 0.5 * (1.0 + np.tanh(0.5 * wide))
        case Task.MULTICLASS:
            # A model that diverged has no probabilities: they become NaN, without a warning for each operation.
            with np.errstate(invalid="ignore"):
                raised = np.exp(wide - wide.max(axis=1, keepdims=True))
            probabilities = raised / raised.sum(axis=1, keepdims=True)
        case Task.REGRESSION:
            probabilities = wide
    result: NDArray[np.float32] = probabilities.astype(np.float32)
    return result
