import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec.digests import plain_digest
from learnae.codec.manifests import check_manifest, encode_manifest, read_manifest, session_id, write_manifest
from learnae.errors import ConfigError
from learnae.values.choices import Judge, Task
from learnae.values.manifest import Limits, Manifest, Parameter


def with_(manifest: Manifest, change: dict[str, Any]) -> Manifest:
    return msgspec.structs.replace(manifest, **change)


def test_the_id_is_the_digest_of_the_canonical_bytes(manifest: Manifest) -> None:
    assert session_id(manifest) == plain_digest(encode_manifest(manifest))
    assert session_id(manifest) == "2b3fff597435516a40231e9493443d31405db4bdeb742800547161d94c05f1b3"
    assert session_id(with_(manifest, {"seed": 1})) != session_id(manifest)


def test_a_manifest_survives_its_file(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "session.json"
    write_manifest(path, manifest)
    text = path.read_text()
    assert text.startswith('{\n  "protocol": 1,\n  "name": "test",')
    assert text.endswith("}\n")
    assert read_manifest(path) == manifest


def test_the_same_manifest_may_be_written_again(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(encode_manifest(manifest))
    write_manifest(path, manifest)
    assert path.read_bytes() == encode_manifest(manifest)


def test_another_manifest_is_never_overwritten(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "session.json"
    write_manifest(path, manifest)
    with pytest.raises(ConfigError, match=r"session\.json: another session's manifest"):
        write_manifest(path, with_(manifest, {"seed": 1}))
    path.write_text("not a manifest")
    with pytest.raises(ConfigError, match=r"session\.json: "):
        write_manifest(path, manifest)
    assert path.read_text() == "not a manifest"


def test_a_manifest_that_cannot_be_written_is_said(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_manifest(tmp_path / "no folder" / "session.json", manifest)
    with pytest.raises(ConfigError, match="min_gain"):
        write_manifest(tmp_path / "session.json", with_(manifest, {"judge": Judge.LOSS}))
    assert list(tmp_path.iterdir()) == []


def test_people_may_write_a_manifest_their_own_way(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "session.json"
    members = json.loads(encode_manifest(manifest))
    del members["passes"], members["seed"]
    members["centre"] = [0, 0.50]
    path.write_text(json.dumps(dict(reversed(members.items())), indent="\t"))
    assert read_manifest(path) == manifest


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param(b'"seed":0', b'"seed":"x"', r"`int`.*\$\.seed", id="wrong type"),
        pytest.param(b'"seed":0', b'"seed":-1', r"\$\.seed", id="out of range"),
        pytest.param(b'"seed":0', b'"sede":0', "sede", id="unknown key"),
        pytest.param(b'"seed":0', b'"seed":0,"seed":1', "'seed' is there twice", id="duplicate key"),
        pytest.param(b'"peers":4096', b'"peers":0', r"\$\.limits\.peers", id="nested key"),
        pytest.param(b'"target":"label",', b"", "target", id="missing key"),
        pytest.param(b'"centre":[0.0,0.5]', b'"centre":[NaN,0.5]', "malformed|invalid", id="nan"),
        pytest.param(b'"label"', b'"f0"', "target: 'f0' is among the features", id="contradiction"),
        pytest.param(b'"test"', b'"\xff"', "utf-8", id="bad UTF-8"),
        pytest.param(b'"seed":0', b'"seed":' + b"[" * 200_000, "recursion|depth", id="brackets"),
        pytest.param(b'"seed":0', b'"seed":0' + b" " * 2**25, "more than the 33554432 bytes", id="too long"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, manifest: Manifest, old: bytes, new: bytes, complaint: str) -> None:
    path = tmp_path / "session.json"
    good = encode_manifest(manifest)
    assert good.count(old) >= 1
    path.write_bytes(good.replace(old, new, 1))
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"session\.json: there is no such session"):
        read_manifest(tmp_path / "session.json")


@given(data=st.binary())
def test_any_file_gives_the_one_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        read_manifest(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"task": Task.MULTICLASS}, id="multiclass"),
        pytest.param({"task": Task.MULTICLASS, "classes": ("a", "b", "c")}, id="three classes"),
        pytest.param({"task": Task.REGRESSION, "classes": ()}, id="regression"),
        pytest.param({"judge": Judge.LOSS, "min_gain": 1e-6}, id="loss"),
        pytest.param({"scale": (-1.0, 1e-30)}, id="negative and small scale"),
    ],
)
def test_good_manifests_pass(manifest: Manifest, change: dict[str, Any]) -> None:
    check_manifest(with_(manifest, change))


def parameter(path: str, *shape: int) -> dict[str, Any]:
    return {"parameters": (Parameter(path, shape, "float32"),)}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"protocol": 2}, "protocol is 2; this program speaks 1", id="protocol"),
        pytest.param({"name": "../x"}, r"\$\.name", id="a field's own rule"),
        pytest.param({"target": "\ud800"}, "UTF-8", id="surrogate"),
        pytest.param({"centre": (float("nan"), 0.0)}, r"\$\.centre", id="nan"),
        pytest.param({"features": ("f0", "f0")}, "features: a column is named twice", id="features"),
        pytest.param({"target": "f1"}, "target: 'f1' is among", id="target"),
        pytest.param({"centre": (0.0,)}, "centre has 1 values for 2 features", id="centre"),
        pytest.param({"scale": (1.0,) * 3}, "scale has 3 values for 2 features", id="scale"),
        pytest.param({"scale": (1.0, 0.0)}, "scale of 'f1' is 0.0", id="zero scale"),
        pytest.param({"scale": (-1e-40, 1.0)}, "scale of 'f0'", id="tiny scale"),
        pytest.param({"classes": ("a", "b", "c")}, "3 for a binary task", id="binary"),
        pytest.param({"task": Task.MULTICLASS, "classes": ("a",)}, "1 for a multiclass task", id="multiclass"),
        pytest.param({"task": Task.REGRESSION}, "2 for a regression", id="regression"),
        pytest.param({"classes": ("a", "a")}, "classes: one is named twice", id="double class"),
        pytest.param({"parameters": (Parameter("a", (), "bool"),) * 2}, "a path is named twice", id="paths"),
        pytest.param(parameter("__metadata__"), "cannot be a path", id="reserved path"),
        pytest.param(parameter("a", *[2**31] * 8), "'a' of shape .* exceeds limits.model_bytes", id="huge"),
        pytest.param(parameter("a", 0, *[2**31] * 7), "'a' of shape .* exceeds limits.model_bytes", id="huge and empty"),
        pytest.param({"limits": Limits(model_bytes=100)}, "a model takes", id="model size"),
        pytest.param({"limits": Limits(slice_bytes=100)}, "slice_size: 5 rows take", id="slice size"),
        pytest.param({"judge": Judge.LOSS}, "min_gain is 0", id="min_gain"),
    ],
)
def test_contradictions_are_refused(manifest: Manifest, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check_manifest(with_(manifest, change))


def test_a_folder_for_a_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the manifest cannot be read"):
        read_manifest(tmp_path)
