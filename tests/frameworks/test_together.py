"""Both frameworks do the same arithmetic: the basis for peers of both kinds in one session."""

from collections.abc import Mapping

import numpy as np
import pytest

from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.choices import Task

pytestmark = pytest.mark.usefixtures("compiled_once")

ATOL = 2e-5
"""How far apart weights of size one may be after 26 steps in float32; both sides round, in different orders."""


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize(
    "training",
    [
        pytest.param({"optimiser": "sgd", "learning_rate": 0.05}, id="sgd"),
        pytest.param({"optimiser": "sgd", "learning_rate": 0.02, "optimiser_options": {"momentum": 0.9}}, id="momentum"),
        pytest.param(
            {"optimiser": "sgd", "learning_rate": 0.02, "optimiser_options": {"momentum": 0.9, "nesterov": True}}, id="nesterov"
        ),
        pytest.param({"optimiser": "adam", "learning_rate": 0.005}, id="adam"),
        pytest.param({"optimiser": "adam", "optimiser_options": {"b1": 0.8, "b2": 0.99, "eps": 1e-6}}, id="adam with options"),
        pytest.param({"optimiser": "adamw", "learning_rate": 0.005, "optimiser_options": {"weight_decay": 0.1}}, id="adamw"),
        pytest.param(
            {"optimiser": "adam", "schedule": "cosine_decay", "schedule_options": {"decay_steps": 20, "alpha": 0.1}},
            id="adam, cosine_decay",
        ),
        pytest.param(
            {
                "optimiser": "sgd",
                "learning_rate": 0.05,
                "schedule": "exponential_decay",
                "schedule_options": {"transition_steps": 5, "decay_rate": 0.5, "staircase": True, "end_value": 0.01},
            },
            id="sgd, exponential_decay",
        ),
        pytest.param({"optimiser": "adamw", "schedule": "constant"}, id="adamw, constant"),
    ],
)
def test_same_weights_and_rows_train_to_the_same_weights(training: Mapping[str, object], task: Task) -> None:
    manifest = toy_manifest(task, hidden=(8,), activation="tanh" if task is Task.REGRESSION else "relu")
    rows, unseen = toy_rows(manifest, 50, 1), toy_rows(manifest, 100, 2)
    start = NumpyFramework(manifest, training).initial_weights()
    by_jax, by_numpy = (
        framework.train(start, None, rows, epochs=2, batch_size=4, seed=3)
        for framework in (JaxFramework(manifest, training), NumpyFramework(manifest, training))
    )
    assert by_jax.steps == by_numpy.steps == 26
    assert by_jax.loss == pytest.approx(by_numpy.loss, rel=1e-5)
    assert max(np.abs(by_numpy.weights[path] - start[path]).max() for path in start) > 100 * ATOL, "it hardly moved"
    for path, array in by_numpy.weights.items():
        np.testing.assert_allclose(by_jax.weights[path], array, atol=ATOL, rtol=0, err_msg=path)

    # A state of one is a state of the other: an operator may change the framework between two cycles.
    assert by_jax.optimiser_state.keys() == by_numpy.optimiser_state.keys()
    for path, array in by_numpy.optimiser_state.items():
        assert by_jax.optimiser_state[path].dtype == array.dtype
        np.testing.assert_allclose(by_jax.optimiser_state[path], array, atol=ATOL, rtol=0, err_msg=path)

    scores = [framework(manifest, training).evaluate(by_numpy.weights, unseen) for framework in (JaxFramework, NumpyFramework)]
    assert scores[0].loss == pytest.approx(scores[1].loss, rel=1e-5)
    assert scores[0].accuracy == pytest.approx(scores[1].accuracy, rel=1e-5)


def test_a_state_goes_on_in_the_other_framework() -> None:
    manifest, training = toy_manifest(), {"optimiser": "adam", "learning_rate": 0.005}
    rows = toy_rows(manifest, 50, 1)
    ours, theirs = NumpyFramework(manifest, training), JaxFramework(manifest, training)
    first = ours.train(ours.initial_weights(), None, rows, epochs=2, batch_size=4, seed=3)
    went_on, stayed, afresh = (
        framework.train(first.weights, state, rows, epochs=1, batch_size=4, seed=4)
        for framework, state in ((theirs, first.optimiser_state), (ours, first.optimiser_state), (ours, None))
    )
    for path, array in stayed.weights.items():
        np.testing.assert_allclose(went_on.weights[path], array, atol=ATOL, rtol=0, err_msg=path)
    assert any(np.abs(afresh.weights[path] - array).max() > 50 * ATOL for path, array in stayed.weights.items())
