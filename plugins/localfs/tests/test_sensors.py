"""The sensor source passes its exam, and bears with what is in the files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from learnae_localfs.sensors import FolderSensors

from learnae.interfaces.sensors import Reading, SensorSource
from learnae.testing.sensors import SensorSourceExam


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
