"""What the peers are compared with, as plain loops: FedAvg with a server, and one model on all rows pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learnae.interfaces.framework import ModelFramework
from learnae.values.arrays import Rows, Weights

Slices = Sequence[Rows]


def federated(
    framework: ModelFramework, clients: Sequence[Slices], *, passes: int, epochs: int, batch_size: int, seed: int
) -> Weights:
    """Train by FedAvg (McMahan et al., 2017): a round is one dataslice at every client, then the mean of all models.

    Every client takes as many gradient steps as a peer with these slices does. Optimiser states stay with the clients.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    shared: Weights = framework.initial_weights()
    states: list[Weights | None] = [None] * len(clients)
    rounds = max(len(slices) for slices in clients)
    for _ in range(passes):
        for turn in range(rounds):
            models: list[Weights] = []
            for index, slices in enumerate(clients):
                rows = slices[turn % len(slices)]
                made = framework.train(
                    shared, states[index], rows, epochs=epochs, batch_size=batch_size, seed=int(draw.integers(2**62))
                )
                models.append(made.weights)
                states[index] = made.optimiser_state
            shared = {path: _mean([model[path] for model in models]) for path in shared}
    return shared


def pooled(
    framework: ModelFramework, clients: Sequence[Slices], *, passes: int, epochs: int, batch_size: int, seed: int
) -> Weights:
    """Train one model on everybody's rows: as many steps as one peer takes, each on as many rows as all peers' steps together."""
    rows = Rows(
        np.concatenate([rows.features for slices in clients for rows in slices]),
        np.concatenate([rows.targets for slices in clients for rows in slices]),
    )
    made = framework.train(
        framework.initial_weights(), None, rows, epochs=passes * epochs, batch_size=batch_size * len(clients), seed=seed
    )
    return made.weights


def _mean(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.mean(arrays, axis=0, dtype=np.float64).astype(np.float32)
