"""How good the peers' models are on rows that no peer saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from learnae.applying.container import ExportedModel
from learnae.applying.model import open_model
from learnae.applying.states import STORE, read_own_model
from learnae.data.targets import UNKNOWN, ClassIndex
from learnae.demo.rows import Table
from learnae.errors import DataError
from learnae.values.mlp import mlp_initial_weights

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins
    from learnae.values.manifest import Manifest


def usable_test_rows(table: Table, manifest: Manifest) -> Table:
    """Leave out rows of a class that no peer has: nobody could learn it.

    Raises:
        DataError: None are left.
    """
    if not manifest.classes:
        return table
    index_of = ClassIndex(manifest.classes)
    known = np.array([index_of(str(target)) != UNKNOWN for target in table.targets], dtype=bool)
    if not known.any():
        raise DataError("no test row is of a class that a peer has; use more rows, or another --seed")
    return Table(table.features[known], table.targets[known])


def score_state(state: Path, manifest: Manifest, test: Table, plugins: Plugins) -> float:
    """Score a peer's current model, be it the initial one: the session's metric, in percent.

    Raises:
        StateError: The state cannot be read.
    """
    # Where the time was over before it began, a peer has no state.
    found = read_own_model(state, manifest) if (state / STORE).exists() else None
    exported = found or ExportedModel(manifest, mlp_initial_weights(manifest))
    return 100.0 * open_model(exported, plugins=plugins).score(test.features, test.targets).accuracy
