"""Arrays that travel between frameworks, storage and averaging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Rows:
    """Instances in the order and scale that the manifest fixes.

    Attributes:
        features: float32 ``[rows, features]``, already scaled by the manifest's centre and scale.
        targets: float32 ``[rows]``: the class index for classification, the value for regression.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32]

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.targets.shape[0])


Weights = Mapping[str, "NDArray[Any]"]
"""A model's parameters and other state: path, such as ``dense0/kernel``, to array."""
