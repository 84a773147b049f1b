"""Where models come from: the built-in perceptron, or a function that the operator named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import jax
from flax import nnx

from learnae.errors import ConfigError
from learnae.values.manifest import Manifest, Mlp


class Perceptron(nnx.Module):
    """The built-in model: linear layers ``dense0``, ``dense1``, … with ReLU or tanh between them."""

    def __init__(self, features: int, outputs: int, mlp: Mlp, *, rngs: nnx.Rngs) -> None:
        self.activation = mlp.activation
        self.layers = len(mlp.hidden) + 1
        for layer, (fan_in, fan_out) in enumerate(pairwise((features, *mlp.hidden, outputs))):
            setattr(self, f"dense{layer}", nnx.Linear(fan_in, fan_out, rngs=rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return raw outputs ``[batch, outputs]`` for features ``[batch, features]``."""
        activate = nnx.tanh if self.activation == "tanh" else nnx.relu
        for layer in range(self.layers):
            x = getattr(self, f"dense{layer}")(x)
            if layer < self.layers - 1:
                x = activate(x)
        return x


def built_in_model(manifest: Manifest, mlp: Mlp) -> nnx.Module:
    """Describe the built-in model: shapes and dtypes where the weights will be, nothing computed or compiled."""
    return nnx.eval_shape(lambda: Perceptron(len(manifest.features), manifest.outputs, mlp, rngs=nnx.Rngs(0)))


def own_model(manifest: Manifest, name: str) -> nnx.Module:
    """Import the operator's function and let it build the model.

    The current folder is searched too, after everything that is installed, while the function is imported and runs.

    Args:
        manifest: The function's one argument.
        name: ``module:function``, from the operator's own settings and nowhere else.

    Raises:
        ConfigError: It cannot be imported, is no function, raises, or returns something else than an ``nnx.Module``.
    """
    module_name, _, function_name = name.partition(":")
    if not (module_name and function_name.isidentifier()):
        msg = f"training.model = {name!r} cannot be used; accepted: module:function"
        raise ConfigError(msg)
    with _current_folder():
        try:
            function: Callable[[Manifest], object] | None = getattr(importlib.import_module(module_name), function_name, None)
        except Exception as error:
            msg = f"training.model = {name!r}: the module cannot be imported: {type(error).__name__}: {error}"
            raise ConfigError(msg) from error
        if not callable(function):
            msg = f"training.model = {name!r}: the module {module_name} has no function {function_name}"
            raise ConfigError(msg)
        try:
            module = function(manifest)
        except Exception as error:
            msg = f"training.model = {name!r}: the function failed: {type(error).__name__}: {error}"
            raise ConfigError(msg) from error
    if not isinstance(module, nnx.Module):
        msg = f"training.model = {name!r}: the function returned {type(module).__name__}; accepted: a flax.nnx.Module"
        raise ConfigError(msg)
    return module


@contextmanager
def _current_folder() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        if here in reversed(sys.path):
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(here)]
