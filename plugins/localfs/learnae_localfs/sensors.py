"""Sensors' readings from a folder: one append-only file of JSON lines for each sensor."""

import asyncio
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from learnae.errors import DamagedError, NotFoundError
from learnae.interfaces.sensors import Packet, Reading
from learnae.values.ids import SensorId
from learnae_localfs.hostile import explained, list_files, open_file, opened_folder
from learnae_localfs.lines import END, parse_reading, read_position, whole_lines, write_position

MAX_SENSORS = 10_000
SUFFIX = ".jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MAX_NAMES = 100_000
_PACKET_BYTES = 8_388_608


class FolderSensors:
    """A ``SensorSource`` over a folder of files ``NAME.jsonl``.

    Each line is one reading: a JSON object of column to text, number, boolean or null. The line ``{"learnae": "end"}`` ends the
    stream. Writers append whole lines and change nothing that they wrote.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="learnae-localfs-sensors")

    async def sensors(self) -> Sequence[SensorId]:
        """List the files: see ``SensorSource.sensors``."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._list)

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        """Read whole lines that follow a position: see ``SensorSource.read``."""
        if not _NAME.match(sensor):
            text = f"{sensor[:100]!r} is no name of a sensor"
            raise NotFoundError(text)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, sensor, position, max_readings)

    async def aclose(self) -> None:
        """Take no more calls."""
        self._thread.shutdown(wait=False)

    def _list(self) -> list[SensorId]:
        with explained(f"list the sensors in {self._folder}"), opened_folder(self._folder) as folder:
            names = [e.name.removesuffix(SUFFIX) for e in list_files(folder, at_most=_MAX_NAMES) if e.name.endswith(SUFFIX)]
        return [SensorId(name) for name in sorted(names) if _NAME.match(name)][:MAX_SENSORS]

    def _read(self, sensor: str, position: str, max_readings: int) -> Packet:
        with explained(f"read the sensor {sensor} in {self._folder}"), opened_folder(self._folder) as folder:
            try:
                descriptor = open_file(folder, sensor + SUFFIX)
            except FileNotFoundError as exc:
                text = f"no file {sensor}{SUFFIX} in {self._folder}"
                raise NotFoundError(text) from exc
            with os.fdopen(descriptor, "rb") as file:
                try:
                    return _read_packet(file, position, max_readings)
                except DamagedError as exc:
                    text = f"{sensor}{SUFFIX}: {exc}"
                    raise DamagedError(text) from exc


def _read_packet(file: BinaryIO, position: str, max_readings: int) -> Packet:
    start = end = read_position(file, position)
    readings: list[Reading | None] = []
    ended = False
    for line in whole_lines(file, start):
        reading = parse_reading(line.content)
        if reading == END:
            ended = True  # and the position stays before it, so that whoever asks again hears it again
            break
        if len(readings) == max_readings:
            break
        readings.append(reading)
        end = line.end
        if end - start > _PACKET_BYTES:
            break
    return Packet(tuple(readings), position if end == start else write_position(file, end), ended)
