"""Small seeded problems for tests: a manifest that is complete and true, and rows that a small network can learn."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from learnae.codec.digests import plain_digest
from learnae.codec.weights import encode_weights
from learnae.values.arrays import Rows
from learnae.values.choices import Task
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest, Mlp
from learnae.values.mlp import mlp_initial_weights, mlp_parameters


def toy_manifest(
    task: Task = Task.BINARY,
    *,
    hidden: tuple[int, ...] = (8,),
    activation: str = "relu",
    features: int = 4,
    classes: int = 3,
    seed: int = 0,
    **terms: Any,  # noqa: ANN401 - whatever the manifest has
) -> Manifest:
    """Write the terms of a small session with the built-in model.

    Args:
        task: What is predicted.
        hidden: Widths of the hidden layers.
        activation: ``relu`` or ``tanh``.
        features: How many inputs; they are called ``f0``, ``f1``, ….
        classes: How many classes a multi-class task has.
        seed: Of the initial weights.
        **terms: Any other field of the manifest, such as ``slice_size=20``.
    """
    counts = {Task.BINARY: 2, Task.MULTICLASS: classes, Task.REGRESSION: 0}
    mlp = Mlp(hidden=hidden, activation=activation)
    outputs = classes if task is Task.MULTICLASS else 1
    draft = Manifest(
        name="toy",
        task=task,
        features=tuple(f"f{index}" for index in range(features)),
        target="label",
        classes=tuple(str(index) for index in range(counts[task])),
        centre=(0.0,) * features,
        scale=(1.0,) * features,
        architecture=mlp,
        parameters=mlp_parameters(features, outputs, mlp),
        initial=Digest("0" * 64),
        seed=seed,
    )
    initial = plain_digest(encode_weights(mlp_initial_weights(draft)))
    return msgspec.structs.replace(draft, **{"initial": initial, **terms})


def toy_rows(manifest: Manifest, n: int, seed: int = 0) -> Rows:
    """Draw rows of a problem that depends on nothing but the manifest's task and numbers of features and classes.

    The boundary between classes is a plane bent by a product of the first two features; there is no noise, so a small
    network gets well above nine in ten right. Rows of different seeds are of one problem, as those of different peers are.

    Args:
        manifest: Says the task and the counts.
        n: How many rows.
        seed: Of the rows.
    """
    width = len(manifest.features)
    draw = np.random.Generator(np.random.PCG64([seed, n]))
    features = draw.standard_normal((n, width))
    teacher = np.random.Generator(np.random.PCG64(7)).uniform(-1.0, 1.0, (width, manifest.outputs)) * (3.0 / width) ** 0.5
    values = np.einsum("rf,fo->ro", features, teacher)
    values[:, 0] += 0.5 * features[:, 0] * features[:, min(1, width - 1)]
    match manifest.task:
        case Task.BINARY:
            targets = (values[:, 0] > 0.0).astype(np.float32)
        case Task.MULTICLASS:
            targets = values.argmax(axis=1).astype(np.float32)
        case Task.REGRESSION:
            targets = values[:, 0].astype(np.float32)
    return Rows(features.astype(np.float32), targets)
