"""What ``import learnae`` gives, and what it does not drag in."""

import json
import subprocess
import sys

import pytest

import learnae

HEAVY = {"numpy", "jax", "flax", "optax", "msgspec", "pluggy", "typer", "rich", "asyncio", "cryptography", "importlib.metadata"}


def modules_after(code: str) -> set[str]:
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        pytest.param("import learnae", set(), id="import"),
        pytest.param("import learnae; dir(learnae)", set(), id="dir"),
        pytest.param("from learnae import ConfigError, Context, Option, Provider", set(), id="providers"),
        pytest.param("from learnae import hookimpl", {"pluggy", "importlib.metadata"}, id="hookimpl"),
        pytest.param("import learnae; learnae.__version__", {"importlib.metadata"}, id="version"),
        pytest.param(
            "from learnae.plugins import Plugins; Plugins.discover()",
            {"pluggy", "importlib.metadata", "msgspec", "asyncio"},
            id="discovery",
        ),
        pytest.param("from learnae.config.resolve import load_settings; load_settings()", {"msgspec"}, id="settings"),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, allowed: set[str]) -> None:
    # The interpreter itself may load some of them, for instance to honour a .pth file of an editable installation.
    dragged_in = (modules_after(code) - modules_after("")) & HEAVY
    assert dragged_in <= allowed


def test_every_public_name_is_there() -> None:
    for name in learnae.__all__:
        assert getattr(learnae, name) is not None
    assert set(learnae.__all__) <= set(dir(learnae))
    assert len(set(learnae.__all__)) == len(learnae.__all__)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'learnae' has no attribute 'nonsense'"):
        _ = learnae.nonsense  # type: ignore[attr-defined]  # that is the point


def test_the_version_is_that_of_the_distribution() -> None:
    assert learnae.__version__.split(".")[0].isdigit()
