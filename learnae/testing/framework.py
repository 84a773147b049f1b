"""The exam for model frameworks."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learnae.codec.digests import plain_digest
from learnae.codec.weights import decode_arrays, encode_arrays, encode_weights
from learnae.errors import UsageError
from learnae.interfaces.framework import ModelFramework, Trained
from learnae.testing.reference import reference_outputs, reference_probabilities, reference_score
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.arrays import Rows, Weights
from learnae.values.choices import Task
from learnae.values.manifest import Manifest

Arrays = dict[str, NDArray[Any]]


class FrameworkExam(ABC):
    """Examines a framework: every promise of ``learnae.interfaces.framework.ModelFramework`` that can be tested from outside.

    Derive a class whose name begins with ``Test``, say how to open the framework, and let pytest find it::

        from collections.abc import Mapping

        from learnae.interfaces.framework import ModelFramework
        from learnae.testing.framework import FrameworkExam
        from learnae.values.manifest import Manifest

        from abacus import Trainer


        class TestAbacus(FrameworkExam):
            def open_framework(self, manifest: Manifest, training: Mapping[str, object]) -> ModelFramework:
                return Trainer(manifest, **training)

    All sessions of the exam have the built-in model.

    Attributes:
        remembering: A recipe (``Context.training``) whose optimiser has a state, and that learns the toy problems in 20 epochs.
        plain: A recipe for gradient descent without momentum and with a learning rate of 1.
        tolerance: How far, relative to its size, a loss or a gradient may be from one computed in float64.
    """

    remembering: ClassVar[Mapping[str, object]] = {"optimiser": "adam", "learning_rate": 0.01}
    plain: ClassVar[Mapping[str, object]] = {"optimiser": "sgd", "learning_rate": 1.0}
    tolerance = 1e-4

    @abstractmethod
    def open_framework(self, manifest: Manifest, training: Mapping[str, object]) -> ModelFramework:
        """Open the framework for a session, as its provider would.

        Args:
            manifest: The session's terms.
            training: What ``Context.training`` holds.
        """

    def test_starts_where_the_manifest_says(self) -> None:
        """Compare the digest of the initial weights with the manifest's, twice."""
        for manifest in _manifests():
            framework = self.open_framework(manifest, self.remembering)
            first = framework.initial_weights()
            assert plain_digest(encode_weights(first)) == manifest.initial, f"{_name(manifest)}: other initial weights"
            for array in first.values():
                if array.flags.writeable:
                    array[...] = 9
            again = plain_digest(encode_weights(framework.initial_weights()))
            assert again == manifest.initial, "the initial weights changed when the caller changed its copy"

    def test_learns(self) -> None:
        """Train on each of the three toy problems, and look at rows that were not trained on."""
        for manifest in _manifests():
            framework = self.open_framework(manifest, self.remembering)
            weights, unseen = framework.initial_weights(), toy_rows(manifest, 300, 2)
            before = framework.evaluate(weights, unseen)
            trained = framework.train(weights, None, toy_rows(manifest, 400, 1), epochs=20, batch_size=32, seed=5)
            after = framework.evaluate(trained.weights, unseen)
            assert after.accuracy > 0.85, f"{_name(manifest)}: accuracy {after.accuracy} after training"
            assert after.loss < before.loss / 2, f"{_name(manifest)}: loss {before.loss}, and {after.loss} after training"
            assert 0 < trained.loss < before.loss, f"{_name(manifest)}: training loss {trained.loss}, {before.loss} at first"

    def test_returns_what_the_manifest_names(self) -> None:
        """Look at paths, shapes and dtypes of what training returns."""
        for manifest in _manifests():
            trained = self._train(manifest)
            found = {path: (array.shape, array.dtype.name) for path, array in trained.weights.items()}
            assert found == {each.path: (each.shape, each.dtype) for each in manifest.parameters}, "other paths, shapes or dtypes"
            assert all(isinstance(array, np.ndarray) for array in _all_arrays(trained)), "not all are NumPy arrays"
            assert type(trained.steps) is int, "steps is not an int"
            assert type(trained.loss) is float, "loss is not a float"

    def test_equal_arguments_give_equal_bytes(self) -> None:
        """Train twice with equal arguments: in another object, after other work, and in another thread."""
        manifest = toy_manifest()
        expected = _bytes(self._train(manifest))
        framework = self.open_framework(manifest, self.remembering)
        found: list[bytes] = []

        def work() -> None:
            found.append(_bytes(_train(framework, manifest)))
            _train(framework, manifest, rows=toy_rows(manifest, 33, 4), seed=77)
            framework.evaluate(framework.initial_weights(), toy_rows(manifest, 5, 4))
            found.append(_bytes(_train(framework, manifest)))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert found == [expected, expected], "equal arguments gave other bytes"

    def test_draws_the_order_from_the_seed(self) -> None:
        """Train with two seeds: minibatches give other weights; with all rows in one batch the order hardly matters."""
        manifest = toy_manifest()
        rows = toy_rows(manifest, 40, 1)
        framework = self.open_framework(manifest, self.remembering)
        for batch_size, same in ((4, False), (40, True)):
            one, other = (
                framework.train(framework.initial_weights(), None, rows, epochs=2, batch_size=batch_size, seed=seed)
                for seed in (1, 2**63 - 1)
            )
            gap = max(float(np.abs(one.weights[path] - other.weights[path]).max()) for path in one.weights)
            if same:
                assert gap < 1e-3, "an epoch over all rows in one batch depends on the seed: not every row was used once"
            else:
                assert gap > 1e-6, "the seed changes nothing"

    def test_leaves_its_arguments_alone(self) -> None:
        """Pass arrays that cannot be written, and look at them, and at what earlier calls returned, afterwards."""
        for manifest in _manifests():
            framework = self.open_framework(manifest, self.remembering)
            first = _train(framework, manifest)
            rows = toy_rows(manifest, 50, 3)
            weights, state = _frozen(first.weights), _frozen(first.optimiser_state)
            given = [*weights.values(), *state.values(), rows.features, rows.targets]
            for array in given:
                array.flags.writeable = False
            before = [array.copy() for array in given]
            kept = _bytes(first)
            second = framework.train(weights, state, rows, epochs=1, batch_size=8, seed=9)
            framework.evaluate(weights, rows)
            framework.predict(weights, rows.features)
            assert all(np.array_equal(was, now) for was, now in zip(before, given, strict=True)), "an argument was changed"
            assert _bytes(first) == kept, "what an earlier call returned was changed"
            shared = any(np.shares_memory(made, array) for made in _all_arrays(second) for array in given)
            assert not shared, "a result shares memory with an argument"

            # Not every framework heeds that an array is not to be written; so once more with arrays that can be.
            loose = {path: array.copy() for path, array in weights.items()}
            loose_state = {path: array.copy() for path, array in state.items()}
            loose_rows = Rows(rows.features.copy(), rows.targets.copy())
            framework.train(loose, loose_state, loose_rows, epochs=1, batch_size=8, seed=9)
            framework.evaluate(loose, loose_rows)
            framework.predict(loose, loose_rows.features)
            now = [*loose.values(), *loose_state.values(), loose_rows.features, loose_rows.targets]
            assert all(np.array_equal(was, array) for was, array in zip(before, now, strict=True)), "an argument was changed"

    def test_follows_the_gradient_of_the_loss(self) -> None:
        """Take one plain step over all rows, and compare it with differences of a float64 loss in random directions."""
        for manifest in (*_manifests(), *_manifests(activation="tanh")):
            framework = self.open_framework(manifest, self.plain)
            rows, start = toy_rows(manifest, 40, 6), framework.initial_weights()
            trained = framework.train(start, None, rows, epochs=1, batch_size=len(rows), seed=0)
            loss = reference_score(manifest, start, rows)[1]
            assert abs(trained.loss - loss) < self.tolerance * loss, (
                f"{_name(manifest)}: training loss {trained.loss}, not {loss}"
            )
            for seed in range(5):
                direction = _direction(start, seed)
                stepped = sum(float(((start[path] - trained.weights[path]) * direction[path]).sum()) for path in start)
                slope = (
                    _loss_at(manifest, start, direction, rows, 1e-5) - _loss_at(manifest, start, direction, rows, -1e-5)
                ) / 2e-5
                assert abs(stepped - slope) < 10 * self.tolerance * (1 + abs(slope)), (
                    f"{_name(manifest)}: the gradient is {stepped} along a direction in which the loss rises by {slope}"
                )

    def test_counts_a_short_last_batch(self) -> None:
        """Train on copies of one row, so that all batches have one gradient: each must move the weights as far."""
        manifest = toy_manifest()
        row = toy_rows(manifest, 1, 1)
        rows = Rows(np.repeat(row.features, 10, axis=0), np.repeat(row.targets, 10))
        framework = self.open_framework(manifest, {**self.plain, "learning_rate": 1e-3})
        start = framework.initial_weights()
        once = framework.train(start, None, rows, epochs=1, batch_size=10, seed=0)
        thrice = framework.train(start, None, rows, epochs=1, batch_size=4, seed=0)
        assert (once.steps, thrice.steps) == (1, 3), f"{thrice.steps} steps for 10 rows in batches of 4"
        ways = [sum(float(np.abs(each.weights[path] - start[path]).sum()) for path in start) for each in (once, thrice)]
        assert abs(ways[1] / ways[0] - 3) < 0.05, f"three batches moved the weights {ways[1] / ways[0]} times as far as one"
        assert abs(thrice.loss / once.loss - 1) < 0.01, "the mean training loss is not a mean over rows"

    def test_takes_few_rows_and_large_batches(self) -> None:
        """Train on one row, and with a batch larger than there are rows, which means all of them."""
        for manifest in _manifests():
            framework = self.open_framework(manifest, self.remembering)
            start, rows = framework.initial_weights(), toy_rows(manifest, 10, 3)
            single = framework.train(start, None, toy_rows(manifest, 1, 3), epochs=3, batch_size=32, seed=1)
            assert single.steps == 3, f"{single.steps} steps for three epochs of one row"
            whole = framework.train(start, None, rows, epochs=2, batch_size=10, seed=1)
            large = framework.train(start, None, rows, epochs=2, batch_size=10**9, seed=1)
            assert large.steps == whole.steps == 2, f"{large.steps} steps for two epochs in one batch"
            for path, array in large.weights.items():
                assert np.allclose(array, whole.weights[path], atol=1e-5), "a batch larger than all rows is not all rows"
                assert np.isfinite(single.weights[path]).all(), "one row made weights that are not finite"

    def test_keeps_the_optimiser_state(self) -> None:
        """Send a state through its bytes to another object; training must go on as if nothing had been."""
        manifest = toy_manifest()
        first = self._train(manifest)
        state = decode_arrays(encode_arrays(first.optimiser_state))
        rows = toy_rows(manifest, 50, 8)

        def go_on(optimiser_state: Weights | None) -> bytes:
            framework = self.open_framework(manifest, self.remembering)
            return _bytes(framework.train(first.weights, optimiser_state, rows, epochs=1, batch_size=8, seed=3))

        assert go_on(state) == go_on(first.optimiser_state), "a state that went through bytes is another"
        assert go_on(state) != go_on(None), "the state changes nothing"

    def test_discards_a_state_that_does_not_fit(self) -> None:
        """Hand back states of other optimisers, models and dtypes; each is as good as none."""
        manifest = toy_manifest()
        framework = self.open_framework(manifest, self.remembering)
        first = _train(framework, manifest)
        good = dict(first.optimiser_state)
        largest = max(good, key=lambda path: good[path].size)
        other = self.open_framework(toy_manifest(hidden=(5, 5)), self.remembering)
        misfits: dict[str, Weights] = {
            "nothing": {},
            "unknown": {"unknown": np.zeros(3, np.float32)},
            "one too few": {path: array for path, array in good.items() if path != largest},
            "one too many": {**good, "unknown": np.zeros(3, np.float32)},
            "another shape": {**good, largest: np.zeros(7, np.float32)},
            "another dtype": {**good, largest: good[largest].astype(np.float16)},
            "another model": _train(other, toy_manifest(hidden=(5, 5))).optimiser_state,
        }
        rows = toy_rows(manifest, 50, 8)
        afresh = _bytes(framework.train(first.weights, None, rows, epochs=1, batch_size=8, seed=3))
        for name, misfit in misfits.items():
            found = framework.train(first.weights, misfit, rows, epochs=1, batch_size=8, seed=3)
            assert _bytes(found) == afresh, f"a state with {name} was not discarded"

    def test_scores_by_the_definition(self) -> None:
        """Compare scores with a float64 reference, for weights at random and several numbers of rows."""
        for manifest in (*_manifests(hidden=(7, 5)), *_manifests(hidden=(), classes=4), *_manifests(activation="tanh")):
            framework = self.open_framework(manifest, self.remembering)
            for seed, count in enumerate((2, 17, 300)):
                weights, rows = _random_weights(manifest, seed), toy_rows(manifest, count, seed)
                score = framework.evaluate(weights, rows)
                accuracy, loss = reference_score(manifest, weights, rows)
                assert score.rows == count, f"{_name(manifest)}: {score.rows} rows counted, not {count}"
                assert abs(score.loss - loss) < self.tolerance * (1 + loss), f"{_name(manifest)}: loss {score.loss}, not {loss}"
                assert abs(score.accuracy - accuracy) < self.tolerance * (1 + abs(accuracy)), (
                    f"{_name(manifest)}: accuracy {score.accuracy}, not {accuracy}"
                )

    def test_scores_a_model_that_is_not_finite(self) -> None:
        """Score models whose outputs are not finite, and ones whose outputs are as large as float32 has them."""
        for manifest in _manifests(hidden=()):
            framework = self.open_framework(manifest, self.remembering)
            rows = toy_rows(manifest, 20, 1)
            worst = -1e30 if manifest.task is Task.REGRESSION else 0.0
            for value in (np.nan, np.inf):
                weights = {path: np.full_like(array, value) for path, array in framework.initial_weights().items()}
                score = framework.evaluate(weights, rows)
                assert (score.accuracy, score.loss) == (worst, 1e30), f"{_name(manifest)}: weights of {value} score {score}"
            large = {path: array * np.float32(1e37) for path, array in framework.initial_weights().items()}
            score = framework.evaluate(large, rows)
            assert np.isfinite(score.loss), f"{_name(manifest)}: a loss of {score.loss}"
            assert 0 <= score.loss <= 1e30, f"{_name(manifest)}: a loss of {score.loss}"
            assert -1e30 <= score.accuracy <= 1, f"{_name(manifest)}: an accuracy of {score.accuracy}"

    def test_predicts(self) -> None:
        """Compare predictions with a float64 reference, and their shape and dtype with the promise."""
        for manifest in _manifests():
            framework = self.open_framework(manifest, self.remembering)
            weights = _random_weights(manifest, 4)
            for count in (1, 33):
                features = toy_rows(manifest, count, 7).features
                found = framework.predict(weights, features)
                expected = reference_probabilities(manifest, reference_outputs(manifest, weights, features))
                assert found.shape == (count, manifest.outputs), f"{_name(manifest)}: predictions {found.shape}"
                assert found.dtype == np.float32, f"{_name(manifest)}: predictions are {found.dtype}"
                assert np.allclose(found, expected, atol=self.tolerance * (1 + np.abs(expected).max())), (
                    f"{_name(manifest)}: other predictions than the reference's"
                )

    def test_refuses_what_does_not_fit(self) -> None:
        """Pass no rows, and weights that are not the manifest's: each is the caller's bug."""
        manifest = toy_manifest()
        framework = self.open_framework(manifest, self.remembering)
        good, rows, none = dict(framework.initial_weights()), toy_rows(manifest, 10, 1), toy_rows(manifest, 0, 1)
        path = next(iter(good))
        wrong: dict[str, Arrays] = {
            "a path too few": {each: array for each, array in good.items() if each != path},
            "a path too many": {**good, "unknown": good[path]},
            "another shape": {**good, path: good[path][:-1]},
            "another dtype": {**good, path: good[path].astype(np.float64)},
        }

        def refused(call: Callable[[], object], what: str) -> None:
            try:
                call()
            except UsageError:
                return
            msg = f"{what} was not refused with a UsageError"
            raise AssertionError(msg)

        refused(lambda: framework.train(good, None, none, epochs=1, batch_size=8, seed=0), "training without rows")
        refused(lambda: framework.evaluate(good, none), "scoring without rows")
        for name, weights in wrong.items():
            refused(_bind(framework, "train", weights, rows), f"training weights with {name}")
            refused(_bind(framework, "evaluate", weights, rows), f"scoring weights with {name}")

    def _train(self, manifest: Manifest) -> Trained:
        return _train(self.open_framework(manifest, self.remembering), manifest)


