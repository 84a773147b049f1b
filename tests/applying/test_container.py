"""A model's file: what every program reads, and what is refused."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from learnae.applying.container import ExportedModel, read_model, write_model
from learnae.codec.manifests import encode_manifest
from learnae.errors import ConfigError, OperatorError
from learnae.values.choices import Task

Trained = Callable[..., ExportedModel]


@pytest.mark.parametrize("task", list(Task))
def test_reads_back_what_was_written(trained: Trained, tmp_path: Path, task: Task) -> None:
    exported = trained(task)
    found = read_model(write_model(tmp_path / "model.safetensors", exported))
    assert found.manifest == exported.manifest
    assert found.maturity == 7
    assert list(found.weights) == [parameter.path for parameter in exported.manifest.parameters]
    for path, array in exported.weights.items():
        np.testing.assert_array_equal(found.weights[path], array)


def test_the_plain_library_reads_it(trained: Trained, tmp_path: Path) -> None:
    exported = trained()
    path = write_model(tmp_path / "model.safetensors", exported)
    found = safetensors.numpy.load_file(path)
    assert found.keys() == exported.weights.keys()
    for name, array in exported.weights.items():
        np.testing.assert_array_equal(found[name], array)
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata()["learnae.manifest"].encode() == encode_manifest(exported.manifest)


def test_equal_models_have_equal_files_and_leave_nothing_beside_them(trained: Trained, tmp_path: Path) -> None:
    first = write_model(tmp_path / "a.safetensors", trained()).read_bytes()
    (tmp_path / "b.safetensors").write_bytes(b"an older file")
    assert write_model(tmp_path / "b.safetensors", trained()).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_a_file_that_the_library_wrote_anew_with_our_metadata_is_read(trained: Trained, tmp_path: Path) -> None:
    exported = trained()
    path = tmp_path / "again.safetensors"
    metadata = {"learnae.manifest": encode_manifest(exported.manifest).decode()}
    safetensors.numpy.save_file(dict(exported.weights), path, metadata)
    assert read_model(path).maturity == 0


def _parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _joined(header: Any, rest: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        header, rest = _parts(data)
        change(header)
        return _joined(header, rest)

    return apply


def _manifest(**changes: Any) -> Callable[[bytes], bytes]:
    def change(header: dict[str, Any]) -> None:
        manifest = json.loads(header["__metadata__"]["learnae.manifest"])
        manifest |= changes
        header["__metadata__"]["learnae.manifest"] = json.dumps(manifest, separators=(",", ":"))

    return _changed(change)


def _not_finite(data: bytes) -> bytes:
    return data[:-4] + struct.pack("<f", float("nan"))


def _twice(data: bytes) -> bytes:
    header, rest = _parts(data)
    text = json.dumps(header).encode()
    return _joined(text[:-1] + b',"dense0/bias":' + json.dumps(header["dense0/bias"]).encode() + b"}", rest)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:5], id="shorter than its length"),
        pytest.param(lambda data: data[:100], id="header cut"),
        pytest.param(lambda data: data[:-1], id="data cut"),
        pytest.param(lambda data: data + b"\0", id="longer"),
        pytest.param(lambda data: struct.pack("<Q", 2**62) + data[8:], id="header of exabytes"),
        pytest.param(lambda data: _joined(b"[" * 100_000, b""), id="tower of brackets"),
        pytest.param(lambda data: _joined(b"\xff\xfe", b""), id="no UTF-8"),
        pytest.param(lambda data: _joined([], b""), id="no object"),
        pytest.param(lambda data: b"\x80\x04\x95" + data, id="a pickle"),
        pytest.param(_twice, id="a key twice"),
        pytest.param(_changed(lambda header: header.pop("__metadata__")), id="no metadata"),
        pytest.param(_changed(lambda header: header.update({"__metadata__": {"learnae.manifest": "{}"}})), id="no manifest"),
        pytest.param(_changed(lambda header: header["__metadata__"].update({"learnae.maturity": "-1"})), id="no maturity"),
        pytest.param(_changed(lambda header: header.pop("dense0/bias")), id="a tensor missing"),
        pytest.param(_changed(lambda header: header["dense0/bias"].update(dtype="I32")), id="another dtype"),
        pytest.param(_changed(lambda header: header["dense0/bias"].update(shape=[2, 4])), id="another shape"),
        pytest.param(_changed(lambda header: header["dense0/bias"].update(data_offsets=[0, 2**50])), id="offsets beyond the end"),
        pytest.param(_manifest(scale=[0.0, 1.0, 1.0, 1.0]), id="a scale of zero"),
        pytest.param(_manifest(protocol=99), id="another protocol"),
        pytest.param(_manifest(code="os:system"), id="a field that there is not"),
        pytest.param(_not_finite, id="a value that is not finite"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(trained: Trained, tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = write_model(tmp_path / "model.safetensors", trained())
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        read_model(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_model(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_model(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no regular file"):
        read_model(tmp_path / "pipe")


def test_where_it_cannot_be_written_nothing_is_left(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be written"):
        write_model(tmp_path / "missing" / "model.safetensors", trained())
    (tmp_path / "folder").mkdir()
    with pytest.raises(OperatorError, match="cannot be written"):
        write_model(tmp_path / "folder", trained())
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
