"""A Flax NNX module as flat arrays and pure functions, whatever mode NNX is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from learnae.errors import ConfigError
from learnae.values.arrays import Weights

Tree = dict[str, jax.Array]
"""Path to array; as a pytree its leaves come in the order of the sorted paths."""

Arrays = dict[str, NDArray[Any]]
"""The same, on the host."""

_DTYPES = frozenset({"float16", "float32", "float64", "int32", "int64", "uint32", "uint8", "bool"})


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of state: the paths of its leaves in the order of its tree."""

    paths: tuple[str, ...]
    structure: Any

    def build(self, tree: Tree) -> Any:  # noqa: ANN401 - an nnx.State, which NNX itself does not type
        return jax.tree.unflatten(self.structure, [tree[path] for path in self.paths])

    def take(self, state: Any) -> Tree:  # noqa: ANN401 - an nnx.State, which NNX itself does not type
        leaves = _leaves(state)
        return {path: leaves[path] for path in self.paths}


@dataclass(frozen=True, slots=True)
class Model:
    """A module's three kinds of state, and how to run it.

    Attributes:
        parameters: What gradients are taken of, by path: arrays, or their shapes and dtypes.
        others: State that a forward pass in training may change, such as batch statistics.
    """

    parameters: Tree
    others: Tree
    _randoms: Tree
    _training: Any
    _evaluation: Any
    _parts: tuple[_Part, _Part, _Part]

    def weights(self) -> Arrays:
        """Copy parameters and other state out, as NumPy arrays."""
        return {path: np.array(leaf) for path, leaf in sorted({**self.parameters, **self.others}.items())}

    def split(self, weights: Weights) -> tuple[Arrays, Arrays]:
        """Sort weights into parameters and other state; nothing is copied."""
        return {path: weights[path] for path in self.parameters}, {path: weights[path] for path in self.others}

    def randoms(self, seed: int) -> Tree:
        """Return fresh random state drawn from a seed of up to 63 bits: a key of its own for every stream, counters at zero."""
        fresh: Tree = {}
        words = np.random.SeedSequence(seed).generate_state(2 * len(self._randoms)).reshape(-1, 2)
        for (path, leaf), (low, high) in zip(sorted(self._randoms.items()), words, strict=True):
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                key = jax.random.fold_in(jax.random.key(low, impl=jax.random.key_impl(leaf)), high)
                fresh[path] = jax.random.split(key, leaf.shape) if leaf.shape else key
            else:
                fresh[path] = jnp.zeros(leaf.shape, leaf.dtype)
        return fresh

    def train(self, parameters: Tree, others: Tree, randoms: Tree, x: jax.Array) -> tuple[jax.Array, Tree, Tree]:
        """Run the module in training mode on ``[batch, features]``; return raw outputs, other state, random state."""
        random_part, parameter_part, other_part = self._parts
        module = nnx.merge(self._training, random_part.build(randoms), parameter_part.build(parameters), other_part.build(others))
        outputs = module(x)
        new_randoms, _, new_others = _split(module)[1]
        return outputs, other_part.take(new_others), random_part.take(new_randoms)

    def evaluate(self, parameters: Tree, others: Tree, x: jax.Array) -> jax.Array:
        """Run the module in evaluation mode on ``[batch, features]``; return raw outputs ``[batch, outputs]``."""
        random_part, parameter_part, other_part = self._parts
        states = random_part.build(self._randoms), parameter_part.build(parameters), other_part.build(others)
        outputs: jax.Array = nnx.merge(self._evaluation, *states)(x)
        return outputs


def take_apart(module: nnx.Module) -> Model:
    """Split a module by kind of state.

    Raises:
        ConfigError: Two of its arrays would have one path, or one has a dtype that cannot travel between peers.
    """
    module.eval()  # type: ignore[no-untyped-call]  # Flax leaves it untyped
    evaluation, _ = _split(module)
    module.train()  # type: ignore[no-untyped-call]  # Flax leaves it untyped
    training, states = _split(module)
    randoms, parameters, others = (_leaves(state) for state in states)
    for path, leaf in (parameters | others).items():
        if str(leaf.dtype) not in _DTYPES:
            msg = f"the model's array {path!r} is {leaf.dtype}; accepted: {', '.join(sorted(_DTYPES))}"
            raise ConfigError(msg)
    if clash := parameters.keys() & others.keys():
        msg = f"the model has two arrays with the path {min(clash)!r}"
        raise ConfigError(msg)
    parts = tuple(_Part(tuple(_leaves(state)), jax.tree.structure(state)) for state in states)
    return Model(parameters, others, randoms, training, evaluation, (parts[0], parts[1], parts[2]))


def _split(module: nnx.Module) -> tuple[Any, tuple[Any, Any, Any]]:
    definition, *states = nnx.split(module, nnx.RngState, nnx.Param, ...)
    return definition, (states[0], states[1], states[2])


def path_of(keys: Sequence[Any]) -> str:
    """Join a pytree's key path with slashes: ``dense0/kernel``."""
    return "/".join(_name(key) for key in keys)


def _leaves(state: Any) -> Tree:  # noqa: ANN401 - an nnx.State, which NNX itself does not type
    leaves: Tree = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(state):
        last = isinstance(keys[-1], jax.tree_util.GetAttrKey) and keys[-1].name == "value"
        path = path_of(keys[:-1] if last else keys)
        if path in leaves:
            msg = f"the model has two arrays with the path {path!r}"
            raise ConfigError(msg)
        leaves[path] = leaf
    return leaves


def _name(key: Any) -> str:  # noqa: ANN401 - one of JAX's key types
    match key:
        case jax.tree_util.DictKey(key=name) | jax.tree_util.FlattenedIndexKey(key=name):
            return str(name)
        case jax.tree_util.SequenceKey(idx=index):
            return str(index)
        case jax.tree_util.GetAttrKey(name=name):
            return str(name)
        case _:
            return str(key)
