"""Average two models, parameter by parameter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learnae.errors import UsageError
from learnae.values.arrays import Weights


def average(own: Weights, remote: Weights, remote_weight: float) -> dict[str, NDArray[Any]]:
    """Average two models, parameter by parameter (paper, section 4.3).

    Args:
        own: The model whose share is ``1 - remote_weight``.
        remote: A model of exactly the same paths, shapes and dtypes.
        remote_weight: The remote model's share, 0 to 1; one half is the paper's.

    Returns:
        New arrays of the same dtypes. Floating-point arrays are averaged in float64 and rounded once, so that peers on different
        machines agree; arrays of other types (counters, masks) have no average and are taken from whichever model weighs more,
        the own one on a tie.

    Raises:
        UsageError: The two do not fit each other, or the share is not between 0 and 1.
    """
    if not 0.0 <= remote_weight <= 1.0:
        raise UsageError(f"remote_weight is {remote_weight}; accepted: 0 to 1")
    if own.keys() != remote.keys():
        raise UsageError(f"models of different parameters: {sorted(own.keys() ^ remote.keys())[:5]} are only in one of them")
    return {path: _average(path, own[path], remote[path], remote_weight) for path in sorted(own)}


def _average(path: str, own: NDArray[Any], remote: NDArray[Any], remote_weight: float) -> NDArray[Any]:
    if own.shape != remote.shape or own.dtype != remote.dtype:
        raise UsageError(f"{path}: {own.dtype}{list(own.shape)} and {remote.dtype}{list(remote.shape)} cannot be averaged")
    if remote_weight == 1.0:
        return remote.copy()
    if not np.issubdtype(own.dtype, np.floating):
        return (remote if remote_weight > 0.5 else own).copy()
    mixed = own.astype(np.float64) * (1.0 - remote_weight) + remote.astype(np.float64) * remote_weight
    rounded: NDArray[Any] = np.asarray(mixed).astype(own.dtype)
    return rounded
