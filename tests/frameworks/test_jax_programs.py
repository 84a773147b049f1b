"""What JAX compiles, keeps and prints."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.builtins.jax_framework import check_jax, open_jax
from learnae.builtins.jax_framework.buckets import bucket
from learnae.builtins.jax_framework.framework import JaxFramework
from learnae.errors import ConfigError
from learnae.interfaces.provider import Context
from learnae.testing.rows import toy_manifest, toy_rows

PEER = """
import sys
from collections.abc import Callable
from pathlib import Path
from learnae.builtins.jax_framework import open_jax
from learnae.interfaces.provider import Context
from learnae.testing.rows import toy_manifest, toy_rows

manifest = toy_manifest()
cache = sys.argv[1] if len(sys.argv) > 1 else None
context = Context(manifest, "0" * 64, "0" * 64, "0" * 64, "0" * 64, Path(), {"compilation_cache": cache})
framework = open_jax(context)
rows = toy_rows(manifest, 40, 1)
trained = framework.train(framework.initial_weights(), None, rows, epochs=2, batch_size=8, seed=1)
print(framework.evaluate(trained.weights, rows))
"""


@given(st.integers(1, 10**9))
def test_buckets_waste_at_most_a_quarter(size: int) -> None:
    assert size <= bucket(size) <= max(16, size * 5 // 4 + 1)
    assert bucket(bucket(size)) == bucket(size)


def test_buckets_are_few() -> None:
    sizes = sorted({bucket(size) for size in range(1, 1025)})
    assert sizes[:10] == [16, 20, 24, 28, 32, 40, 48, 56, 64, 80]
    assert len(sizes) == 25


def test_slices_of_similar_sizes_share_a_program(caplog: pytest.LogCaptureFixture) -> None:
    manifest = toy_manifest()
    framework = JaxFramework(manifest, {})
    weights = framework.initial_weights()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for count in (57, 60, 64):
            framework.train(weights, None, toy_rows(manifest, count, 1), epochs=2, batch_size=8, seed=1)
            framework.evaluate(weights, toy_rows(manifest, count, 1))
    compiled = [record.getMessage() for record in caplog.records if "Finished XLA compilation" in record.getMessage()]
    assert sum("jit(epoch)" in message for message in compiled) == 1
    assert sum("jit(outputs)" in message for message in compiled) == 1


def test_the_size_of_the_padding_does_not_show() -> None:
    """Train on all of 33 rows in one batch, which has 33 rows, or 40 of which 7 are padding."""
    manifest = toy_manifest()
    framework = JaxFramework(manifest, {"optimiser": "sgd", "learning_rate": 0.1})
    start = framework.initial_weights()
    rows = toy_rows(manifest, 33, 1)
    exact = framework.train(start, None, rows, epochs=1, batch_size=33, seed=1)
    padded = framework.train(start, None, rows, epochs=1, batch_size=40, seed=1)
    for path in start:
        np.testing.assert_allclose(exact.weights[path], padded.weights[path], atol=1e-6)
    assert exact.loss == pytest.approx(padded.loss, rel=1e-6)


def test_more_rows_than_are_scored_at_once() -> None:
    manifest = toy_manifest()
    framework = JaxFramework(manifest, {})
    rows = toy_rows(manifest, 8200, 1)
    found = framework.predict(framework.initial_weights(), rows.features)
    np.testing.assert_allclose(found[8190:], framework.predict(framework.initial_weights(), rows.features[8190:]), atol=1e-6)
    assert framework.predict(framework.initial_weights(), rows.features[:0]).shape == (0, 1)


def test_programs_outlive_the_process_and_nothing_is_said(tmp_path: Path) -> None:
    cache, home = tmp_path / "cache", tmp_path / "home"
    first = run_peer(home, str(cache))
    kept = sorted(path.name for path in cache.iterdir())
    assert any(name.startswith("jit_epoch") for name in kept)
    # A process that was killed while it wrote leaves a cut file: the next must neither fail nor talk.
    victim = next(path for path in cache.iterdir() if path.name.startswith("jit_outputs"))
    victim.write_bytes(victim.read_bytes()[:100])
    second = run_peer(home, str(cache))
    assert second == first
    assert sorted(path.name for path in cache.iterdir()) == kept
    assert not home.exists()


def test_the_cache_is_the_users_by_default_and_can_be_off(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_peer(home, "off")
    assert not home.exists()
    run_peer(home)
    assert any(path.name.startswith("jit_epoch") for path in home.rglob("learnae/**/*-cache"))


def run_peer(home: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_", "TF_", "XDG_"))}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", PEER, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_a_cache_that_is_no_folder_is_refused(make_context: Callable[..., Context]) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.jax\.compilation_cache = 3"):
        open_jax(make_context(toy_manifest(), options={"compilation_cache": 3}))


def test_check_finds_what_is_installed(make_context: Callable[..., Context]) -> None:
    findings = check_jax(make_context(toy_manifest()))
    assert [finding.ok for finding in findings] == [True, True, True]
