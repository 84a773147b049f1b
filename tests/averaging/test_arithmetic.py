"""Averages of weights."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from learnae.averaging.arithmetic import average
from learnae.errors import UsageError

FLOAT32 = st.floats(-(2.0**100), 2.0**100, width=32)
SHARE = st.floats(0.0, 1.0)


def _weights(*values: float, dtype: Any = np.float32) -> dict[str, Any]:
    return {"dense0/kernel": np.array(values, dtype=dtype)}


def _pairs(dtype: Any, **options: Any) -> Any:
    shape = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return shape.flatmap(lambda drawn: st.tuples(*[arrays.arrays(dtype, drawn, **options)] * 2))


def test_the_average_of_two_is_half_of_each() -> None:
    assert average(_weights(1, 2), _weights(3, 6), 0.5)["dense0/kernel"].tolist() == [2.0, 4.0]


def test_folding_with_growing_shares_is_the_mean_of_all() -> None:
    made = _weights(0.0, dtype=np.float64)
    for folded, value in enumerate((3.0, 6.0, 9.0)):
        made = average(made, _weights(value, dtype=np.float64), 1.0 / (folded + 2))
    assert made["dense0/kernel"].tolist() == pytest.approx([4.5])


@settings(derandomize=True, deadline=None)
@given(pair=_pairs(np.float32, elements=FLOAT32), share=SHARE)
def test_an_average_lies_between_and_keeps_shape_and_dtype(pair: Any, share: float) -> None:
    own, remote = pair
    before = own.copy(), remote.copy()
    made = average({"w": own}, {"w": remote}, share)["w"]
    assert isinstance(made, np.ndarray)
    assert (made.shape, made.dtype) == (own.shape, own.dtype)
    assert np.isfinite(made).all()
    slack = np.float32(1e-6) * (np.abs(own) + np.abs(remote))
    assert (made >= np.minimum(own, remote) - slack).all()
    assert (made <= np.maximum(own, remote) + slack).all()
    assert not np.shares_memory(made, own)
    assert not np.shares_memory(made, remote)
    assert (np.array_equal(before[0], own), np.array_equal(before[1], remote)) == (True, True), "what came in is untouched"


@settings(derandomize=True, deadline=None)
@given(pair=_pairs(np.float32, elements=FLOAT32))
def test_equal_shares_do_not_depend_on_who_asks(pair: Any) -> None:
    own, remote = pair
    one, other = (average({"w": a}, {"w": b}, 0.5)["w"] for a, b in ((own, remote), (remote, own)))
    assert one.tobytes() == other.tobytes()
    assert np.array_equal(average({"w": own}, {"w": own}, 0.5)["w"], own)


@settings(derandomize=True, deadline=None)
@given(pair=_pairs(np.float32, elements=FLOAT32))
def test_the_whole_share_gives_the_remote_model_bit_for_bit(pair: Any) -> None:
    own, remote = pair
    assert average({"w": own}, {"w": remote}, 1.0)["w"].tobytes() == remote.tobytes()
    assert np.array_equal(average({"w": own}, {"w": remote}, 0.0)["w"], own)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_sums_that_overflow_the_dtype_do_not(dtype: Any) -> None:
    most = np.finfo(dtype).max
    assert average(_weights(most, dtype=dtype), _weights(most, dtype=dtype), 0.5)["dense0/kernel"].tolist() == [most]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint8, np.bool_])
@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.4, 0), (0.5, 0), (0.6, 1), (1.0, 1)])
def test_what_has_no_average_comes_from_the_heavier_model(dtype: Any, share: float, expected: int) -> None:
    made = average(_weights(0, dtype=dtype), _weights(1, dtype=dtype), share)["dense0/kernel"]
    assert (made.dtype, made.tolist()) == (np.dtype(dtype), [expected])


@pytest.mark.parametrize(
    ("remote", "share", "words"),
    [
        pytest.param(_weights(1, 2), -0.1, "remote_weight is -0.1; accepted: 0 to 1", id="negative"),
        pytest.param(_weights(1, 2), 1.1, "remote_weight is 1.1", id="more than all"),
        pytest.param(_weights(1, 2), float("nan"), "remote_weight is nan", id="not a number"),
        pytest.param({}, 0.5, r"\['dense0/kernel'\] are only in one of them", id="other paths"),
        pytest.param(_weights(1, 2, 3), 0.5, r"float32\[2\] and float32\[3\] cannot be averaged", id="other shape"),
        pytest.param(_weights(1, 2, dtype=np.float64), 1.0, "float64", id="other dtype"),
    ],
)
def test_models_that_do_not_fit_are_refused(remote: Any, share: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        average(_weights(1, 2), remote, share)
