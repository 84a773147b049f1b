"""What both frameworks share: the built-in model's parameters and first weights, orders, scores, probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec.digests import plain_digest
from learnae.codec.weights import encode_weights
from learnae.errors import UsageError
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.arrays import Rows
from learnae.values.batches import epoch_order
from learnae.values.choices import Task
from learnae.values.fitting import require_rows, require_training
from learnae.values.manifest import Custom, Mlp, Parameter
from learnae.values.metrics import predictions, score_outputs
from learnae.values.mlp import mlp_initial_weights, mlp_parameters


def test_parameters_are_kernels_and_biases() -> None:
    assert mlp_parameters(27, 3, Mlp((8,))) == (
        Parameter("dense0/kernel", (27, 8), "float32"),
        Parameter("dense0/bias", (8,), "float32"),
        Parameter("dense1/kernel", (8, 3), "float32"),
        Parameter("dense1/bias", (3,), "float32"),
    )
    assert [each.path for each in mlp_parameters(2, 1, Mlp(()))] == ["dense0/kernel", "dense0/bias"]


@pytest.mark.parametrize(
    ("terms", "digest"),
    [
        pytest.param({}, "ae37f9507bbdf8d815902164c176a98645b1eb421760ed6163dff2cc10b0e95f", id="binary"),
        pytest.param(
            {"task": Task.MULTICLASS}, "86824941e3be27a93b277dc39d930162a6d234738c34f71b21653436c09c7f71", id="three classes"
        ),
    ],
)
def test_first_weights_are_the_same_bytes_everywhere(terms: dict[str, Task], digest: str) -> None:
    """These digests are part of every session that ever began: they may not change."""
    manifest = toy_manifest(**terms)
    assert manifest.initial == digest
    assert plain_digest(encode_weights(mlp_initial_weights(manifest))) == digest


def test_first_weights_follow_the_seed_and_the_limits() -> None:
    relu = mlp_initial_weights(toy_manifest(features=100, hidden=(50,)))
    tanh = mlp_initial_weights(toy_manifest(features=100, hidden=(50,), activation="tanh"))
    assert 0.9 < np.abs(relu["dense0/kernel"]).max() / (6 / 100) ** 0.5 <= 1
    assert 0.9 < np.abs(tanh["dense0/kernel"]).max() / (6 / 150) ** 0.5 <= 1
    assert 0.8 < np.abs(relu["dense1/kernel"]).max() / (6 / 51) ** 0.5 <= 1
    assert not relu["dense0/bias"].any()
    other = mlp_initial_weights(toy_manifest(features=100, hidden=(50,), seed=2**53 - 1))
    assert (other["dense0/kernel"] != relu["dense0/kernel"]).mean() > 0.99


def test_only_the_built_in_model_has_weights_of_its_own() -> None:
    with pytest.raises(UsageError, match="'mine'"):
        mlp_initial_weights(toy_manifest(architecture=Custom("mine")))


@given(rows=st.integers(1, 200), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 1000))
def test_orders_are_permutations(rows: int, seed: int, epoch: int) -> None:
    order = epoch_order(rows, seed, epoch)
    assert sorted(order) == list(range(rows))
    assert np.array_equal(order, epoch_order(rows, seed, epoch))


def test_orders_differ_by_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(30, seed, epoch)) for seed in (0, 1, 2**63 - 1) for epoch in (0, 1, 2)}
    assert len(orders) == 9


@pytest.mark.parametrize(
    ("task", "outputs", "targets", "accuracy", "loss"),
    [
        pytest.param(Task.BINARY, [[0.0]], [1], 0.0, np.log(2), id="a logit of zero is class 0"),
        pytest.param(Task.BINARY, [[1e4], [-1e4]], [1, 1], 0.5, 5e3, id="large logits"),
        pytest.param(Task.BINARY, [[3e38]], [0], 0.0, 1e30, id="loss is bounded"),
        pytest.param(Task.MULTICLASS, [[1.0, 1.0]], [0], 1.0, np.log(2), id="the first of equals"),
        pytest.param(Task.MULTICLASS, [[3e38, -3e38]], [0], 1.0, 0.0, id="sure and right"),
        pytest.param(Task.REGRESSION, [[1.0], [3.0]], [1.0, 2.0], -1.0, 0.25, id="half the squared error"),
        pytest.param(Task.REGRESSION, [[2.0]], [2.0], 1.0, 0.0, id="one value, right"),
        pytest.param(Task.REGRESSION, [[1.0]], [2.0], 0.0, 0.5, id="one value, wrong"),
        pytest.param(Task.REGRESSION, [[3e38], [0.0]], [0.0, 1.0], -1e30, 1e30, id="as wrong as can be"),
        pytest.param(Task.REGRESSION, [[np.nan], [0.0]], [0.0, 1.0], -1e30, 1e30, id="not a number"),
        pytest.param(Task.BINARY, [[np.inf], [0.0]], [1.0, 0.0], 0.0, 1e30, id="infinite"),
    ],
)
def test_scores(task: Task, outputs: list[list[float]], targets: list[float], accuracy: float, loss: float) -> None:
    score = score_outputs(task, np.array(outputs, np.float32), np.array(targets, np.float32))
    assert score.accuracy == pytest.approx(accuracy)
    assert score.loss == pytest.approx(loss)
    assert score.rows == len(targets)


@pytest.mark.parametrize("task", list(Task))
def test_a_model_that_diverged_predicts_without_a_word(task: Task) -> None:
    found = predictions(task, np.array([[np.nan, 1.0], [np.inf, 1.0], [3e38, -3e38]], np.float32))
    assert found.dtype == np.float32
    assert np.isfinite(found[2]).all()


@pytest.mark.parametrize(
    ("features", "targets"),
    [
        pytest.param(np.zeros((3, 5), np.float32), np.zeros(3, np.float32), id="a column too many"),
        pytest.param(np.zeros((3, 4)), np.zeros(3, np.float32), id="float64 features"),
        pytest.param(np.zeros((3, 4), np.float32), np.zeros(3, np.int64), id="whole numbers as targets"),
        pytest.param(np.zeros((3, 4), np.float32), np.zeros((3, 1), np.float32), id="targets in a column"),
        pytest.param(np.zeros((3, 4), np.float32), np.zeros(2, np.float32), id="a target too few"),
        pytest.param(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), id="no rows"),
    ],
)
def test_rows_must_fit(features: np.ndarray, targets: np.ndarray) -> None:
    with pytest.raises(UsageError):
        require_rows(Rows(features, targets), toy_manifest())


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"batch_size": 0}, {"seed": -1}, {"seed": 2**63}])
def test_training_must_be_possible(settings: dict[str, int]) -> None:
    manifest = toy_manifest()
    with pytest.raises(UsageError, match="at least 1"):
        require_training(toy_rows(manifest, 3), manifest, **{"epochs": 1, "batch_size": 1, "seed": 0, **settings})


@pytest.mark.parametrize("task", list(Task))
def test_toy_rows_are_of_one_problem(task: Task) -> None:
    manifest = toy_manifest(task, features=6)
    rows = toy_rows(manifest, 400, 1)
    again, other = toy_rows(manifest, 400, 1), toy_rows(manifest, 400, 2)
    assert np.array_equal(rows.features, again.features)
    assert not np.array_equal(rows.features, other.features)
    assert rows.features.shape == (400, 6)
    if task is not Task.REGRESSION:
        counts = np.bincount(rows.targets.astype(int), minlength=len(manifest.classes))
        assert counts.min() > 15, "a class is hardly there"
