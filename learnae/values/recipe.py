"""How an operator wants weights to be trained, as ``Context.training`` says it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from learnae.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Recipe:
    """An optimiser and the course of its learning rate, by name.

    Attributes:
        optimiser: By the name that the framework gives it.
        learning_rate: Step size, above zero; what a schedule starts from or rises to.
        schedule: By the name that the framework gives it; none keeps the learning rate constant.
        optimiser_options: Further arguments of the optimiser.
        schedule_options: Arguments of the schedule.
    """

    optimiser: str = "adam"
    learning_rate: float = 1e-3
    schedule: str | None = None
    optimiser_options: Mapping[str, object] = field(default_factory=dict)
    schedule_options: Mapping[str, object] = field(default_factory=dict)


def read_recipe(training: Mapping[str, object]) -> Recipe:
    """Read a recipe from ``Context.training``; keys that are missing get the defaults, others are left to others.

    Raises:
        ConfigError: A value is of the wrong type, or the learning rate is not above zero.
    """
    default = Recipe()
    optimiser = training.get("optimiser", default.optimiser)
    rate = training.get("learning_rate", default.learning_rate)
    schedule = training.get("schedule")
    if not isinstance(optimiser, str):
        raise _refused("optimiser", optimiser, "a name")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.0 < rate < math.inf:
        raise _refused("learning_rate", rate, "a number above zero")
    if not (schedule is None or isinstance(schedule, str)):
        raise _refused("schedule", schedule, "a name")
    options: list[Mapping[str, object]] = []
    for key in ("optimiser_options", "schedule_options"):
        value = training.get(key, {})
        if not isinstance(value, Mapping):
            raise _refused(key, value, "a table of options")
        options.append({str(name): each for name, each in value.items()})
    if schedule is None and options[1]:
        raise _refused("schedule_options", dict(options[1]), "nothing unless training.schedule names a schedule")
    return Recipe(optimiser, float(rate), schedule, *options)


def unknown_name(key: str, name: str, known: Iterable[str], advice: str = "") -> ConfigError:
    """Say that a name is not known, and which come near it, or else all that there are.

    Args:
        key: The setting, such as ``training.optimiser``.
        name: What was asked for.
        known: What there is.
        advice: A sentence that follows.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? There are: " if near else "there are: "
    return ConfigError(f"{key} = {name!r} is not known; {hint}{', '.join(names) or 'none'}{advice and '. ' + advice}")


def _refused(key: str, value: object, accepted: str) -> ConfigError:
    return ConfigError(f"training.{key} = {value!r} cannot be used; accepted: {accepted}")
