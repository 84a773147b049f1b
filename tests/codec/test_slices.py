from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from learnae.codec.slices import decode_slice, encode_slice, largest_slice
from learnae.codec.tensors import encode_tensors
from learnae.errors import BadContentError, UsageError
from learnae.values.choices import Task
from learnae.values.manifest import Manifest

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def rows(*targets: float) -> Any:
    found = np.arange(3 * len(targets), dtype=np.float32).reshape(-1, 3)
    found[:, 2] = targets
    return found


@given(st.data(), st.integers(1, 5))
def test_slices_survive(manifest: Manifest, data: st.DataObject, count: int) -> None:
    raw = data.draw(hnp.arrays(np.float32, (count, 3), elements=FLOATS))
    raw[:, 2] = data.draw(hnp.arrays(np.float32, count, elements=st.sampled_from([0.0, 1.0])))
    encoded = encode_slice(raw)
    found = decode_slice(encoded, manifest)
    assert found.dtype == np.float32
    assert found.tobytes() == raw.tobytes()
    assert found.flags.writeable
    assert len(encoded) <= largest_slice(manifest)


def test_a_full_slice_is_the_largest(manifest: Manifest) -> None:
    assert len(encode_slice(rows(*[0.0] * 5))) == largest_slice(manifest)


@pytest.mark.parametrize(
    ("task", "classes", "good", "bad"),
    [
        pytest.param(Task.BINARY, 2, [0, 1], [2, -1, 0.5], id="binary"),
        pytest.param(Task.MULTICLASS, 4, [0, 1, 2, 3], [4, -1, 2.5, 1e30], id="multiclass"),
        pytest.param(Task.REGRESSION, 0, [-7.5, 0, 1e30], [], id="regression"),
    ],
)
def test_targets_fit_the_task(manifest: Manifest, task: Task, classes: int, good: list[float], bad: list[float]) -> None:
    terms = msgspec.structs.replace(manifest, task=task, classes=tuple(map(str, range(classes))))
    assert decode_slice(encode_slice(rows(*good)), terms)[:, 2].tolist() == np.float32(good).tolist()
    for target in bad:
        with pytest.raises(BadContentError, match="not the index of one"):
            decode_slice(encode_slice(rows(0, target)), terms)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        pytest.param({"rows": np.zeros((0, 3), np.float32)}, "not float32", id="no rows"),
        pytest.param({"rows": np.zeros((2, 4), np.float32)}, r"float32 \[2, 4\], not float32 \[1 to 5, 3\]", id="columns"),
        pytest.param({"rows": np.zeros(6, np.float32)}, "not float32", id="rank"),
        pytest.param({"rows": np.zeros((2, 3), np.float64)}, "not float32", id="dtype"),
        pytest.param({"rows": np.zeros((2, 3), np.int32)}, "not float32", id="integers"),
        pytest.param({"rows": np.zeros((10, 3), np.float16)}, "not float32", id="rows beyond the slice size"),
        pytest.param({"rows": np.zeros((6, 3), np.float32)}, "bytes where at most", id="too many rows"),
        pytest.param({"row": np.zeros((2, 3), np.float32)}, "its tensors are", id="name"),
        pytest.param({}, "its tensors are", id="nothing"),
        pytest.param({"rows": np.full((2, 3), np.nan, np.float32)}, "not finite", id="nan"),
        pytest.param({"rows": np.full((2, 3), np.inf, np.float32)}, "not finite", id="infinity"),
    ],
)
def test_wrong_slices_are_refused(manifest: Manifest, arrays: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadContentError, match=complaint):
        decode_slice(encode_tensors(arrays), manifest)


def test_the_file_may_not_be_larger_than_a_full_slice(manifest: Manifest) -> None:
    with pytest.raises(BadContentError, match="at most"):
        decode_slice(encode_slice(rows(*[0.0] * 5)) + b"\0", manifest)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(np.zeros((1, 3)), id="dtype"),
        pytest.param(np.zeros(3, np.float32), id="rank"),
        pytest.param(np.zeros((0, 3), np.float32), id="no rows"),
        pytest.param(np.full((1, 3), np.nan, np.float32), id="nan"),
    ],
)
def test_wrong_rows_are_the_callers_bug(raw: Any) -> None:
    with pytest.raises(UsageError, match="a dataslice"):
        encode_slice(raw)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(manifest: Manifest, data: bytes) -> None:
    with pytest.raises(BadContentError):
        decode_slice(data, manifest)


@given(st.data())
def test_damaged_bytes_are_a_slice_or_refused(manifest: Manifest, data: st.DataObject) -> None:
    bad = bytearray(encode_slice(rows(0, 1, 1)))
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_slice(bytes(bad), manifest)
    except BadContentError:
        return
    assert encode_slice(found) == bad
