from typing import Any

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec.weights import decode_arrays, decode_weights, encode_arrays, encode_weights, weights_size
from learnae.errors import BadContentError, DamagedError
from learnae.values.manifest import Manifest, Parameter


def example(manifest: Manifest, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {each.path: (random.normal(size=each.shape) * 3).astype(each.dtype) for each in manifest.parameters}


def test_weights_survive(manifest: Manifest) -> None:
    weights = example(manifest)
    data = encode_weights(weights)
    assert len(data) == weights_size(manifest)
    found = decode_weights(data, manifest)
    assert list(found) == [each.path for each in manifest.parameters]
    for each in manifest.parameters:
        assert found[each.path].dtype.name == each.dtype
        assert found[each.path].shape == each.shape
        assert found[each.path].tobytes() == weights[each.path].tobytes()
        found[each.path][...] = 0
    assert encode_weights(decode_weights(data, manifest)) == data
    assert encode_weights(dict(reversed(weights.items()))) == data


def test_every_size_is_the_same(manifest: Manifest) -> None:
    assert {len(encode_weights(example(manifest, seed))) for seed in range(5)} == {weights_size(manifest)}


def changed(weights: dict[str, Any], **change: Any) -> dict[str, Any]:
    return {path: array for path, array in (weights | change).items() if array is not None}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"dense0/bias": None}, "bytes, where", id="missing"),
        pytest.param({"more": np.zeros(1, np.float32)}, "bytes, where", id="one more"),
        pytest.param({"dense0/bias": None, "dense0/bia2": np.zeros(3, np.float32)}, "names, shapes", id="another name"),
        pytest.param({"dense0/kernel": np.zeros((3, 2), np.float32)}, "names, shapes", id="another shape"),
        pytest.param({"dense0/kernel": np.zeros((2, 3), np.int32)}, "bytes, where|names, shapes", id="another dtype"),
        pytest.param({"dense0/kernel": np.zeros(6, np.float32)}, "bytes, where|names, shapes", id="another rank"),
        pytest.param({"dense0/bias": np.array([0, np.nan, 0], np.float32)}, "'dense0/bias'.*not finite", id="nan"),
        pytest.param({"batch/half": np.array([[0], [np.inf]], np.float16)}, "'batch/half'.*not finite", id="infinity"),
        pytest.param({"batch/wide": np.array([-np.inf])}, "'batch/wide'.*not finite", id="double"),
        pytest.param({"batch/mask": np.array([0, 1, 2], np.uint8).view(bool)}, "neither 0 nor 1", id="truth value"),
    ],
)
def test_wrong_weights_are_refused(manifest: Manifest, change: dict[str, Any], complaint: str) -> None:
    data = encode_weights(changed(example(manifest), **change))
    with pytest.raises(BadContentError, match=complaint):
        decode_weights(data, manifest)


def test_other_spellings_are_refused(manifest: Manifest) -> None:
    weights = {path: np.asarray(array) for path, array in example(manifest).items()}
    # The library sorts by its own order of dtypes.
    with pytest.raises(BadContentError, match="order"):
        decode_weights(safetensors.numpy.save(weights), manifest)
    with pytest.raises(BadContentError):
        decode_weights(safetensors.numpy.save(weights, metadata={"note": "hello"}), manifest)
    with pytest.raises(BadContentError):
        decode_weights(encode_weights(weights) + b"\0", manifest)
    with pytest.raises(BadContentError):
        decode_weights(encode_weights(weights)[:-1], manifest)


def test_a_model_of_nothing_is_possible(manifest: Manifest) -> None:
    small = msgspec.structs.replace(manifest, parameters=(Parameter("a", (0,), "float32"),))
    assert decode_weights(encode_weights(example(small)), small)["a"].shape == (0,)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(manifest: Manifest, data: bytes) -> None:
    with pytest.raises(BadContentError):
        decode_weights(data, manifest)
    with pytest.raises(BadContentError):
        decode_weights(data.ljust(weights_size(manifest), b"\0"), manifest)


@given(st.data())
def test_damaged_bytes_are_weights_or_refused(manifest: Manifest, data: st.DataObject) -> None:
    bad = bytearray(encode_weights(example(manifest)))
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_weights(bytes(bad), manifest)
    except BadContentError:
        return
    assert encode_weights(found) == bad


def test_own_arrays_survive_even_if_not_finite() -> None:
    arrays = {"mu/dense0": np.array([np.nan, np.inf]), "count": np.array(3, np.int32), "key": np.ones(2, np.uint32)}
    found = decode_arrays(encode_arrays(arrays))
    assert set(found) == set(arrays)
    assert all(found[name].tobytes() == arrays[name].tobytes() for name in arrays)
    assert decode_arrays(encode_arrays({})) == {}


@given(st.binary(max_size=100))
def test_any_stored_bytes_are_arrays_or_damaged(data: bytes) -> None:
    try:
        found = decode_arrays(data)
    except DamagedError:
        return
    assert encode_arrays(found) == data
