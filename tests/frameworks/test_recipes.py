"""Optimisers and schedules by name, and the sentences about those that there are not."""

from collections.abc import Mapping

import numpy as np
import optax
import pytest

from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.builtins.jax_framework.optimisers import known_optimisers, known_schedules
from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.builtins.numpy_framework.schedules import build_schedule
from learnae.errors import ConfigError
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.recipe import Recipe, read_recipe

pytestmark = pytest.mark.usefixtures("compiled_once")

BOTH = [pytest.param(NumpyFramework, id="numpy"), pytest.param(JaxFramework, id="jax")]


@pytest.mark.parametrize(
    ("training", "said"),
    [
        pytest.param({"optimiser": "adma"}, ["training.optimiser", "'adma'", "adam"], id="near name"),
        pytest.param({"optimiser": "qqqq"}, ["training.optimiser", "adam", "sgd"], id="far name"),
        pytest.param({"optimiser": 3}, ["training.optimiser", "3", "a name"], id="no name"),
        pytest.param({"learning_rate": 0.0}, ["training.learning_rate", "above zero"], id="rate of zero"),
        pytest.param({"learning_rate": float("nan")}, ["training.learning_rate", "nan"], id="rate of NaN"),
        pytest.param({"learning_rate": True}, ["training.learning_rate", "True"], id="rate of true"),
        pytest.param({"schedule": "cosine_deacy"}, ["training.schedule", "cosine_decay_schedule"], id="near schedule"),
        pytest.param({"schedule": ["x"]}, ["training.schedule", "a name"], id="no schedule"),
        pytest.param({"schedule": "cosine_decay"}, ["schedule_options.decay_steps", "missing"], id="missing option"),
        pytest.param({"schedule_options": {"alpha": 0.1}}, ["training.schedule_options", "schedule"], id="options of none"),
        pytest.param({"optimiser_options": 5}, ["training.optimiser_options", "5"], id="no options"),
        pytest.param({"optimiser_options": {"beta1": 0.9}}, ["optimiser_options", "beta1", "b1"], id="near option"),
        pytest.param(
            {"schedule": "cosine_decay", "schedule_options": {"decay_steps": 0}}, ["decay_steps", "0"], id="refused by Optax too"
        ),
        pytest.param(
            {"schedule": "cosine_decay", "schedule_options": {"decay_steps": 5, "init_value": 1.0}},
            ["init_value"],
            id="rate twice",
        ),
    ],
)
@pytest.mark.parametrize("framework", BOTH)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    framework: type[NumpyFramework | JaxFramework], training: Mapping[str, object], said: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        framework(toy_manifest(), training)
    for words in said:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "training", [{"optimiser": "lion"}, {"schedule": "linear_schedule"}, {"optimiser_options": {"nesterov": True}}]
)
def test_numpy_says_that_jax_has_more(training: Mapping[str, object]) -> None:
    JaxFramework(
        toy_manifest(),
        {**training, "schedule_options": {"end_value": 0, "transition_steps": 9} if "schedule" in training else {}},
    )
    with pytest.raises(ConfigError, match=r"The framework jax has all of Optax$"):
        NumpyFramework(toy_manifest(), training)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        pytest.param({"b1": "0.9"}, "'0.9'", id="text"),
        pytest.param({"eps": float("inf")}, "inf", id="not finite"),
    ],
)
def test_numpy_takes_numbers_only(options: Mapping[str, object], value: str) -> None:
    with pytest.raises(ConfigError, match=value):
        NumpyFramework(toy_manifest(), {"optimiser_options": options})


def test_numpy_refuses_a_decay_without_steps() -> None:
    options = {"transition_steps": 0, "decay_rate": 0.5}
    with pytest.raises(ConfigError, match="transition_steps 0"):
        NumpyFramework(toy_manifest(), {"schedule": "exponential_decay", "schedule_options": options})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("constant", {}, id="constant"),
        pytest.param("cosine_decay", {"decay_steps": 40, "alpha": 0.1, "exponent": 2.0}, id="cosine"),
        pytest.param("exponential_decay", {"transition_steps": 7, "decay_rate": 0.5, "transition_begin": 5}, id="exponential"),
        pytest.param("exponential_decay", {"transition_steps": 7, "decay_rate": 0.5, "staircase": True}, id="staircase"),
        pytest.param("exponential_decay", {"transition_steps": 7, "decay_rate": 2.0, "end_value": 0.03}, id="upper bound"),
        pytest.param("exponential_decay", {"transition_steps": 7, "decay_rate": 0.2, "end_value": 0.003}, id="lower bound"),
    ],
)
def test_numpy_schedules_are_those_of_optax(name: str, options: Mapping[str, float]) -> None:
    ours = build_schedule(Recipe(learning_rate=0.01, schedule=name, schedule_options=options))
    function = getattr(optax, name if hasattr(optax, name) else f"{name}_schedule")
    theirs = function(0.01, **options)
    assert ours is not None
    for count in (0, 1, 4, 5, 6, 7, 20, 39, 40, 41, 1000):
        assert ours(count) == pytest.approx(float(theirs(count)), rel=1e-5)


