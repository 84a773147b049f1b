"""Whether weights and rows fit a session's manifest: the checks that every framework owes its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from learnae.errors import UsageError
from learnae.values.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learnae.values.arrays import Rows, Weights


def require_weights(weights: Weights, manifest: Manifest) -> None:
    """Check that weights have exactly the manifest's paths, shapes and dtypes.

    Raises:
        UsageError: They have not.
    """
    paths = {parameter.path for parameter in manifest.parameters}
    if wrong := paths.symmetric_difference(weights):
        path = min(wrong)
        msg = f"the weights lack {path!r}" if path in paths else f"the weights hold {path!r}, which the manifest does not name"
        raise UsageError(msg)
    for parameter in manifest.parameters:
        array = weights[parameter.path]
        if array.shape != parameter.shape or array.dtype.name != parameter.dtype:
            msg = (
                f"{parameter.path} is {array.dtype.name} {list(array.shape)}; "
                f"the manifest says {parameter.dtype} {list(parameter.shape)}"
            )
            raise UsageError(msg)


def require_features(features: NDArray[Any], manifest: Manifest) -> None:
    """Check that features are float32 ``[rows, features]``.

    Raises:
        UsageError: They are not.
    """
    width = len(manifest.features)
    if features.ndim != 2 or features.shape[1] != width or features.dtype.name != "float32":
        msg = f"features are {features.dtype.name} {list(features.shape)}; the manifest says float32 [rows, {width}]"
        raise UsageError(msg)


def require_rows(rows: Rows, manifest: Manifest) -> None:
    """Check that there are rows, and that features and targets belong together and fit the manifest.

    Raises:
        UsageError: There are none, or they do not fit.
    """
    require_features(rows.features, manifest)
    if rows.targets.shape != rows.features.shape[:1] or rows.targets.dtype.name != "float32":
        msg = (
            f"targets are {rows.targets.dtype.name} {list(rows.targets.shape)}; "
            f"the features say float32 [{rows.features.shape[0]}]"
        )
        raise UsageError(msg)
    if len(rows) == 0:
        msg = "no rows: at least one is needed"
        raise UsageError(msg)


def require_training(rows: Rows, manifest: Manifest, *, epochs: int, batch_size: int, seed: int) -> None:
    """Check what a framework is asked to train with.

    Raises:
        UsageError: No rows, rows that do not fit the manifest, fewer than one epoch or row a batch, a seed out of range.
    """
    require_rows(rows, manifest)
    if epochs < 1 or batch_size < 1 or not 0 <= seed < 2**63:
        msg = f"epochs {epochs}, batch size {batch_size}, seed {seed}: at least 1, at least 1, and 0 to 2**63 - 1 are accepted"
        raise UsageError(msg)
