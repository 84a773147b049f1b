"""Any optimiser and schedule of Optax by name, and its state as flat arrays."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]  # it ships no types

from learnae.builtins.jax_framework.state import Arrays, path_of
from learnae.errors import ConfigError
from learnae.values.arrays import Weights
from learnae.values.recipe import Recipe, unknown_name

_RATES = ("peak_value", "init_value", "value")
"""What a schedule may call the learning rate; the first that it has is filled."""


def build_optimiser(recipe: Recipe) -> optax.GradientTransformationExtraArgs:
    """Build the optimiser that a recipe names.

    Raises:
        ConfigError: Optax has no such optimiser or schedule, or it does not take these options.
    """
    known = known_optimisers()
    if recipe.optimiser not in known:
        raise unknown_name("training.optimiser", recipe.optimiser, known)
    function = known[recipe.optimiser]
    name = _rate_of(inspect.signature(function).parameters) or "learning_rate"
    rate = recipe.learning_rate if recipe.schedule is None else _build_schedule(recipe.schedule, recipe)
    return optax.with_extra_args_support(_call("optimiser", recipe.optimiser, function, (name, rate), recipe.optimiser_options))


def _build_schedule(asked: str, recipe: Recipe) -> Callable[[Any], Any]:
    known = known_schedules()
    name = asked if asked in known else f"{asked}_schedule"
    if name not in known:
        raise unknown_name("training.schedule", asked, known)
    options = dict(recipe.schedule_options)
    if isinstance(table := options.get("boundaries_and_scales"), Mapping):
        # TOML has no whole numbers as keys.
        options["boundaries_and_scales"] = _steps(table)
    parameters = inspect.signature(known[name]).parameters
    rate = next(key for key in _RATES if key in parameters)
    schedule: Callable[[Any], Any] = _call("schedule", name, known[name], (rate, recipe.learning_rate), options)
    return schedule


def _steps(table: Mapping[str, object]) -> dict[int, object]:
    try:
        return {int(step): scale for step, scale in table.items()}
    except ValueError as error:
        msg = f"training.schedule_options.boundaries_and_scales = {dict(table)!r} cannot be used; accepted: step = scale, …"
        raise ConfigError(msg) from error


def save_state(state: optax.OptState) -> Arrays:
    """Copy an optimiser's state into NumPy arrays, by path in its tree; random keys as their raw words."""
    saved = {path_of(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(state)}
    return {path: np.array(jax.random.key_data(leaf) if _is_key(leaf) else leaf) for path, leaf in saved.items()}


def restore_state(like: Any, saved: Weights | None) -> Any | None:  # noqa: ANN401 - an optimiser's own tree
    """Return a saved state as the optimiser's own tree, nothing copied; ``None`` if there is none or it does not fit.

    One fits if it has the very paths, shapes and dtypes of a fresh one, and no NaN: a NaN, left by a run that diverged, would
    spoil every later step.

    Args:
        like: Shapes and dtypes of a fresh state.
        saved: What ``save_state`` returned, perhaps for another optimiser.
    """
    pairs, structure = jax.tree_util.tree_flatten_with_path(like)
    if saved is None or saved.keys() != {path_of(keys) for keys, _ in pairs}:
        return None
    leaves: list[Any] = []
    for keys, leaf in pairs:
        array = saved[path_of(keys)]
        raw = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
        if array.shape != raw.shape or array.dtype != raw.dtype or np.isnan(array).any():
            return None
        leaves.append(jax.random.wrap_key_data(jnp.asarray(array)) if _is_key(leaf) else array)
    return jax.tree.unflatten(structure, leaves)


def _is_key(leaf: Any) -> bool:  # noqa: ANN401 - an array, or its shape and dtype
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def known_optimisers() -> dict[str, Callable[..., Any]]:
    """List the optimisers of Optax by name."""
    return _functions(lambda name, parameters: not name.startswith("scale_by") and _rate_of(parameters) is not None)


def _rate_of(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Name the parameter that is the step size: Polyak's method scales its own by ``scaling``."""
    return next((name for name in ("learning_rate", "scaling") if name in parameters), None)


def known_schedules() -> dict[str, Callable[..., Any]]:
    """List the schedules of Optax that take a learning rate, by name."""

    def fits(name: str, parameters: Mapping[str, inspect.Parameter]) -> bool:
        ends = name.endswith(("_schedule", "exponential_decay"))
        return ends and not name.startswith(("scale_by", "inject")) and any(rate in parameters for rate in _RATES)

    return _functions(fits)


def _functions(fits: Callable[[str, Mapping[str, inspect.Parameter]], bool]) -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for name in dir(optax):
        candidate = getattr(optax, name)
        if inspect.isfunction(candidate) and not name.startswith("_") and fits(name, inspect.signature(candidate).parameters):
            found[name] = candidate
    return found


def _call(
    kind: str,
    name: str,
    function: Callable[..., Any],
    filled: tuple[str, object],
    options: Mapping[str, object],
) -> Any:  # noqa: ANN401 - what Optax returns
    parameters = inspect.signature(function).parameters
    key = f"training.{kind}_options"
    rate, value = filled
    if rate in options:
        msg = f"{key}.{rate} = {options[rate]!r} cannot be used: it comes from training.learning_rate"
        raise ConfigError(msg)
    accepted = [each for each in parameters if each != rate]
    for option in options:
        if option not in accepted:
            raise unknown_name(f"{key} of {name}", option, accepted)
    for each, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and each != rate and each not in options:
            msg = f"{key}.{each} is missing; {name} needs it"
            raise ConfigError(msg)
    try:
        with warnings.catch_warnings():
            # That a name is deprecated is for who chose it to read in Optax's own changelog, not for every start of a peer.
            warnings.simplefilter("ignore")
            return function(**{rate: value}, **options)
    except (TypeError, ValueError) as error:
        msg = f"{key} = {dict(options)!r} cannot be used for {name}: {error}"
        raise ConfigError(msg) from error
