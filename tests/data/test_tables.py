import gzip
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from learnae.data import csv_table
from learnae.data.cells import Chunk
from learnae.data.tables import columns_of, read_table
from learnae.errors import ConfigError, DataError

Write = Callable[..., Path]


def read(path: Path, numbers: tuple[str, ...] = ("f0", "f1"), text: str | None = "label") -> Chunk:
    chunks = list(read_table(path, numbers, text))
    return Chunk(
        chunks[0].where,
        np.concatenate([chunk.lines for chunk in chunks]),
        np.concatenate([chunk.numbers for chunk in chunks]),
        [cell for chunk in chunks for cell in chunk.texts],
        [fault for chunk in chunks for fault in chunk.faults],
    )


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"# label,f0,f1\n", id="hepmass"),
        pytest.param(b"#label,f0,f1\n", id="hash"),
        pytest.param(b" label , f0,f1 \r\n", id="spaces"),
        pytest.param(b"\xef\xbb\xbflabel,f0,f1\n", id="bom"),
        pytest.param(b"\xef\xbb\xbf# label,f0,f1\n", id="bom-and-hash"),
        pytest.param(b'"label","f0","f1"\n', id="quotes"),
        pytest.param(b"\n\nlabel,f0,f1\n", id="blank-lines"),
        pytest.param(b"label,f0,f1", id="no-newline"),
    ],
)
def test_header_is_read_as_plain_names(table: Write, header: bytes) -> None:
    assert columns_of(table(header)) == ("label", "f0", "f1")


def test_columns_come_in_the_order_asked_for(table: Write) -> None:
    chunk = read(table("f1,label,f0\n1,x, 2.5 \n-3e2,y,.5\n"))
    assert chunk.numbers.tolist() == [[2.5, 1.0], [0.5, -300.0]]
    assert chunk.numbers.dtype == np.float32
    assert chunk.texts == ["x", "y"]
    assert chunk.lines.tolist() == [2, 3]


def test_no_numbers_or_one_number_can_be_asked_for(table: Write) -> None:
    path = table("label,f0,f1\nx,1,2\ny,3,4\n")
    assert read(path, ()).numbers.shape == (2, 0)
    assert read(path, ("f1",), None).numbers.tolist() == [[2.0], [4.0]]


@pytest.mark.parametrize("compressed", [False, True])
def test_blank_lines_and_line_ends_do_not_matter(table: Write, compressed: bool) -> None:
    content = b"label,f0,f1\r\n0,1,2\r\n\r\n   \r\n1,3,4"
    chunk = read(table(gzip.compress(content) if compressed else content, "anything"))
    assert chunk.numbers.tolist() == [[1, 2], [3, 4]]
    assert chunk.lines.tolist() == [2, 5]
    assert not chunk.faults


def test_blocks_join_into_whole_lines(table: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    content = "label,f0,f1\n" + "".join(f"é{i},{i}.5,{-i}\n" for i in range(500))
    whole = read(table(content))
    for size in (1, 7, 64):
        monkeypatch.setattr(csv_table, "BLOCK_BYTES", size)
        parts = read(table(content))
        assert parts.numbers.tolist() == whole.numbers.tolist()
        assert parts.texts == whole.texts
        assert parts.lines.tolist() == list(range(2, 502))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param("0,abc,2", "column 'f0': 'abc' is not a finite number", id="word"),
        pytest.param("0,1,", "column 'f1': the cell is empty", id="empty"),
        pytest.param("0,nan,2", "column 'f0': 'nan' is not a finite number", id="nan"),
        pytest.param("0,1,-inf", "column 'f1': '-inf' is not a finite number", id="infinite"),
        pytest.param("0,1e39,2", "column 'f0': '1e39' is not a finite number", id="beyond-float32"),
        pytest.param("0,1_000,2", "column 'f0': '1_000' is not a finite number", id="underscore"),
        pytest.param("0,0x10,2", "column 'f0': '0x10' is not a finite number", id="hexadecimal"),
        pytest.param("0,'" + "9" * 99 + ",2", "'" + "9" * 56 + '..." is not a finite number', id="long"),
        pytest.param("0,1\0,2", "column 'f0': '1\\x00' is not a finite number", id="nul"),
        pytest.param(" ,1,2", "column 'label': the cell is empty", id="no-label"),
        pytest.param("0,1", "2 cells where the header names 3 columns", id="short"),
        pytest.param("0,1,2,3", "4 cells where the header names 3 columns", id="wide"),
        pytest.param('0,"1,2', "not a row of a table, which is one line with closed quotes", id="open-quote"),
        pytest.param("0,1\r5,2", "not a row of a table", id="carriage-return"),
    ],
)
def test_a_fault_names_file_line_and_column(table: Write, row: str, message: str) -> None:
    path = table(f"label,f0,f1\n0,1,2\n{row}\n1,3,4\n")
    chunk = read(path)
    assert [fault.line for fault in chunk.faults] == [3]
    assert chunk.faults[0].text.startswith(f"{path}:3: ")
    assert message in chunk.faults[0].text
    assert chunk.numbers.tolist() == [[1, 2], [3, 4]]
    assert chunk.texts == ["0", "1"]
    assert chunk.lines.tolist() == [2, 4]


