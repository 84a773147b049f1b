"""Learning rates that change with the steps taken: those of Optax that small boards need, by its names and formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from learnae.errors import ConfigError
from learnae.values.recipe import Recipe, unknown_name

Schedule = Callable[[int], float]

ADVICE = "The framework jax has all of Optax"

_OPTIONS: Mapping[str, Mapping[str, float | None]] = {
    "constant_schedule": {},
    "cosine_decay_schedule": {"decay_steps": None, "alpha": 0.0, "exponent": 1.0},
    "exponential_decay": {
        "transition_steps": None,
        "decay_rate": None,
        "transition_begin": 0,
        "staircase": False,
        "end_value": math.nan,
    },
}
"""Schedule to option to default; ``None`` has to be given, not-a-number means that there is none."""


def build_schedule(recipe: Recipe) -> Schedule | None:
    """Build the schedule that a recipe names; ``None`` for a constant learning rate that no schedule was asked for.

    Raises:
        ConfigError: There is none of this name, or it has no such option, or one is missing.
    """
    if recipe.schedule is None:
        return None
    name = recipe.schedule if recipe.schedule in _OPTIONS else f"{recipe.schedule}_schedule"
    if name not in _OPTIONS:
        raise unknown_name("training.schedule", recipe.schedule, _OPTIONS, ADVICE)
    given = fill_options("training.schedule_options", name, recipe.schedule_options, _OPTIONS[name])
    rate = recipe.learning_rate
    match name:
        case "cosine_decay_schedule":
            return _cosine(rate, **given)
        case "exponential_decay":
            return _exponential(rate, **given)
        case _:
            return lambda _count: rate


def fill_options(key: str, owner: str, given: Mapping[str, object], known: Mapping[str, float | None]) -> dict[str, float]:
    """Check options and add the defaults.

    Args:
        key: The setting they stand under.
        owner: What they are options of.
        given: By the operator.
        known: Option to default; ``None`` means that it has to be given.

    Raises:
        ConfigError: One is unknown, missing, or not a number.
    """
    for name, value in given.items():
        if name not in known:
            raise unknown_name(f"{key} of {owner}", name, known, ADVICE)
        if not isinstance(value, int | float) or not math.isfinite(value):
            msg = f"{key}.{name} = {value!r} cannot be used for {owner}; accepted: a finite number"
            raise ConfigError(msg)
    filled: dict[str, float] = {}
    for name, default in known.items():
        value = given.get(name, default)
        if not isinstance(value, int | float):
            msg = f"{key}.{name} is missing; {owner} needs a number"
            raise ConfigError(msg)
        filled[name] = value
    return filled


def _cosine(rate: float, *, decay_steps: float, alpha: float, exponent: float) -> Schedule:
    if decay_steps <= 0:
        msg = f"training.schedule_options.decay_steps = {decay_steps!r} cannot be used; accepted: a number above zero"
        raise ConfigError(msg)

    def schedule(count: int) -> float:
        wave = 0.5 * (1.0 + math.cos(math.pi * min(count, decay_steps) / decay_steps))
        return float(rate * ((1.0 - alpha) * np.float64(wave) ** exponent + alpha))

    return schedule


def _exponential(
    rate: float, *, transition_steps: float, decay_rate: float, transition_begin: float, staircase: float, end_value: float
) -> Schedule:
    if transition_steps <= 0 or decay_rate <= 0 or transition_begin < 0:
        msg = (
            f"training.schedule_options: transition_steps {transition_steps!r}, decay_rate {decay_rate!r} and transition_begin "
            f"{transition_begin!r} cannot be used; accepted: above zero, above zero, and not below zero"
        )
        raise ConfigError(msg)

    def schedule(count: int) -> float:
        since = count - transition_begin
        power = since / transition_steps
        decayed = rate if since <= 0 else float(rate * np.float64(decay_rate) ** (math.floor(power) if staircase else power))
        if math.isnan(end_value):
            return decayed
        return max(decayed, end_value) if decay_rate < 1.0 else min(decayed, end_value)

    return schedule
