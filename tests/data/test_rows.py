from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.data.rows import BadRows, read_features, read_raw, to_rows
from learnae.data.targets import UNKNOWN, ClassIndex
from learnae.errors import ConfigError, DataError
from learnae.values.choices import Task
from learnae.values.manifest import Manifest

Write = Callable[..., Path]
Build = Callable[..., Manifest]


def test_features_are_in_the_manifests_order_and_the_target_is_last(table: Write, manifest_of: Build) -> None:
    path = table("f1,other,label,f0\n1,text,1.0,2\n3,text,0,4\n")
    (raw,) = read_raw(path, manifest_of(), bad_rows=BadRows())
    assert raw.tolist() == [[2, 1, 1], [4, 3, 0]]
    assert raw.dtype == np.float32


def test_chunks_are_as_large_as_asked(table: Write, manifest_of: Build) -> None:
    path = table("label,f0,f1\n" + "".join(f"1,{index},0\n" for index in range(25)))
    chunks = list(read_raw(path, manifest_of(), bad_rows=BadRows(), chunk_rows=10))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert np.concatenate(chunks)[:, 0].tolist() == list(range(25))
    features = list(read_features(path, manifest_of(), bad_rows=BadRows(), chunk_rows=10))
    assert [len(chunk.lines) for chunk in features] == [10, 10, 5]


def test_a_table_without_rows_yields_nothing(table: Write, manifest_of: Build) -> None:
    assert list(read_raw(table("label,f0,f1\n"), manifest_of(), bad_rows=BadRows())) == []


@pytest.mark.parametrize(
    ("classes", "text", "index"),
    [
        pytest.param(("0", "1"), "1", 1, id="text"),
        pytest.param(("0", "1"), "1.0", 1, id="value"),
        pytest.param(("0.0", "1.0"), "1", 1, id="value-of-class"),
        pytest.param(("0.0", "1.0"), "1e0", 1, id="exponent"),
        pytest.param(("1", "1.0"), "1.0", 1, id="text-before-value"),
        pytest.param(("1", "1.0"), "1.00", 0, id="first-of-equal-values"),
        pytest.param(("a", "b"), "b", 1, id="word"),
        pytest.param(("a", "b"), "B", UNKNOWN, id="case"),
        pytest.param(("0", "1"), "2", UNKNOWN, id="number"),
        pytest.param(("0", "1"), "nan", UNKNOWN, id="nan"),
    ],
)
def test_classes_match_as_text_and_as_number(classes: tuple[str, ...], text: str, index: float) -> None:
    index_of = ClassIndex(classes)
    assert [index_of(text), index_of(text)] == [index, index]


def test_an_unknown_class_is_a_bad_row(table: Write, manifest_of: Build) -> None:
    path = table("label,f0,f1\n0,1,2\n7,1,2\n1,3,4\n")
    with pytest.raises(DataError, match=r"rows\.csv:3: column 'label': '7' is no class of this session, which has: 0, 1; --skip"):
        list(read_raw(path, manifest_of(), bad_rows=BadRows()))
    lenient = BadRows(skip=True)
    (raw,) = read_raw(path, manifest_of(), bad_rows=lenient)
    assert raw.tolist() == [[1, 2, 0], [3, 4, 1]]
    assert lenient.skipped == 1


def test_the_first_bad_row_is_the_one_reported(table: Write, manifest_of: Build) -> None:
    path = table("label,f0,f1\n9,1,2\n0,x,2\n")
    with pytest.raises(DataError, match=":2: column 'label'"):
        list(read_raw(path, manifest_of(), bad_rows=BadRows()))
    path = table("label,f0,f1\n0,1,2\n0,x,2\n9,1,2\n")
    with pytest.raises(DataError, match=":3: column 'f0': 'x' is not a finite number"):
        list(read_raw(path, manifest_of(), bad_rows=BadRows()))


def test_a_regression_target_is_a_value(table: Write, manifest_of: Build) -> None:
    manifest = manifest_of(task=Task.REGRESSION, classes=())
    (raw,) = read_raw(table("label,f0,f1\n-2.5,1,2\n"), manifest, bad_rows=BadRows())
    assert raw.tolist() == [[1, 2, -2.5]]
    with pytest.raises(DataError, match=":2: column 'label': 'nan' is not a finite number"):
        list(read_raw(table("label,f0,f1\nnan,1,2\n"), manifest, bad_rows=BadRows()))


@given(cells=st.lists(st.sampled_from(["1", "-2.5", "x", "", "nan", "1_0", "1,2"]), max_size=40))
def test_every_row_is_used_or_counted(tmp_path_factory: pytest.TempPathFactory, manifest_of: Build, cells: list[str]) -> None:
    path = tmp_path_factory.mktemp("skip") / "rows.csv"
    path.write_text("label,f0,f1\n" + "".join(f"0,5,{cell}\n" for cell in cells))
    lenient = BadRows(skip=True)
    read = sum(len(raw) for raw in read_raw(path, manifest_of(), bad_rows=lenient, chunk_rows=7))
    assert read == sum(cell in {"1", "-2.5"} for cell in cells)
    assert read + lenient.skipped == len(cells)
    assert (lenient.first is None) == (lenient.skipped == 0)


def test_prediction_needs_no_target(table: Write, manifest_of: Build) -> None:
    path = table("f1,f0\n1,2\nx,1\n3,4\n")
    lenient = BadRows(skip=True)
    (rows,) = read_features(path, manifest_of(), bad_rows=lenient)
    assert rows.features.tolist() == [[2, 1], [4, 3]]
    assert rows.lines.tolist() == [2, 4]
    with pytest.raises(ConfigError, match="no column 'label'"):
        list(read_raw(path, manifest_of(), bad_rows=lenient))


def test_scaling_is_the_manifests(manifest_of: Build) -> None:
    manifest = manifest_of(centre=(1.0, -1.0), scale=(2.0, 1e-30))
    rows = to_rows(np.array([[5, -1, 1], [1, 3e38, 0]], dtype=np.float32), manifest)
    assert rows.features.dtype == rows.targets.dtype == np.float32
    assert rows.features[0].tolist() == [2.0, 0.0]
    assert rows.features[1, 1] == np.finfo(np.float32).max
    assert rows.targets.tolist() == [1, 0]
    assert len(rows) == 2
