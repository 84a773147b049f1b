"""Models that an operator names as ``module:function``."""

import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.errors import ConfigError, UsageError
from learnae.testing.rows import toy_manifest, toy_rows
from learnae.values.choices import Task
from learnae.values.manifest import Custom, Manifest, Parameter

pytestmark = pytest.mark.usefixtures("compiled_once", "models")

SOURCE = '''
"""Models of an operator."""
import jax.numpy as jnp
from flax import nnx

class Net(nnx.Module):
    def __init__(self, features, outputs, rngs, rate=0.5):
        self.first = nnx.Linear(features, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)
        self.layers = nnx.List([nnx.Linear(8, 8, rngs=rngs), nnx.Linear(8, outputs, rngs=rngs)])

    def __call__(self, x):
        x = self.drop(nnx.relu(self.norm(self.first(x))))
        return self.layers[1](nnx.relu(self.layers[0](x)))

class Flat(nnx.Module):
    def __init__(self, features, rngs):
        self.only = nnx.Linear(features, 1, rngs=rngs)

    def __call__(self, x):
        return self.only(x)[:, 0]

class Half(nnx.Module):
    def __init__(self, features, rngs):
        self.only = nnx.Linear(features, 1, rngs=rngs, param_dtype=jnp.bfloat16)

    def __call__(self, x):
        return self.only(x)

class Clash(nnx.Module):
    def __init__(self, features, rngs):
        self.a = nnx.Dict({"b/c": nnx.Param(jnp.zeros(3)), "b": nnx.Dict(c=nnx.Param(jnp.zeros(3)))})

    def __call__(self, x):
        return x[:, :1]

def net(manifest):
    return Net(len(manifest.features), manifest.outputs, nnx.Rngs(manifest.seed))

def still(manifest):
    return Net(len(manifest.features), manifest.outputs, nnx.Rngs(manifest.seed), rate=0.0)

def wider(manifest):
    return Net(len(manifest.features) + 1, manifest.outputs, nnx.Rngs(manifest.seed))

def flat(manifest):
    return Flat(len(manifest.features), nnx.Rngs(manifest.seed))

def half(manifest):
    return Half(len(manifest.features), nnx.Rngs(manifest.seed))

def clash(manifest):
    return Clash(len(manifest.features), nnx.Rngs(manifest.seed))

def fails(manifest):
    raise RuntimeError("no model today")

def number(manifest):
    return 3

constant = 5
'''


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Put the operator's module into the current folder, and take it out of Python's memory afterwards."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "operators_models.py").write_text(SOURCE)
    (folder / "operators_broken.py").write_text("import a_module_that_nobody_has\n")
    (folder / "named_in_a_manifest.py").write_text("raise SystemExit('imported because a manifest says so')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
    sys.modules.pop("operators_models", None)


def custom(task: Task = Task.BINARY, label: str = "net") -> Manifest:
    """Write a draft: what the parameters are is not known yet."""
    return msgspec.structs.replace(toy_manifest(task), architecture=Custom(label), parameters=())


def agreed(name: str, task: Task = Task.BINARY) -> Manifest:
    """Complete a draft, as the one who begins a session does."""
    draft = custom(task)
    weights = JaxFramework(draft, {}, model=f"operators_models:{name}").initial_weights()
    return msgspec.structs.replace(
        draft, parameters=tuple(Parameter(path, array.shape, array.dtype.name) for path, array in weights.items())
    )


def test_weights_hold_all_state_but_randomness() -> None:
    manifest = agreed("net")
    assert {each.path: each.shape for each in manifest.parameters} == {
        "first/bias": (8,),
        "first/kernel": (4, 8),
        "layers/0/bias": (8,),
        "layers/0/kernel": (8, 8),
        "layers/1/bias": (1,),
        "layers/1/kernel": (8, 1),
        "norm/bias": (8,),
        "norm/mean": (8,),
        "norm/scale": (8,),
        "norm/var": (8,),
    }


@pytest.mark.parametrize("task", list(Task))
def test_an_own_model_learns(task: Task) -> None:
    manifest = agreed("still", task)
    framework = JaxFramework(manifest, {"learning_rate": 0.01}, model="operators_models:still")
    start, unseen = framework.initial_weights(), toy_rows(manifest, 300, 2)
    trained = framework.train(start, None, toy_rows(manifest, 405, 1), epochs=20, batch_size=32, seed=5)
    assert framework.evaluate(trained.weights, unseen).accuracy > 0.85
    assert np.abs(trained.weights["norm/mean"] - start["norm/mean"]).max() > 0.01, "batch statistics did not move"
    assert framework.predict(trained.weights, unseen.features).shape == (300, manifest.outputs)
    # What a batch of rows does to one another in training must not happen in evaluation.
    alone = np.concatenate([framework.predict(trained.weights, unseen.features[[row]]) for row in range(3)])
    np.testing.assert_allclose(alone, framework.predict(trained.weights, unseen.features)[:3], atol=1e-6)


def test_dropout_follows_the_seed_in_training_and_is_off_in_evaluation() -> None:
    manifest = agreed("net")
    rows = toy_rows(manifest, 20, 1)

    def train(seed: int) -> tuple[dict[str, Any], float]:
        framework = JaxFramework(manifest, {"optimiser": "sgd", "learning_rate": 0.1}, model="operators_models:net")
        # All rows in one batch: what differs between seeds is dropout alone.
        trained = framework.train(framework.initial_weights(), None, rows, epochs=3, batch_size=20, seed=seed)
        again = [framework.evaluate(trained.weights, rows) for _ in range(2)]
        assert again[0] == again[1]
        return dict(trained.weights), trained.loss

    first, same, other = train(1), train(1), train(2**63 - 1)
    assert all(np.array_equal(first[0][path], same[0][path]) for path in first[0])
    assert first[1] == same[1]
    assert any(np.abs(first[0][path] - other[0][path]).max() > 1e-3 for path in first[0])


def test_each_step_drops_other_units() -> None:
    manifest = agreed("net")
    one = toy_rows(manifest, 1, 1)
    framework = JaxFramework(manifest, {"optimiser": "sgd", "learning_rate": 1e-6}, model="operators_models:net")
    losses = {
        framework.train(framework.initial_weights(), None, one, epochs=epochs, batch_size=1, seed=1).loss
        for epochs in (1, 2, 3, 4)
    }
    assert len(losses) > 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param("operators_models", "module:function", id="no function"),
        pytest.param("operators_models:", "module:function", id="empty function"),
        pytest.param("operators_models:a b", "module:function", id="no identifier"),
        pytest.param("operators_models:missing", "has no function missing", id="unknown function"),
        pytest.param("operators_models:constant", "has no function constant", id="not callable"),
        pytest.param("operators_moddels:net", "cannot be imported: ModuleNotFoundError", id="unknown module"),
        pytest.param("operators_broken:net", "a_module_that_nobody_has", id="module that fails"),
        pytest.param("..:net", "cannot be imported", id="dots"),
        pytest.param("operators_models:fails", "RuntimeError: no model today", id="function that fails"),
        pytest.param("operators_models:number", "returned int; accepted: a flax.nnx.Module", id="no module"),
        pytest.param("operators_models:wider", "cannot be run on [batch, 4] features", id="other inputs"),
        pytest.param("operators_models:flat", "returns (2,) for 2 rows; accepted: (2, 1)", id="other outputs"),
        pytest.param("operators_models:half", "bfloat16", id="dtype that cannot travel"),
        pytest.param("operators_models:clash", "two arrays with the path 'a/b/c'", id="two of one path"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_in_a_sentence(model: str, said: str) -> None:
    path = list(sys.path)
    with pytest.raises(ConfigError) as caught:
        JaxFramework(custom(), {}, model=model)
    assert said in str(caught.value)
    assert model in str(caught.value) or "the model" in str(caught.value)
    assert sys.path == path, "the current folder stayed on the path"


def test_a_model_must_be_the_one_agreed_on() -> None:
    manifest = agreed("net", Task.BINARY)
    other = msgspec.structs.replace(manifest, parameters=manifest.parameters[1:])
    with pytest.raises(ConfigError, match=r"'first/bias' is .* the session's is missing"):
        JaxFramework(other, {}, model="operators_models:net")


def test_no_manifest_makes_anyone_import() -> None:
    for label in ("named_in_a_manifest:net", "operators_models:net"):
        with pytest.raises(ConfigError, match=r"set training\.model"):
            JaxFramework(custom(label=label), {})
    assert "named_in_a_manifest" not in sys.modules


def test_a_built_in_model_needs_no_name() -> None:
    for framework in (JaxFramework, NumpyFramework):
        with pytest.raises(ConfigError, match="remove the setting"):
            framework(toy_manifest(), {}, model="operators_models:net")


def test_numpy_has_only_the_built_in_model() -> None:
    with pytest.raises(ConfigError, match=r"training\.framework = 'jax'"):
        NumpyFramework(custom(), {}, model="operators_models:net")


def test_weights_of_an_own_model_must_be_complete() -> None:
    manifest = agreed("net")
    framework = JaxFramework(manifest, {}, model="operators_models:net")
    weights = dict(framework.initial_weights())
    del weights["norm/var"]
    with pytest.raises(UsageError, match="norm/var"):
        framework.evaluate(weights, toy_rows(manifest, 5, 1))
