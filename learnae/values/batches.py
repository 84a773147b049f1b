"""The order in which training goes over rows, the same whatever framework computes the gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def epoch_order(rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Permute the row indices for one epoch: int64 ``[rows]``.

    Args:
        rows: How many there are.
        seed: Of the whole training run, 0 to 2**63 - 1.
        epoch: Which epoch of the run, from 0.
    """
    import numpy as np  # noqa: PLC0415 - values must import in no time

    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(rows)
