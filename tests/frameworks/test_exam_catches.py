"""The exam for frameworks fails each of these deliberately broken ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.errors import UsageError
from learnae.interfaces.framework import ModelFramework, Trained
from learnae.testing.framework import FrameworkExam
from learnae.values.arrays import Rows, Weights
from learnae.values.choices import Task
from learnae.values.manifest import Manifest
from learnae.values.scores import Score


class ChangesItsWeights(NumpyFramework):
    def train(self, weights: Weights, *args: Any, **settings: Any) -> Trained:
        trained = super().train(weights, *args, **settings)
        for path, array in weights.items():
            if array.flags.writeable:
                array[...] = trained.weights[path]
        return trained


class SortsTheRowsInPlace(NumpyFramework):
    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        if rows.features.flags.writeable:
            rows.features.sort(axis=0)
        return super().evaluate(weights, rows)


class IgnoresTheSeed(NumpyFramework):
    def train(self, *args: Any, seed: int, **settings: Any) -> Trained:
        return super().train(*args, seed=0, **settings)


class DrawsWithReplacement(NumpyFramework):
    def train(self, weights: Weights, state: Weights | None, rows: Rows, *, seed: int, **settings: Any) -> Trained:
        chosen = np.random.Generator(np.random.PCG64(seed)).integers(0, len(rows), len(rows)) if len(rows) else []
        return super().train(weights, state, Rows(rows.features[chosen], rows.targets[chosen]), seed=seed, **settings)


class IsNeverTheSame(NumpyFramework):
    calls = 0

    def train(self, *args: Any, seed: int, **settings: Any) -> Trained:
        self.calls += 1
        return super().train(*args, seed=seed ^ self.calls, **settings)


class LearnsAnotherLoss(NumpyFramework):
    """Squares errors, whatever the task is."""

    def __init__(self, manifest: Manifest, training: Mapping[str, object]) -> None:
        super().__init__(manifest, training)
        self._training_manifest = replace_task(manifest)

    def train(self, *args: Any, **settings: Any) -> Trained:
        judged, self._manifest = self._manifest, self._training_manifest
        try:
            return super().train(*args, **settings)
        finally:
            self._manifest = judged


class ReportsTheWholeSquaredError(NumpyFramework):
    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        score = super().evaluate(weights, rows)
        return Score(score.accuracy, min(2 * score.loss, 1e30), score.rows) if self._manifest.task is Task.REGRESSION else score


class TrainsInDoublePrecision(NumpyFramework):
    def train(self, *args: Any, **settings: Any) -> Trained:
        trained = super().train(*args, **settings)
        return replace(trained, weights={path: array.astype(np.float64) for path, array in trained.weights.items()})


class ForgetsItsOptimiser(NumpyFramework):
    def train(self, weights: Weights, state: Weights | None, rows: Rows, **settings: Any) -> Trained:
        return super().train(weights, None, rows, **settings)


class ChokesOnAStrangeState(NumpyFramework):
    def train(self, weights: Weights, state: Weights | None, rows: Rows, **settings: Any) -> Trained:
        if state is not None and "unknown" in state:
            raise KeyError("unknown")
        return super().train(weights, state, rows, **settings)


class SkipsAShortLastBatch(NumpyFramework):
    def train(self, weights: Weights, state: Weights | None, rows: Rows, *, batch_size: int, **settings: Any) -> Trained:
        whole = len(rows) // batch_size * batch_size or len(rows)
        kept = Rows(rows.features[:whole], rows.targets[:whole])
        return super().train(weights, state, kept, batch_size=batch_size, **settings)


class HandsBackWhatItGot(NumpyFramework):
    def train(self, weights: Weights, *args: Any, **settings: Any) -> Trained:
        return replace(super().train(weights, *args, **settings), weights=weights)


class BeginsElsewhere(NumpyFramework):
    def initial_weights(self) -> Weights:
        return {path: -array for path, array in super().initial_weights().items()}


class PredictsLogits(NumpyFramework):
    def predict(self, weights: Weights, features: np.ndarray) -> np.ndarray:
        return self._outputs(weights, features)


class BelievesInNan(NumpyFramework):
    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        score = super().evaluate(weights, rows)
        return score if score.loss < 1e30 else Score(score.accuracy, float("nan"), score.rows)


class TakesNoRows(NumpyFramework):
    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        return super().evaluate(weights, rows) if len(rows) else Score(0.0, 0.0, 0)


class TakesAnyWeights(NumpyFramework):
    def evaluate(self, weights: Weights, rows: Rows) -> Score:
        try:
            return super().evaluate(weights, rows)
        except UsageError:
            return super().evaluate(self.initial_weights(), rows)


def replace_task(manifest: Manifest) -> Manifest:
    import msgspec

    return msgspec.structs.replace(manifest, task=Task.REGRESSION) if manifest.task is Task.BINARY else manifest


@pytest.mark.parametrize(
    ("broken", "question"),
    [
        pytest.param(ChangesItsWeights, "test_leaves_its_arguments_alone", id="changes its weights"),
        pytest.param(SortsTheRowsInPlace, "test_leaves_its_arguments_alone", id="sorts the rows in place"),
        pytest.param(IgnoresTheSeed, "test_draws_the_order_from_the_seed", id="ignores the seed"),
        pytest.param(DrawsWithReplacement, "test_draws_the_order_from_the_seed", id="draws with replacement"),
        pytest.param(IsNeverTheSame, "test_equal_arguments_give_equal_bytes", id="is never the same"),
        pytest.param(LearnsAnotherLoss, "test_follows_the_gradient_of_the_loss", id="learns another loss"),
        pytest.param(ReportsTheWholeSquaredError, "test_scores_by_the_definition", id="reports the whole squared error"),
        pytest.param(TrainsInDoublePrecision, "test_returns_what_the_manifest_names", id="trains in double precision"),
        pytest.param(ForgetsItsOptimiser, "test_keeps_the_optimiser_state", id="forgets its optimiser"),
        pytest.param(ChokesOnAStrangeState, "test_discards_a_state_that_does_not_fit", id="chokes on a strange state"),
        pytest.param(SkipsAShortLastBatch, "test_counts_a_short_last_batch", id="skips a short last batch"),
        pytest.param(HandsBackWhatItGot, "test_leaves_its_arguments_alone", id="hands back what it got"),
        pytest.param(BeginsElsewhere, "test_starts_where_the_manifest_says", id="begins elsewhere"),
        pytest.param(PredictsLogits, "test_predicts", id="predicts logits"),
        pytest.param(BelievesInNan, "test_scores_a_model_that_is_not_finite", id="believes in NaN"),
        pytest.param(TakesNoRows, "test_refuses_what_does_not_fit", id="takes no rows"),
        pytest.param(TakesAnyWeights, "test_refuses_what_does_not_fit", id="takes any weights"),
    ],
)
def test_exam_catches(broken: type[NumpyFramework], question: str) -> None:
    class Exam(FrameworkExam):
        def open_framework(self, manifest: Manifest, training: Mapping[str, object]) -> ModelFramework:
            return broken(manifest, training)

    with pytest.raises((AssertionError, KeyError)):
        getattr(Exam(), question)()
