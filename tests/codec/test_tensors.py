import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from learnae.codec.tensors import CODES, decode_tensors, encode_tensors, first_not_finite
from learnae.errors import UsageError

ARRAYS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(sorted(CODES)).flatmap(
        lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    max_size=4,
)


def read(data: bytes) -> dict[str, Any]:
    return decode_tensors(data, max_header_bytes=100_000)


def raw(header: Any, body: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


def tensor(**change: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | change


@given(ARRAYS)
def test_what_is_written_is_read_bit_for_bit(arrays: dict[str, Any]) -> None:
    data = encode_tensors(arrays)
    found = read(data)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable
    assert encode_tensors(found) == data


@given(ARRAYS)
def test_the_library_reads_it_too_and_finds_every_array_aligned(arrays: dict[str, Any]) -> None:
    data = encode_tensors(arrays)
    assert set(safetensors.numpy.load(data)) == set(arrays)
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    for name, entry in json.loads(data[8 : 8 + length]).items():
        assert entry["data_offsets"][0] % arrays[name].dtype.itemsize == 0


def test_the_bytes_stay_what_they_are() -> None:
    arrays = {
        "b": np.array([[1, 2]], np.float32),
        "a/é\n": np.array(True),
        "c": np.array([3.0]),
        "A": np.zeros((0, 2), np.float32),
    }
    header = (
        '{"c":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"A":{"dtype":"F32","shape":[0,2],"data_offsets":[8,8]},'
        '"b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},"a/é\\n":{"dtype":"BOOL","shape":[],"data_offsets":[16,17]}}'
    )
    assert encode_tensors(arrays) == raw(header.encode(), bytes.fromhex("0000000000000840 0000803f 00000040 01"))


@pytest.mark.parametrize("name", ["float32", "int32", "uint8"])
def test_one_dtype_gives_the_librarys_own_bytes(name: str) -> None:
    arrays = {key: np.arange(6).astype(name).reshape(2, 3) for key in ("dense1/kernel", "dense0/kernel", "dense0/bias")}
    assert encode_tensors(arrays) == safetensors.numpy.save(arrays)


def test_order_layout_and_byte_order_do_not_matter() -> None:
    plain = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(4, dtype=np.float32)}
    other = {"b": np.arange(8, dtype=np.float32)[::2] / 2, "a": np.asfortranarray(plain["a"]).astype(">f4")}
    assert encode_tensors(other) == encode_tensors(plain)


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param({"a": np.zeros(1, np.complex64)}, id="complex"),
        pytest.param({"a": np.array(["x"])}, id="text"),
        pytest.param({"a": np.array([object()])}, id="objects"),
        pytest.param({"__metadata__": np.zeros(1)}, id="reserved name"),
        pytest.param({"\ud800": np.zeros(1)}, id="surrogate"),
    ],
)
def test_what_the_format_cannot_carry_is_the_callers_bug(arrays: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        encode_tensors(arrays)


HOSTILE = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\x08\0\0\0\0\0\0", id="half a length"),
    pytest.param(raw({"a": tensor()}, b"1234", length=2**64 - 1), id="endless header"),
    pytest.param(raw({"a": tensor()}, b"1234", length=90_000), id="header longer than the file"),
    pytest.param(raw(b"{" + b" " * 200_000 + b"}"), id="header of spaces"),
    pytest.param(raw(b"[" * 90_000), id="brackets"),
    pytest.param(raw(b'{"a":' * 15_000), id="nested objects"),
    pytest.param(raw(b"\xff\xff\xff\xff\xff\xff\xff\xff"), id="bad UTF-8"),
    pytest.param(raw({"__metadata__": {"x": "y"}, "a": tensor()}, b"1234"), id="metadata"),
    pytest.param(raw({"__metadata__": {}, "a": tensor()}, b"1234"), id="empty metadata"),
    pytest.param(raw({"a": tensor()}, b"12345"), id="trailing bytes"),
    pytest.param(raw({"a": tensor()}, b"123"), id="missing bytes"),
    pytest.param(raw({"a": tensor(), "b": tensor()}, b"1234"), id="overlap"),
    pytest.param(raw({"a": tensor(data_offsets=[4, 8])}, b"12345678"), id="hole"),
    pytest.param(raw({"a": tensor(data_offsets=[4, 0])}, b"1234"), id="backwards"),
    pytest.param(raw({"a": tensor(data_offsets=[0, 2**64 - 1])}, b"1234"), id="offset out of range"),
    pytest.param(raw({"a": tensor(shape=[2])}, b"1234"), id="shape and size differ"),
    pytest.param(raw({"a": tensor(shape=[2**62, 2**62])}, b"1234"), id="overflow"),
    pytest.param(raw({"a": tensor(shape=[0, 2**63, 2**64 - 1], data_offsets=[0, 0])}), id="axes beyond NumPy"),
    pytest.param(raw({"a": tensor(shape=[0, 2**62, 2**62], data_offsets=[0, 0])}), id="an empty array too big"),
    pytest.param(raw({"a": tensor(shape=[1] * 70)}, b"1234"), id="too many axes"),
    pytest.param(raw({"a": tensor(shape=[-1])}, b"1234"), id="negative axis"),
    pytest.param(raw({"a": tensor(dtype="F8_E4M3", shape=[4])}, b"1234"), id="dtype beyond NumPy"),
    pytest.param(raw({"a": tensor(dtype="X")}, b"1234"), id="unknown dtype"),
    pytest.param(raw({"a": tensor(dtype="BOOL", data_offsets=[0, 1])}, b"\x02"), id="a truth value of 2"),
    pytest.param(raw({"a": tensor(more=1)}, b"1234"), id="unknown key"),
    pytest.param(raw({"a": {"shape": [1], "dtype": "F32", "data_offsets": [0, 4]}}, b"1234"), id="another order of keys"),
    pytest.param(raw({"b": tensor(), "a": tensor(data_offsets=[4, 8])}, b"12345678"), id="another order of names"),
    pytest.param(
        raw(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":' + json.dumps(tensor()).encode() + b"}", b"1234"),
        id="duplicate name",
    ),
    pytest.param(raw(json.dumps({"a": tensor()}).encode(), b"1234"), id="white space"),
    pytest.param(raw(b'{"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"1234"), id="escaped name"),
    pytest.param(
        raw({"a": tensor()} | {}, b"1234").replace(b"}}", b"}}" + b" " * 8).replace(b"\x38", b"\x40", 1), id="more padding"
    ),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(data)


def test_the_hostile_bytes_are_hostile_for_one_reason_each() -> None:
    assert read(raw({"a": tensor()}, b"1234"))["a"].tobytes() == b"1234"


def test_a_long_header_is_refused_before_it_is_parsed() -> None:
    data = raw({"a": tensor()}, b"1234")
    length = int.from_bytes(data[:8], "little")
    assert decode_tensors(data, max_header_bytes=length)
    with pytest.raises(ValueError, match=f"at most {length - 1} are"):
        decode_tensors(data, max_header_bytes=length - 1)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(raw) | st.text(max_size=60).map(lambda text: raw(text.encode())))
@example(raw(b"{}"))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except ValueError:
        return
    assert encode_tensors(found) == data


@given(ARRAYS, st.data())
def test_damaged_bytes_are_canonical_or_refused(arrays: dict[str, Any], data: st.DataObject) -> None:
    changed = bytearray(encode_tensors(arrays))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(changed))
    except ValueError:
        return
    assert encode_tensors(found) == changed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_values_that_are_not_finite_are_found(bad: float, name: str) -> None:
    assert first_not_finite({"a": np.ones(3, name), "b": np.array([1, bad], name)}) == "b"
    assert first_not_finite({"a": np.ones(3, name), "i": np.ones(2, np.int32), "t": np.array([True])}) is None
