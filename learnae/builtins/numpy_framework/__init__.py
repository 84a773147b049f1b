"""The framework ``numpy``: the built-in network with gradients written by hand, for small boards and fast tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from learnae import hookimpl
from learnae.interfaces.provider import Context, Provider

if TYPE_CHECKING:
    from learnae.interfaces.framework import ModelFramework


def open_numpy(context: Context) -> ModelFramework:
    """Build the framework; this is where NumPy is imported.

    Raises:
        ConfigError: The session's model is not the built-in one, or the optimiser or schedule is not among the few there are.
    """
    from learnae.builtins.numpy_framework.framework import NumpyFramework

    return NumpyFramework(context.manifest, context.training, model=context.model)


@hookimpl
def learnae_frameworks() -> list[Provider[ModelFramework]]:
    """Offer the framework."""
    return [Provider("numpy", "The built-in network with gradients written by hand; needs nothing but NumPy.", open_numpy)]