def test_a_growing_rate_overflows_to_infinity() -> None:
    options = {"transition_steps": 1, "decay_rate": 10.0}
    schedule = build_schedule(Recipe(schedule="exponential_decay", schedule_options=options))
    assert schedule is not None
    with np.errstate(over="ignore"):
        assert schedule(10_000) == float("inf")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(known_optimisers()))
def test_every_optimiser_of_optax_trains_and_goes_on(name: str) -> None:
    manifest = toy_manifest(hidden=())
    rows = toy_rows(manifest, 40, 1)
    framework = JaxFramework(manifest, {"optimiser": name, "learning_rate": 0.01})
    start = framework.initial_weights()
    first = framework.train(start, None, rows, epochs=2, batch_size=16, seed=1)
    assert any((first.weights[path] != start[path]).any() for path in start)
    again = framework.train(first.weights, first.optimiser_state, rows, epochs=1, batch_size=16, seed=2)
    assert np.isfinite(again.loss)
    assert again.optimiser_state.keys() == first.optimiser_state.keys()


def test_optax_is_listed() -> None:
    assert {"adam", "adamw", "sgd", "lion", "lbfgs", "polyak_sgd", "noisy_sgd", "rmsprop"} <= known_optimisers().keys()
    assert {"cosine_decay_schedule", "exponential_decay", "warmup_cosine_decay_schedule"} <= known_schedules().keys()
    assert not any(name.startswith(("scale_by", "inject")) for name in (*known_optimisers(), *known_schedules()))


def test_a_schedule_that_rises_rises_to_the_learning_rate() -> None:
    options = {"init_value": 0.0, "warmup_steps": 10, "decay_steps": 40}
    training = {"optimiser": "sgd", "learning_rate": 0.5, "schedule": "warmup_cosine_decay", "schedule_options": options}
    manifest = toy_manifest()
    framework = JaxFramework(manifest, training)
    start = framework.initial_weights()
    trained = framework.train(start, None, toy_rows(manifest, 10, 1), epochs=1, batch_size=10, seed=0)
    assert all(np.array_equal(trained.weights[path], start[path]) for path in start), "the first step of a warm-up is nothing"


def test_a_table_of_steps_may_have_text_for_keys() -> None:
    options = {"boundaries_and_scales": {"3": 0.5, "7": 0.1}}
    JaxFramework(toy_manifest(), {"schedule": "piecewise_constant", "schedule_options": options})
    with pytest.raises(ConfigError, match="boundaries_and_scales"):
        JaxFramework(
            toy_manifest(), {"schedule": "piecewise_constant", "schedule_options": {"boundaries_and_scales": {"x": 1.0}}}
        )


def test_a_recipe_has_defaults_and_leaves_other_keys_alone() -> None:
    assert read_recipe({}) == Recipe()
    assert read_recipe({"epochs": 3}) == Recipe()
    assert read_recipe({"learning_rate": 1}).learning_rate == 1.0


@pytest.mark.parametrize("framework", BOTH)
def test_a_state_with_nan_is_discarded(framework: type[NumpyFramework | JaxFramework]) -> None:
    manifest = toy_manifest()
    rows = toy_rows(manifest, 20, 1)
    opened = framework(manifest, {})
    first = opened.train(opened.initial_weights(), None, rows, epochs=1, batch_size=8, seed=1)
    spoilt = {
        path: array * np.array(np.nan, array.dtype) if array.dtype.kind == "f" else array
        for path, array in first.optimiser_state.items()
    }
    one, other = (opened.train(first.weights, state, rows, epochs=1, batch_size=8, seed=2) for state in (spoilt, None))
    assert all(np.array_equal(one.weights[path], other.weights[path]) for path in one.weights)
