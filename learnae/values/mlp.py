"""The built-in multilayer perceptron: its parameters, and the weights that everyone starts from."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from learnae.errors import UsageError
from learnae.values.manifest import Manifest, Mlp, Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mlp_parameters(features: int, outputs: int, mlp: Mlp) -> tuple[Parameter, ...]:
    """List the parameters of the built-in model, layer by layer: float32 kernels ``[in, out]`` and biases ``[out]``.

    Args:
        features: Inputs of the first layer.
        outputs: Outputs of the last layer.
        mlp: The hidden layers between them.
    """
    parameters: list[Parameter] = []
    for layer, (fan_in, fan_out) in enumerate(pairwise((features, *mlp.hidden, outputs))):
        parameters.append(Parameter(f"dense{layer}/kernel", (fan_in, fan_out), "float32"))
        parameters.append(Parameter(f"dense{layer}/bias", (fan_out,), "float32"))
    return tuple(parameters)


def mlp_initial_weights(manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    """Draw the weights that everyone in a session with the built-in model starts from; ``manifest.initial`` is not looked at.

    Kernels before a ReLU are He-uniform (He et al. 2015, section 2.2), all others Glorot-uniform (Glorot and Bengio 2010,
    section 4.2.1); biases are zero. The session's terms hold the digest of these bytes, so they must be equal on every
    platform: only PCG64's ``random()``, whose doubles are exact multiples of 2**-53, the IEEE 754 operations that round
    correctly everywhere (subtraction, product, square root), and one rounding to float32 are used. Sampling by a
    library's own initialiser, or a logarithm or cosine on the way to a normal distribution, could differ in the last bit.

    Raises:
        UsageError: The manifest's architecture is not the built-in one.
    """
    import numpy as np  # noqa: PLC0415 - values must import in no time

    mlp = manifest.architecture
    if not isinstance(mlp, Mlp):
        msg = f"only the built-in model has weights of its own, not {mlp.label!r}"
        raise UsageError(msg)
    random = np.random.Generator(np.random.PCG64(manifest.seed))
    widths = (len(manifest.features), *mlp.hidden, manifest.outputs)
    weights: dict[str, NDArray[np.float32]] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
        he = mlp.activation == "relu" and layer < len(mlp.hidden)
        limit = math.sqrt(6 / fan_in) if he else math.sqrt(6 / (fan_in + fan_out))
        kernel = (2.0 * random.random((fan_in, fan_out)) - 1.0) * limit
        weights[f"dense{layer}/kernel"] = kernel.astype(np.float32)
        weights[f"dense{layer}/bias"] = np.zeros(fan_out, dtype=np.float32)
    return weights
