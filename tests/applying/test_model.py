"""The model in Python: rows as they stand in a table, answers as they stand in a table."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from learnae.applying.container import ExportedModel, write_model
from learnae.applying.model import load_model, open_model
from learnae.builtins import jax_framework, numpy_framework
from learnae.errors import ConfigError, ProviderError, UsageError
from learnae.plugins.facade import Plugins
from learnae.testing.rows import toy_rows
from learnae.values.choices import Task
from learnae.values.manifest import Custom

Trained = Callable[..., ExportedModel]
PLUGINS = Plugins.of(numpy_framework, jax_framework)


@pytest.mark.parametrize("task", list(Task))
def test_predicts_what_the_network_says_of_scaled_rows(trained: Trained, task: Task) -> None:
    exported = trained(task)
    manifest = exported.manifest
    rows = toy_rows(manifest, 300, seed=9)
    raw = rows.features * np.array(manifest.scale) + np.array(manifest.centre)
    model = open_model(exported, plugins=PLUGINS)
    predicted = model.predict(raw)
    if task is Task.REGRESSION:
        assert predicted.dtype == np.float32
        assert model.score(raw, rows.targets).accuracy > 0.8
        assert 1 - np.square(predicted - rows.targets).sum() / np.square(rows.targets - rows.targets.mean()).sum() > 0.8
        with pytest.raises(UsageError, match="no classes"):
            model.predict_proba(raw)
        return
    truth = np.array([model.classes[int(index)] for index in rows.targets])
    probabilities = model.predict_proba(raw)
    assert probabilities.shape == (300, len(model.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert [model.classes[index] for index in probabilities.argmax(axis=1)] == predicted.tolist()
    score = model.score(raw, truth)
    assert score.accuracy == pytest.approx((predicted == truth).mean())
    assert score.accuracy > 0.8


def test_takes_classes_as_text_and_as_numbers(trained: Trained) -> None:
    model = open_model(trained(), plugins=PLUGINS)
    raw = np.zeros((3, 4))
    assert model.score(raw, ["0", "1", "1"]) == model.score(raw, [0, 1, 1]) == model.score(raw, np.array([0.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([[1.0, 2.0]], r"\[rows, 4\]", id="too narrow"),
        pytest.param([1.0, 2.0, 3.0, 4.0], r"\[rows, 4\]", id="one row without its brackets"),
        pytest.param([["a", "b", "c", "d"]], "must be numbers", id="text"),
        pytest.param([[1.0, float("nan"), 0.0, 0.0]], "row 0, 'f1'", id="not a number"),
        pytest.param([[1e39, 0.0, 0.0, 0.0]], "row 0, 'f0'", id="too large for float32"),
    ],
)
def test_refuses_rows_that_do_not_fit(trained: Trained, rows: list[object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_model(trained(), plugins=PLUGINS).predict(rows)


def test_refuses_targets_that_do_not_fit(trained: Trained) -> None:
    model = open_model(trained(), plugins=PLUGINS)
    with pytest.raises(UsageError, match="2 rows with 1 targets"):
        model.score(np.zeros((2, 4)), ["0"])
    with pytest.raises(UsageError, match="'maybe' is no class"):
        model.score(np.zeros((1, 4)), ["maybe"])


def test_no_rows_give_no_predictions(trained: Trained) -> None:
    assert open_model(trained(), plugins=PLUGINS).predict(np.zeros((0, 4))).shape == (0,)


def test_frameworks_agree(trained: Trained) -> None:
    exported = trained(Task.MULTICLASS)
    raw = toy_rows(exported.manifest, 50).features
    ours, theirs = (open_model(exported, framework=name, plugins=PLUGINS).predict_proba(raw) for name in ("numpy", "jax"))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_custom_model_needs_code_that_the_caller_names(trained: Trained) -> None:
    exported = trained()
    custom = ExportedModel(msgspec.structs.replace(exported.manifest, architecture=Custom("ours")), exported.weights)
    with pytest.raises(ConfigError, match="code that you must have"):
        open_model(custom, plugins=PLUGINS)
    with pytest.raises(ConfigError, match="numpy has only the built-in model"):
        open_model(custom, model="os:system", framework="numpy", plugins=PLUGINS)


def test_an_unknown_framework_says_which_there_are(trained: Trained) -> None:
    with pytest.raises(ProviderError, match="installed: jax, numpy"):
        open_model(trained(), framework="tensors", plugins=PLUGINS)


def test_three_lines_of_python_without_jax(trained: Trained, tmp_path: Path) -> None:
    exported = trained()
    write_model(tmp_path / "model.safetensors", exported)
    np.save(tmp_path / "rows.npy", toy_rows(exported.manifest, 20).features)
    code = """
import sys
import numpy
rows = numpy.load("rows.npy")
from learnae import load_model
model = load_model("model.safetensors")
print(*model.predict(rows))
assert not {"jax", "flax", "torch"} & set(sys.modules), "heavy imports"
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    here = load_model(tmp_path / "model.safetensors", plugins=PLUGINS).predict(np.load(tmp_path / "rows.npy"))
    assert told.stdout.split() == here.tolist()
