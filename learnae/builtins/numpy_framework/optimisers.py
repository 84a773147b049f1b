"""Optimisers with the formulas, defaults and option names of Optax; their state has its layout too.

An operator who goes from this framework to ``jax`` or back keeps the optimiser's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learnae.builtins.numpy_framework.network import Array, Network
from learnae.builtins.numpy_framework.schedules import ADVICE, build_schedule, fill_options
from learnae.values.arrays import Weights
from learnae.values.recipe import Recipe, unknown_name

_OPTIONS: Mapping[str, Mapping[str, float]] = {
    "sgd": {"momentum": 0.0, "nesterov": False},
    "adam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0},
    "adamw": {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0, "weight_decay": 1e-4},
}
_TRANSFORMS_BEFORE_RATE = {"sgd": 1, "adam": 1, "adamw": 2}


@dataclass(slots=True)
class State:
    """What an optimiser remembers: vectors like the weights, by Optax's names, and the steps taken."""

    moments: dict[str, Array]
    count: int


class Optimiser:
    """Turns gradients into steps.

    Raises:
        ConfigError: There is no optimiser or schedule of this name, or an option that it cannot use.
    """

    def __init__(self, recipe: Recipe, network: Network) -> None:
        if recipe.optimiser not in _OPTIONS:
            raise unknown_name("training.optimiser", recipe.optimiser, _OPTIONS, ADVICE)
        self._name = recipe.optimiser
        self._options = fill_options(
            "training.optimiser_options", self._name, recipe.optimiser_options, _OPTIONS[recipe.optimiser]
        )
        self._schedule = build_schedule(recipe)
        self._rate = recipe.learning_rate
        self._network = network
        self._moments = ("mu", "nu") if self._name != "sgd" else ("trace",) if "momentum" in recipe.optimiser_options else ()

    def start(self) -> State:
        """Return the state before the first step."""
        return State({name: np.zeros(self._network.size, np.float32) for name in self._moments}, 0)

    def step(self, state: State, weights: Array, gradient: Array) -> None:
        """Change weights ``[size]`` and state in place."""
        rate = np.float32(self._schedule(state.count) if self._schedule else self._rate)
        state.count += 1
        update = self._sgd(state, gradient) if self._name == "sgd" else self._adam(state, gradient)
        if decay := self._options.get("weight_decay"):
            update = update + np.float32(decay) * weights
        weights -= rate * update

    def _sgd(self, state: State, gradient: Array) -> Array:
        if not state.moments:
            return gradient
        momentum = np.float32(self._options["momentum"])
        trace = state.moments["trace"]
        trace *= momentum
        trace += gradient
        return gradient + momentum * trace if self._options["nesterov"] else trace

    def _adam(self, state: State, gradient: Array) -> Array:
        """Step as in Kingma and Ba 2015, algorithm 1."""
        b1, b2 = self._options["b1"], self._options["b2"]
        mu, nu = state.moments["mu"], state.moments["nu"]
        mu *= np.float32(b1)
        mu += np.float32(1.0 - b1) * gradient
        nu *= np.float32(b2)
        nu += np.float32(1.0 - b2) * np.square(gradient)
        root = np.sqrt(nu / np.float32(1.0 - b2**state.count) + np.float32(self._options["eps_root"]))
        root += np.float32(self._options["eps"])
        update: Array = mu / np.float32(1.0 - b1**state.count) / root
        return update

    def save(self, state: State) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
        """Return a state as named arrays, at the paths that Optax's tree has."""
        arrays: dict[str, NDArray[np.float32] | NDArray[np.int32]] = {
            f"0/{name}/{path}": view.copy()
            for name, vector in state.moments.items()
            for path, view in self._network.views(vector).items()
        }
        for path in self._counts():
            arrays[path] = np.array(state.count, np.int32)
        return arrays

    def restore(self, saved: Weights | None) -> State:
        """Copy a saved state, or start afresh if there is none, or it does not fit (names, shapes, dtypes), or holds NaN."""
        fresh = self.start()
        expected = self.save(fresh)
        if saved is None or saved.keys() != expected.keys():
            return fresh
        for path, like in expected.items():
            array = saved[path]
            if array.shape != like.shape or array.dtype != like.dtype or np.isnan(array).any():
                return fresh
        counts = {int(saved[path]) for path in self._counts()}
        moments = {
            name: self._network.vector({path: saved[f"0/{name}/{path}"] for path in self._network.views(vector)})
            for name, vector in fresh.moments.items()
        }
        return State(moments, max(counts, default=0))

    def _counts(self) -> list[str]:
        paths = ["0/count"] if "mu" in self._moments else []
        return [*paths, f"{_TRANSFORMS_BEFORE_RATE[self._name]}/count"] if self._schedule else paths
