"""Manifests and tables for the tests of the data layer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from learnae.values.choices import Task
from learnae.values.ids import Digest
from learnae.values.manifest import Manifest, Mlp, Parameter


@pytest.fixture(scope="session")
def manifest_of() -> Callable[..., Manifest]:
    def build(features: Sequence[str] = ("f0", "f1"), **terms: Any) -> Manifest:
        defaults: dict[str, Any] = {
            "name": "test",
            "task": Task.BINARY,
            "classes": ("0", "1"),
            "target": "label",
            "centre": (0.0,) * len(features),
            "scale": (1.0,) * len(features),
            "architecture": Mlp(hidden=(4,)),
            "parameters": (Parameter(path="dense0/kernel", shape=(len(features), 4), dtype="float32"),),
            "initial": Digest("0" * 64),
            "slice_size": 10,
        }
        return Manifest(features=tuple(features), **{**defaults, **terms})

    return build


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
