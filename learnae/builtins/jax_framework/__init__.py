"""The framework ``jax``: Flax NNX models, all of Optax, compiled by XLA."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnae import hookimpl
from learnae.errors import ProviderError
from learnae.interfaces.provider import Context, Finding, Option, Provider

if TYPE_CHECKING:
    from learnae.interfaces.framework import ModelFramework

INSTALL = "pip install 'learnae[jax]'"


def open_jax(context: Context) -> ModelFramework:
    """Build the framework; this is where JAX, Flax and Optax are imported.

    It sets JAX's persistent compilation cache, which is a setting of the whole process.

    Raises:
        ProviderError: JAX, Flax or Optax is not installed.
        ConfigError: The operator's model, optimiser or schedule cannot be used.
    """
    from learnae.builtins.jax_framework.quiet import hush

    hush()
    try:
        from learnae.builtins.jax_framework.compilation_cache import switch_compilation_cache
        from learnae.builtins.jax_framework.framework import JaxFramework
    except ImportError as error:
        msg = f"the framework jax cannot be opened ({error}); install it with: {INSTALL}, or choose --framework numpy"
        raise ProviderError(msg) from error
    switch_compilation_cache(context.options.get("compilation_cache"))
    return JaxFramework(context.manifest, context.training, model=context.model)


def check_jax(_context: Context) -> Sequence[Finding]:
    """Look whether JAX, Flax and Optax are installed, without importing them."""
    findings: list[Finding] = []
    for module in ("jax", "flax", "optax"):
        ok = importlib.util.find_spec(module) is not None
        text = f"the Python package {module} is {'' if ok else 'not '}installed"
        findings.append(Finding(ok, text, "" if ok else INSTALL))
    return findings


@hookimpl
def learnae_frameworks() -> list[Provider[ModelFramework]]:
    """Offer the framework."""
    cache = Option("compilation_cache", None, "Folder that keeps compiled programs for the next start; 'off' keeps none.")
    summary = "Flax NNX models, also your own, with all of Optax, compiled by XLA."
    return [Provider("jax", summary, open_jax, (cache,), check_jax)]
