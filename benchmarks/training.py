"""What a peer's training costs beside a bare JAX script of the same arithmetic: ``uv run benchmarks/training.py``.

Rows, weights, order of the rows, batches, loss and optimiser are the same on both sides, and so, but for rounding, are the
weights they end with, which is checked. The bare script knows the number of rows when it is compiled; a peer's program takes any.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]  # it ships no types

from learnae.builtins.jax_framework import open_jax
from learnae.builtins.numpy_framework import open_numpy
from learnae.interfaces.framework import ModelFramework
from learnae.interfaces.provider import Context
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.arrays import Rows, Weights
from learnae.values.batches import epoch_order
from learnae.values.ids import PeerId, SessionId
from learnae.values.manifest import Manifest
from learnae.values.mlp import mlp_initial_weights

FEATURES, HIDDEN, BATCH, RATE = 27, (64, 32), 32, 1e-3


def bare(weights: Weights, rows: Rows, epochs: int) -> Callable[[], Weights]:
    """Write the training as one would without LEARNAE: a jitted scan for each epoch."""
    optimiser = optax.adam(RATE)
    layers = len(list(pairwise((FEATURES, *HIDDEN, 1))))
    full = len(rows) // BATCH * BATCH

    def loss(parameters: Any, features: Any, targets: Any) -> Any:
        for layer in range(layers):
            features = features @ parameters[f"dense{layer}/kernel"] + parameters[f"dense{layer}/bias"]
            if layer < layers - 1:
                features = jax.nn.relu(features)
        return optax.sigmoid_binary_cross_entropy(features[:, 0], targets).mean()

    def step(carry: Any, batch: Any) -> Any:
        parameters, state = carry
        value, gradients = jax.value_and_grad(loss)(parameters, *batch)
        updates, state = optimiser.update(gradients, state, parameters)
        return (optax.apply_updates(parameters, updates), state), value

    @partial(jax.jit, donate_argnums=0)
    def epoch(carry: Any, features: Any, targets: Any, order: Any) -> Any:
        def body(carry: Any, chosen: Any) -> Any:
            return step(carry, (features[chosen], targets[chosen]))

        carry, losses = jax.lax.scan(body, carry, order[:full].reshape(-1, BATCH))
        if full == len(rows):
            return carry, losses.mean()
        rest = order[full:]
        carry, last = step(carry, (features[rest], targets[rest]))
        return carry, (losses.sum() * BATCH + last * len(rest)) / len(rows)

    def train() -> Weights:
        parameters = {path: jnp.array(array) for path, array in weights.items()}
        carry = parameters, jax.jit(optimiser.init)(parameters)
        features, targets = jnp.array(rows.features), jnp.array(rows.targets)
        mean = jnp.float32(0)
        for number in range(epochs):
            order = epoch_order(len(rows), 0, number).astype(np.int32)
            carry, mean = epoch(carry, features, targets, order)
        float(mean)
        return {path: np.asarray(array) for path, array in carry[0].items()}

    return train


def peer(
    manifest: Manifest, open_framework: Callable[[Context], ModelFramework], rows: Rows, epochs: int
) -> Callable[[], Weights]:
    """Train as a peer does, through the framework's interface."""
    context = Context(
        manifest=manifest,
        session=SessionId("0" * 64),
        rendezvous="0" * 64,
        peer=PeerId("0" * 64),
        owner="0" * 64,
        state=Path(),
        options={"compilation_cache": "off"},
        training={"optimiser": "adam", "learning_rate": RATE},
    )
    framework = open_framework(context)
    weights = framework.initial_weights()
    return lambda: framework.train(weights, None, rows, epochs=epochs, batch_size=BATCH, seed=0).weights


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    manifest = toy_manifest(features=FEATURES, hidden=HIDDEN)
    rows = toy_rows(manifest, options.rows)
    jax_peer = peer(manifest, open_jax, rows, options.epochs)
    numpy_peer = peer(manifest, open_numpy, rows, options.epochs)
    sides = {
        "bare script": bare(mlp_initial_weights(manifest), rows, options.epochs),
        "peer, jax": jax_peer,
        "peer, numpy": numpy_peer,
    }
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {side: [] for side in sides}
    ends: dict[str, Weights] = {}
    for side, train in sides.items():
        first[side], ends[side] = timed(train)
    # In turns, so that a machine that is busy for a while is so for all.
    for _ in range(options.repeats):
        for side, train in sides.items():
            times[side].append(timed(train)[0])
    medians = {side: statistics.median(each) for side, each in times.items()}
    table = [
        {
            "side": side,
            "compile_s": round(first[side] - medians[side], 3),
            "run_ms": round(1000 * medians[side], 2),
            "weights_differ": round(distance(ends[side], ends["bare script"]), 5),
            "ratio": round(medians[side] / medians["bare script"], 3),
        }
        for side in sides
    ]
    if options.json:
        print(json.dumps({"rows": options.rows, "epochs": options.epochs, "repeats": options.repeats, "sides": table}))
        return
    print(
        f"{options.rows} rows x {options.epochs} epochs, batch {BATCH}, MLP {FEATURES}-64-32-1, adam; median of {options.repeats}"
    )
    print(f"{'':14}{'compile, s':>12}{'run, ms':>12}{'ratio':>9}{'differs':>10}")
    for line in table:
        print(
            f"{line['side']:14}{line['compile_s']:12.3f}{line['run_ms']:12.2f}{line['ratio']:9.3f}{line['weights_differ']:10.5f}"
        )


def distance(ours: Weights, theirs: Weights) -> float:
    """Return the length of the difference over the length of the weights: rounding alone, if the arithmetic is the same."""
    difference = sum(float(np.square(ours[path] - theirs[path]).sum()) for path in theirs)
    result = (difference / sum(float(np.square(array).sum()) for array in theirs.values())) ** 0.5
    assert result < 0.02, f"the sides did not do the same arithmetic: weights differ by {result}"
    return float(result)


def timed(train: Callable[[], Weights]) -> tuple[float, Weights]:
    """Return the seconds that a training took, and what it made."""
    start = time.perf_counter()
    weights = train()
    return time.perf_counter() - start, weights


if __name__ == "__main__":
    main()