def test_faults_of_several_kinds_stay_in_the_order_of_the_file(table: Write) -> None:
    chunk = read(table("label,f0,f1\n0,x,2\n0,1\n,1,2\n0,1,2\n0,1,2,3\n0,1,y\n"))
    assert [fault.line for fault in chunk.faults] == [2, 3, 4, 6, 7]
    assert chunk.lines.tolist() == [5]


def test_a_quoted_cell_may_not_span_lines(table: Write) -> None:
    chunk = read(table('label,f0,f1\n"a\nb",1,2\n0,1,2\n'))
    assert [fault.line for fault in chunk.faults] == [2, 3]


def test_negative_zero_is_zero(table: Write) -> None:
    chunk = read(table("label,f0,f1\n0,-0.0,-1e-60\n"))
    assert not np.signbit(chunk.numbers).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"\n \n", "the file is empty", id="blank"),
        pytest.param(b"1.0,2,3\n4,5,6\n", ":1: numbers where column names should be", id="no-header"),
        pytest.param(b"a,b,a\n", "two columns are named 'a'", id="duplicates"),
        pytest.param(b'a,"b\n', ":1: this header cannot be read", id="quote"),
        pytest.param("a,b\n".encode("utf-16"), ":1: byte 0xff is not UTF-8 text", id="utf-16"),
        pytest.param(b"f0,f1\n" + b"1,2\n" * 5 + b"caf\xe9,2\n", ":7: byte 0xe9 is not UTF-8 text", id="latin-1"),
        pytest.param(gzip.compress(b"f0,f1\n" + b"1,2\n" * 5)[:-12], "damaged gzip data after line", id="cut-gzip"),
        pytest.param(gzip.compress(b"f0,f1\n" * 9)[:12] + b"\xff" * 40, "damaged gzip data after line 0", id="bad-gzip"),
        pytest.param(gzip.compress(b"f0,f1\n") + b"trailing", "damaged gzip data", id="gzip-and-more"),
    ],
)
def test_an_unusable_file_is_named(table: Write, content: bytes, message: str) -> None:
    path = table(content)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + re.escape(message)):
        list(read_table(path, ["f0", "f1"]))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: there is no such file"):
        columns_of(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="cannot be opened"):
        columns_of(tmp_path)


def test_a_missing_column_lists_what_is_there_and_what_is_near(table: Write) -> None:
    path = table("lable,f0,f1\n")
    with pytest.raises(ConfigError, match=r"no column 'label'; there are: lable, f0, f1; did you mean 'lable'\?"):
        list(read_table(path, ["f0"], "label"))
    wide = table(",".join(f"c{index}" for index in range(100)))
    with pytest.raises(ConfigError, match=r"c39 and 60 more$"):
        list(read_table(wide, ["zzz"]))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_line_without_end_is_refused_before_it_is_read(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "bomb.csv"
    with gzip.open(path, "wb", compresslevel=1) if compressed else path.open("wb") as file:
        file.write(b"f0,f1\n1,2\n")
        for _ in range(64):
            file.write(b"1" * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"bomb\.csv:3: a line of more than 4,194,304 bytes"):
            list(read_table(path, ["f0", "f1"]))
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
