"""Inputs of sensors: CSV and JSON lines, read again from where they were left."""

import io
import itertools
import os
from pathlib import Path

import pytest
from learnae_iota.sensors.admission import SensorKey
from learnae_iota.sensors.batching import batches
from learnae_iota.sensors.feeding import MAX_LINE_BYTES, MAX_TOLD, FileSource, Format, LineInput, PipeSource
from learnae_iota.sensors.packets import write_packet
from sensor_rig import SEALED

from learnae.errors import DataError, StateError
from learnae.interfaces.sensors import Reading


def read(
    data: bytes, position: str = "", *, follow: bool = False, columns: tuple[str, ...] | None = None
) -> tuple[list[Reading], str, list[str]]:
    said: list[str] = []
    file = FileSource(io.BytesIO(data), follow=follow)
    source = LineInput(file, "the input", position=position, columns=columns, tell=said.append)
    readings = [found for found in itertools.takewhile(lambda found: found is not None, source.readings()) if found]
    return readings, source.position, said


def test_csv_keeps_what_is_written() -> None:
    text = 'a,b,c,d,e\n1,2.5,one,,1.000e+00\n-7,"x, ""y""",0x1,nan,01\n'
    readings, _, said = read(text.encode())
    assert readings == [
        {"a": 1, "b": 2.5, "c": "one", "d": None, "e": "1.000e+00"},
        {"a": -7, "b": 'x, "y"', "c": "0x1", "d": "nan", "e": "01"},
    ]
    assert not said


def test_json_lines_are_strict() -> None:
    lines = [
        b'{"x": 1, "y": "\\u00e9", "z": null, "w": true}',
        b"",
        b'{"x": NaN}',
        b'{"x": [1]}',
        b'{"x": 1, "x": 2}',
        b"[1]",
        b'{"x": 1e999}',
        b'{"x": 99999999999999999999}',
        b'{"x": "\\ud800"}',
        b"{" * 50_000,
        b'{"x": "\xff"}',
        b'{"x": "' + b"y" * MAX_LINE_BYTES + b'"}',
        b'{"x": 2}',
    ]
    readings, _, said = read(b"\n".join(lines))
    assert readings == [{"x": 1, "y": "é", "z": None, "w": True}, {"x": 2}]
    assert len(said) == MAX_TOLD + 1
    assert said[-1] == "the input: 10 lines in a row are no readings and are left out; is it jsonl?"
    assert all(len(text) <= 300 for text in said)


def test_of_many_lines_that_are_left_out_not_each_is_said() -> None:
    _, _, said = read(b"a,b\n" + b"1\n" * 1234 + b"1,2\n" + b"1\n")
    assert len(said) == MAX_TOLD + 3 + 1
    assert said[MAX_TOLD + 2] == "the input: 1000 lines in a row are no readings and are left out; is it csv?"


def test_only_the_columns_that_are_asked_for_are_sent() -> None:
    readings, _, _ = read(b"a,who,b\n1,Ada,2\n", columns=("b", "a"))
    assert readings == [{"b": 2, "a": 1}]
    readings, _, said = read(b'{"a": 1, "b": 2, "who": "Ada"}\n{"a": 3}\n', columns=("a", "b"))
    assert readings == [{"a": 1, "b": 2}]
    assert said[0].endswith("it has no column 'b'")
    with pytest.raises(DataError, match="its first line names no column 'c'; it names a, who"):
        read(b"a,who\n1,Ada\n", columns=("a", "c"))


def test_lines_of_another_length_than_the_head_are_left_out() -> None:
    readings, _, said = read(b"a,b\n1,2\n1\n1,2,3\n\n3,4\n")
    assert readings == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert "the line that ends at byte 10 is no reading and is left out: 1 cells for 2 columns" in said[0]


@pytest.mark.parametrize("head", [b"a,a\n", b"a,,b\n", b'"a\n', b"a\0b\n", b"x" * 70_000])
def test_a_head_line_has_to_name_columns(head: bytes) -> None:
    with pytest.raises(DataError, match="has to name the columns"):
        read(head + b"1,2\n")


@pytest.mark.parametrize("style", [Format.CSV, Format.JSONL])
def test_an_input_goes_on_wherever_it_was_left(style: Format) -> None:
    data = b"x,y\n1,a\n\n2,b\nbroken\n3,c\n4,d" if style is Format.CSV else b'{"x":1}\n\n{"x":2}\nbroken\n{"x":3}\n{"x":4}'
    everything = read(data)[0]
    assert len(everything) == 4
    source = LineInput(FileSource(io.BytesIO(data), follow=False), "it")
    for index, found in enumerate(source.readings()):
        assert found
        assert read(data, source.position)[0] == everything[index + 1 :]
    assert read(data + b"\n" + data.splitlines()[1] + b"\n", source.position)[0] in ([{"x": 1, "y": "a"}], [])


