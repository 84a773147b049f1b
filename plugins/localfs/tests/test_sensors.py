"""The sensor source passes its exam, and bears with what is in the files."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from learnae_localfs.sensors import FolderSensors

from learnae.errors import DamagedError, NotFoundError, UnavailableError
from learnae.interfaces.sensors import Packet, Reading, SensorSource
from learnae.testing.sensors import SensorSourceExam
from learnae.values.ids import SensorId


class TestFolderSensors(SensorSourceExam):
    def connect(self, folder: Path) -> SensorSource:
        return FolderSensors(folder)

    def append(self, folder: Path, sensor: str, readings: Sequence[Reading | None]) -> None:
        lines = ["no reading" if reading is None else json.dumps(reading) for reading in readings]
        write(folder, sensor, "".join(f"{line}\n" for line in lines))

    def end(self, folder: Path, sensor: str) -> None:
        write(folder, sensor, '{"learnae": "end"}\n')

    def replace(self, folder: Path, sensor: str) -> None:
        (folder / f"{sensor}.jsonl").write_text('{"x": 9}\n' * 100)

    def append_half(self, folder: Path, sensor: str) -> Callable[[], None]:
        write(folder, sensor, '{"half"')
        return lambda: write(folder, sensor, ": 1}\n")


def write(folder: Path, sensor: str, text: str) -> None:
    with (folder / f"{sensor}.jsonl").open("a") as file:
        file.write(text)


def read(folder: Path, position: str = "", max_readings: int = 1000) -> Packet:
    async def run() -> Packet:
        source = FolderSensors(folder)
        try:
            return await source.read(SensorId("north"), position, max_readings=max_readings)
        finally:
            await source.aclose()

    return asyncio.run(run())


def names(folder: Path) -> list[str]:
    return list(asyncio.run(FolderSensors(folder).sensors()))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[1, 2]", id="list"),
        pytest.param(b"7", id="number"),
        pytest.param(b'{"x": [1]}', id="nested-list"),
        pytest.param(b'{"x": {"y": 1}}', id="nested-object"),
        pytest.param(b'{"x": NaN}', id="nan"),
        pytest.param(b'{"x": -Infinity}', id="infinity"),
        pytest.param(b'{"x": 1e999}', id="overflow"),
        pytest.param(b'{"x": 1' + b"0" * 400 + b"}", id="large-integer"),
        pytest.param(b'{"x": ' + b"1" * 60_000 + b"}", id="huge-integer"),
        pytest.param(b'{"x": 1, "x": 2}', id="duplicate-key"),
        pytest.param(b'{"x": "\\ud800"}', id="half-surrogate"),
        pytest.param(b'{"x": "\xff"}', id="not-utf-8"),
        pytest.param(b"[" * 60_000, id="json-bomb"),
        pytest.param(b'{"x":' * 12_000, id="object-bomb"),
        pytest.param(b'{"x": "' + b"y" * 65_536 + b'"}', id="long-line"),
        pytest.param(b"z" * 1_000_000, id="very-long-line"),
    ],
)
def test_what_is_no_reading_is_none_and_nothing_is_skipped(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "north.jsonl").write_bytes(b'{"x": 1}\n' + line + b'\n{"x": 2}\n')
    assert read(tmp_path).readings == ({"x": 1}, None, {"x": 2})


def test_a_line_of_just_64_kib_is_a_reading(tmp_path: Path) -> None:
    text = "y" * (65_536 - len('{"x": ""}'))
    write(tmp_path, "north", f'{{"x": "{text}"}}\n')
    assert read(tmp_path).readings == ({"x": text},)


def test_a_long_line_without_an_end_is_awaited(tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\n' + "z" * 300_000)
    packet = read(tmp_path)
    assert packet.readings == ({"x": 1},)
    assert read(tmp_path, packet.position).readings == ()
    write(tmp_path, "north", "\n")
    assert read(tmp_path, packet.position).readings == (None,)


def test_a_packet_has_bounded_size(tmp_path: Path) -> None:
    line = json.dumps({"x": "y" * 60_000}) + "\n"
    write(tmp_path, "north", line * 300)
    readings, position = 0, ""
    while (packet := read(tmp_path, position)).readings:
        assert len(packet.readings) < 150
        readings, position = readings + len(packet.readings), packet.position
    assert readings == 300


def test_carriage_returns_are_borne_with(tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\r\n{"learnae": "end"}\r\n')
    packet = read(tmp_path)
    assert (packet.readings, packet.ended) == (({"x": 1},), True)


def test_what_follows_the_end_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\n{"learnae": "end"}\n{"x": 2}\n')
    packet = read(tmp_path)
    assert (packet.readings, packet.ended) == (({"x": 1},), True)
    assert read(tmp_path, packet.position) == Packet((), packet.position, True)


@pytest.mark.parametrize(
    "position", ["x", "1:9", "1:-9:" + "0" * 64, "1:9:" + "0" * 64, "1:" + "9" * 30 + ":" + "0" * 64, "2:0:" + "0" * 64]
)
def test_a_position_that_does_not_fit_is_damaged(position: str, tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\n')
    with pytest.raises(DamagedError):
        read(tmp_path, position)


def test_a_cut_file_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\n{"x": 2}\n')
    packet = read(tmp_path)
    (tmp_path / "north.jsonl").write_text('{"x": 1}\n')
    with pytest.raises(DamagedError, match=r"north\.jsonl.*cut or replaced"):
        read(tmp_path, packet.position)


def test_a_copied_file_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "north", '{"x": 1}\n')
    packet = read(tmp_path)
    path = tmp_path / "north.jsonl"
    path.rename(tmp_path / "old")
    path.write_bytes((tmp_path / "old").read_bytes() + b'{"x": 2}\n')
    assert read(tmp_path, packet.position).readings == ({"x": 2},)


def test_only_regular_files_with_plain_names_are_sensors(tmp_path: Path) -> None:
    for name in ("good.jsonl", "b-2_x.y.jsonl", ".hidden.jsonl", "other.json", "odd name.jsonl", "x" * 65 + ".jsonl", ".jsonl"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "good.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert names(tmp_path) == ["b-2_x.y", "good"]


def test_links_and_pipes_are_no_sensors_even_by_name(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"x": 1}\n')
    (tmp_path / "north.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(NotFoundError):
        read(tmp_path)
    (tmp_path / "north.jsonl").unlink()
    os.mkfifo(tmp_path / "north.jsonl")
    with pytest.raises(NotFoundError):
        read(tmp_path)


def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    for use in (names, read):
        with pytest.raises(UnavailableError, match="is it mounted"):
            use(tmp_path / "gone")