def _bind(framework: ModelFramework, method: str, weights: Weights, rows: Rows) -> Callable[[], object]:
    if method == "train":
        return lambda: framework.train(weights, None, rows, epochs=1, batch_size=8, seed=0)
    return lambda: framework.evaluate(weights, rows)


def _manifests(**terms: Any) -> Iterator[Manifest]:  # noqa: ANN401 - whatever toy_manifest takes
    for task in Task:
        yield toy_manifest(task, **terms)


def _name(manifest: Manifest) -> str:
    return f"{manifest.task}, {manifest.architecture}"


def _train(framework: ModelFramework, manifest: Manifest, *, rows: Rows | None = None, seed: int = 11) -> Trained:
    rows = rows or toy_rows(manifest, 50, 2)
    return framework.train(framework.initial_weights(), None, rows, epochs=2, batch_size=8, seed=seed)


def _all_arrays(trained: Trained) -> list[NDArray[Any]]:
    return [*trained.weights.values(), *trained.optimiser_state.values()]


def _frozen(arrays: Weights) -> Arrays:
    return {path: array.copy() for path, array in arrays.items()}


def _bytes(trained: Trained) -> bytes:
    return encode_arrays(trained.weights) + encode_arrays(trained.optimiser_state) + f"{trained.steps} {trained.loss!r}".encode()


def _random_weights(manifest: Manifest, seed: int) -> Arrays:
    random = np.random.Generator(np.random.PCG64([seed, 99]))
    return {each.path: random.normal(0.0, 0.7, each.shape).astype(each.dtype) for each in manifest.parameters}


def _direction(weights: Weights, seed: int) -> Arrays:
    random = np.random.Generator(np.random.PCG64([seed, 98]))
    draws = {path: random.normal(size=weights[path].shape) for path in sorted(weights)}
    length = sum(float(np.square(array).sum()) for array in draws.values()) ** 0.5
    return {path: array / length for path, array in draws.items()}


def _loss_at(manifest: Manifest, weights: Weights, direction: Weights, rows: Rows, way: float) -> float:
    moved = {path: weights[path].astype(np.float64) + way * direction[path] for path in weights}
    return reference_score(manifest, moved, rows)[1]