def test_a_replaced_input_is_noticed() -> None:
    _, position, _ = read(b"x\n1\n2\n")
    for other in (b"x\n1\n3\n", b"x\n1\n", b"x\n1\n2222\n", b""):
        with pytest.raises(DataError, match="it was cut or replaced"):
            read(other, position)
    with pytest.raises(StateError, match="no position"):
        read(b"x\n", "nonsense")


def test_a_long_line_that_is_half_written_can_be_read_again() -> None:
    data = b"x\n1\n" + b"y" * (2 * MAX_LINE_BYTES + 7)
    readings, position, said = read(data[:4] + data[4 : MAX_LINE_BYTES + 100], follow=True)
    assert (readings, said) == ([{"x": 1}], [])
    readings, _, said = read(data + b"\n2\n", position)
    assert readings == [{"x": 2}]
    assert len(said) == 1
    assert f"the line that ends at byte {len(data) + 1} is no reading" in said[0]


def test_a_pipe_that_begins_anew_may_take_its_time() -> None:
    text = b"x\n1\n2\n3\n"
    _, position, _ = read(text[:6])
    reading, writing = os.pipe()
    pieces = [b"x\n1", b"\n2\n", b"3\n"]

    def wait() -> bool:
        if pieces:
            os.write(writing, pieces.pop(0))
        else:
            os.close(writing)
        return True

    source = LineInput(PipeSource(reading, moment_s=0.01), "stdin", position=position)
    (batch,) = batches(source, size=50, now_s=lambda: 0.0, wait=wait, patience_s=1)
    assert batch.readings == ({"x": 3},)
    os.close(reading)


def test_a_pipe_that_ends_too_early_is_another() -> None:
    _, position, _ = read(b"x\n1\n2\n")
    reading, writing = os.pipe()
    found = LineInput(PipeSource(reading, moment_s=0.01), "stdin", position=position).readings()
    os.write(writing, b"x\n1\n")
    assert next(found) is None
    os.close(writing)
    with pytest.raises(DataError, match="it was cut or replaced"):
        next(found)
    os.close(reading)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(",".join(f"c{index}" for index in range(2000)) + ("\n" + "," * 1999) * 200, id="nothing"),
        pytest.param("a,b\n" + "".join(f"{index},{chr(1) * 900}\n" for index in range(300)), id="control characters"),
        pytest.param("a\n" + f"{chr(1) * 31_000}\n{chr(1) * 50_000}\n" * 3, id="short and long"),
        pytest.param("".join(f'{{"{"ab"[index % 2]}": 1}}\n' for index in range(30_000)), id="columns in turns"),
    ],
)
def test_no_packet_is_too_large_for_a_message(data: str) -> None:
    source = LineInput(FileSource(io.BytesIO(data.encode()), follow=False), "it")
    key, root = SensorKey(bytes(32)), "9" * 81
    found = list(batches(source, size=10_000, now_s=lambda: 0.0, wait=lambda: False, patience_s=1))
    assert [each for batch in found for each in batch.readings] == read(data.encode())[0]
    assert len(found) > 1
    for batch in found:
        write_packet(batch.readings, index=0, first=0, end=False, root=root, next_root=root, key=key, session=SEALED)
    for before, batch in itertools.pairwise(found):
        assert read(data.encode(), before.input)[0][: len(batch.readings)] == list(batch.readings)


def test_a_reading_that_no_packet_can_hold_is_left_out() -> None:
    name, cell = "\x01" * 30_000, "\x02" * 40_000
    data = f"{name},b\n{cell},1\n2,3\n".encode()
    said: list[str] = []
    source = LineInput(FileSource(io.BytesIO(data), follow=False), "it", tell=said.append)
    (batch,) = batches(source, size=50, now_s=lambda: 0.0, wait=lambda: False, patience_s=1)
    assert batch.readings == ({name: 2, "b": 3},)
    assert len(said) == 1
    assert "a packet would have 420" in said[0]


def test_batches_are_full_or_waited_long_enough(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"x\n1\n2\n3\n")
    seconds = 0.0
    appended = [b"4\n5", b"", b"5\n", b"", b"", b""]

    def wait() -> bool:
        nonlocal seconds
        seconds += 1
        if not appended:
            return False
        with path.open("ab") as file:
            file.write(appended.pop(0))
        return True

    with path.open("rb") as file:
        source = LineInput(FileSource(file, follow=True), "x.csv")
        found = list(batches(source, size=2, now_s=lambda: seconds, wait=wait, patience_s=2))
    assert [[reading["x"] for reading in batch.readings if reading] for batch in found] == [[1, 2], [3, 4], [55]]
    assert read(path.read_bytes(), found[1].input)[0] == [{"x": 55}]


def test_a_pipe_is_read_as_it_comes() -> None:
    reading, writing = os.pipe()
    source = LineInput(PipeSource(reading, moment_s=0.01), "stdin")
    found = source.readings()
    os.write(writing, b'{"x": 1}\n{"x"')
    assert next(found) == {"x": 1}
    assert next(found) is None
    os.write(writing, b": 2}\n" + b'{"x": 3}')
    assert next(found) == {"x": 2}
    os.close(writing)
    assert [each for each in found if each] == [{"x": 3}]
    os.close(reading)
