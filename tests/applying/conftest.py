"""Small trained models, and state folders as a peer leaves them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learnae.applying.container import ExportedModel
from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.codec.digests import plain_digest
from learnae.codec.manifests import session_id
from learnae.codec.weights import encode_weights
from learnae.machine.effects import Save
from learnae.machine.memory import CORE, Core, Own
from learnae.performing.store import OwnModel, Store
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.choices import Task

Trained = Callable[..., ExportedModel]


@pytest.fixture
def trained() -> Trained:
    """Return a function that trains a small model; features are shifted and stretched, so that scaling matters."""

    def train(task: Task = Task.BINARY, **terms: Any) -> ExportedModel:
        manifest = toy_manifest(task, centre=(1.0, 2.0, -3.0, 0.5), scale=(2.0, 0.5, 4.0, 1.0), **terms)
        framework = NumpyFramework(manifest, {"learning_rate": 0.01})
        rows = toy_rows(manifest, 200)
        made = framework.train(framework.initial_weights(), None, rows, epochs=20, batch_size=16, seed=1)
        return ExportedModel(manifest, made.weights, 7)

    return train


@pytest.fixture
def write_state() -> Callable[[Path, ExportedModel], Store]:
    """Return a function that writes a model into a new state folder as a peer does, and returns its open store."""

    def write(folder: Path, exported: ExportedModel) -> Store:
        folder.mkdir(parents=True, exist_ok=True)
        store = Store.open(folder / "peer.sqlite", session_id(exported.manifest))
        data = encode_weights(exported.weights)
        own = Own(plain_digest(data), exported.maturity)
        store.commit([Save("core", CORE, Core(own))], OwnModel(own.model, data, None))
        return store

    return write


@pytest.fixture
def write_rows() -> Callable[..., Path]:
    """Return a function that writes rows of a manifest's problem, unscaled, as CSV with a further column in between."""

    def write(path: Path, exported: ExportedModel, count: int, *, target: bool = True) -> Path:
        manifest = exported.manifest
        rows = toy_rows(manifest, count, seed=5)
        raw = (rows.features * np.array(manifest.scale) + np.array(manifest.centre)).astype(np.float32)
        with path.open("w") as file:
            file.write(",".join(["name", *reversed(manifest.features), *([manifest.target] if target else [])]) + "\n")
            for index in range(count):
                cells = [f"row {index}", *(f"{value:.9g}" for value in raw[index, ::-1])]
                truth = float(rows.targets[index])
                file.write(",".join([*cells, *([f"{truth:.9g}"] if target else [])]) + "\n")
        return path

    return write
