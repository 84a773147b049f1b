import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from learnae.data.tables import columns_of, read_table
from learnae.errors import ConfigError, DataError


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_numbers_of_every_kind_and_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.bin",  # known by what it holds, not by its name
        label=["x", "y"],
        f0=[1, 2],
        f1=pa.array([0.5, -0.0], pa.float32()),
        f2=[True, False],
        f3=[Decimal("1.5"), Decimal("2.5")],
    )
    assert columns_of(path) == ("label", "f0", "f1", "f2", "f3")
    (chunk,) = read_table(path, ["f3", "f2", "f1", "f0"], "label")
    assert chunk.numbers.tolist() == [[1.5, 1.0, 0.5, 1.0], [2.5, 0.0, 0.0, 2.0]]
    assert not np.signbit(chunk.numbers).any()
    assert chunk.texts == ["x", "y"]
    assert chunk.lines.tolist() == [1, 2]


def test_a_column_can_be_text_and_number_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", label=[0, 1])
    (chunk,) = read_table(path, ["label"], "label")
    assert (chunk.numbers.tolist(), chunk.texts) == ([[0.0], [1.0]], ["0", "1"])


def test_faults_name_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", label=["a", None, "c", "d"], f0=[1.0, 2.0, None, float("nan")])
    (chunk,) = read_table(path, ["f0"], "label")
    assert [fault.text for fault in chunk.faults] == [
        f"{path}: row 2: column 'label': the cell is empty",
        f"{path}: row 3: column 'f0': the cell is empty",
        f"{path}: row 4: column 'f0': 'nan' is not a finite number",
    ]
    assert chunk.texts == ["a"]


def test_rows_are_counted_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnae.data.parquet_table.BATCH_CELLS", 3)
    path = write(tmp_path / "rows.parquet", f0=list(range(10)))
    assert np.concatenate([chunk.lines for chunk in read_table(path, ["f0"])]).tolist() == list(range(1, 11))


def test_text_where_numbers_are_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", f0=["a", "b"])
    with pytest.raises(DataError, match="column 'f0' holds string, not numbers"):
        list(read_table(path, ["f0"]))


def test_damage_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", f0=np.random.default_rng(0).random(50_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"rows\.parquet: no Parquet file, or a damaged one"):
        columns_of(path)
    path.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    with pytest.raises(DataError, match=r"rows\.parquet: damaged Parquet data at or after row 1: "):
        list(read_table(path, ["f0"]))


def test_missing_file_and_missing_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        columns_of(tmp_path / "none.parquet")
    path = write(tmp_path / "rows.parquet", f0=[1.0])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'learnae\[parquet\]'"):
        columns_of(path)
