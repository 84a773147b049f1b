from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learnae.data.assignment import is_validation, row_keys, rows_digest
from learnae.values.manifest import Manifest

Build = Callable[..., Manifest]


def some_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)


@given(seed=st.integers(0, 2**53 - 1), count=st.integers(0, 50), order=st.randoms(use_true_random=False))
def test_order_and_growth_change_nothing(manifest_of: Build, seed: int, count: int, order: object) -> None:
    raw = some_rows(60)
    manifest = manifest_of(seed=seed)
    sides = is_validation(raw, manifest)
    permutation = list(range(60))
    order.shuffle(permutation)  # type: ignore[attr-defined]
    assert is_validation(raw[permutation], manifest).tolist() == sides[permutation].tolist()
    assert is_validation(raw[:count], manifest).tolist() == sides[:count].tolist()


def test_equal_rows_are_on_one_side(manifest_of: Build) -> None:
    raw = np.repeat(some_rows(50), 4, axis=0)
    raw[:, 0] = 0.0
    raw[::2, 0] = -0.0
    sides = is_validation(raw, manifest_of()).reshape(50, 4)
    assert (sides == sides[:, :1]).all()
    assert 0 < sides[:, 0].sum() < 50


def test_the_share_is_about_as_stated_and_the_seed_matters(manifest_of: Build) -> None:
    raw = some_rows(20_000)
    for share in (0.05, 0.2, 0.9):
        assert abs(is_validation(raw, manifest_of(validation_share=share)).mean() - share) < 0.012
    first, second = is_validation(raw, manifest_of(seed=1)), is_validation(raw, manifest_of(seed=2))
    assert abs((first & second).mean() - 0.04) < 0.012


def test_keys_are_fixed_for_ever() -> None:
    keys = row_keys(np.array([[1.0, 2.0, -0.0]], dtype=np.float32), seed=5)
    assert keys.dtype == np.uint64
    assert [f"{key:016x}" for key in keys[0]] == ["8a09a4da6a345e2c", "bef619ce9a651d15", "aad4daa89614ebc7"]


def test_the_digest_is_of_a_set_with_repetitions() -> None:
    raw = some_rows(20)
    assert rows_digest(raw) == rows_digest(raw[::-1])
    assert len(rows_digest(raw)) == 64
    assert rows_digest(raw) != rows_digest(raw[1:])
    assert rows_digest(raw) != rows_digest(np.concatenate([raw, raw[:1]]))
    assert rows_digest(raw) != rows_digest(raw.reshape(-1, 1))
    assert rows_digest(np.array([[-0.0]], np.float32)) == rows_digest(np.array([[0.0]], np.float32))
