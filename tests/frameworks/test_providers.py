"""The frameworks as plugins."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from learnae.builtins import jax_framework, numpy_framework
from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.builtins.numpy_framework.framework import NumpyFramework
from learnae.interfaces.provider import Context
from learnae.testing.rows import toy_manifest


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        pytest.param(numpy_framework, "numpy", NumpyFramework, id="numpy"),
        pytest.param(jax_framework, "jax", JaxFramework, id="jax"),
    ],
)
def test_each_offers_one_provider(make_context: Callable[..., Context], module: object, name: str, kind: type) -> None:
    (provider,) = module.learnae_frameworks()
    assert provider.name == name
    assert isinstance(provider.open(make_context(toy_manifest())), kind)


def test_registering_imports_nothing_heavy() -> None:
    run(
        "import learnae.builtins.numpy_framework as ours, learnae.builtins.jax_framework as theirs",
        "import sys",
        "[each.learnae_frameworks() for each in (ours, theirs)]",
        "heavy = {'numpy', 'jax', 'flax', 'optax'} & set(sys.modules)",
        "assert not heavy, heavy",
    )


def test_without_jax_it_says_what_to_type_and_numpy_works() -> None:
    run(
        "import sys",
        "sys.modules['jax'] = None",
        "from pathlib import Path",
        "from learnae.builtins import jax_framework, numpy_framework",
        "from learnae.errors import ProviderError",
        "from learnae.interfaces.provider import Context",
        "from learnae.testing.rows import toy_manifest",
        "context = Context(toy_manifest(), '0' * 64, '0' * 64, '0' * 64, '0' * 64, Path())",
        "numpy_framework.open_numpy(context).initial_weights()",
        "try:",
        "    jax_framework.open_jax(context)",
        "except ProviderError as error:",
        "    assert \"pip install 'learnae[jax]'\" in str(error), error",
        "else:",
        "    raise AssertionError('opened without JAX')",
        "assert 'flax' not in sys.modules",
    )


def run(*lines: str) -> None:
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
