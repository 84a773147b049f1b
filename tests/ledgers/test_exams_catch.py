"""Every exam catches implementations that break one promise each."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from learnae.builtins.memory import MAX_MESSAGE_BYTES, MemoryLedger, MemoryStorage, MemoryTransport
from learnae.errors import DamagedError, NotFoundError
from learnae.interfaces.sensors import Packet, Reading
from learnae.testing.sensors import SensorSourceExam
from learnae.testing.storage import StorageExam
from learnae.testing.transport import TransportExam
from learnae.values.ids import Locator, SensorId

# Transports


class Shortens(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        await super().publish(slot, message[:60_000])


class FlipsABit(MemoryTransport):
    async def receive(self) -> bytes:
        message = await super().receive()
        return message[:-1] + bytes([message[-1] ^ 1])


class TakesTooLarge(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        await super().publish(slot, message[:MAX_MESSAGE_BYTES])


class TakesAnySlot(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        await super().publish(
            slot if len(slot) == 64 and slot.isascii() and slot.isalnum() and "g" not in slot else "0" * 64, message
        )


class KeepsNothing(MemoryTransport):
    def __init__(self, ledger: MemoryLedger, owner: str) -> None:
        super().__init__(ledger, owner)
        while self._inbox.pop() is not None:
            pass


class SharesSlots(MemoryTransport):
    def __init__(self, ledger: MemoryLedger, owner: str) -> None:
        super().__init__(ledger, "0" * 64)


class KeepsTheFirst(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        if not any((sender, kept) == (self._owner, slot) for sender, kept, _ in self._ledger.kept()):
            await super().publish(slot, message)


class LosesWhenCancelled(MemoryTransport):
    async def receive(self) -> bytes:
        message = await super().receive()
        await asyncio.sleep(0)
        return message


class PublishesInParts(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        await super().publish(slot, message[: len(message) // 2])
        await asyncio.sleep(0)
        await super().publish(slot, message)


class ObsoleteWins(MemoryTransport):
    async def publish(self, slot: str, message: bytes) -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(0.001, self._ledger.post, self._owner, slot, message)
            raise
        await super().publish(slot, message)


class ClosesOnce(MemoryTransport):
    async def aclose(self) -> None:
        self._ledger._inboxes.remove(self._inbox)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        pytest.param(Shortens, "carries_messages_byte_for_byte", id="shortens"),
        pytest.param(FlipsABit, "carries_messages_byte_for_byte", id="flips-a-bit"),
        pytest.param(TakesTooLarge, "refuses_what_it_cannot_carry", id="takes-too-large"),
        pytest.param(TakesAnySlot, "refuses_what_it_cannot_carry", id="takes-any-slot"),
        pytest.param(KeepsNothing, "what_is_kept_reaches_latecomers", id="keeps-nothing"),
        pytest.param(SharesSlots, "another_author_replaces_nothing", id="shares-slots"),
        pytest.param(KeepsTheFirst, "an_author_who_comes_back_replaces_its_own", id="keeps-the-first"),
        pytest.param(LosesWhenCancelled, "cancelled_receive_loses_nothing", id="loses-when-cancelled"),
        pytest.param(PublishesInParts, "cancelled_publish_leaves_nothing_in_part", id="publishes-in-parts"),
        pytest.param(ObsoleteWins, "the_latest_word_stays_the_latest", id="obsolete-wins"),
        pytest.param(ClosesOnce, "closing_twice_is_harmless", id="closes-once"),
    ],
)
def test_broken_transports_fail(broken: Any, test: str, tmp_path: Path) -> None:
    class Exam(TransportExam):
        deadline_s = 0.5
        again_s = 0.1

        def connect(self, folder: Path) -> Any:
            ledger = MemoryLedger()
            return lambda owner: broken(ledger, owner)

    with pytest.raises((AssertionError, ValueError)):
        getattr(Exam(), f"test_{test}")(tmp_path)


# Storages


class CutsFiles(MemoryStorage):
    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        return (await super().get(locator, max_bytes=max_bytes))[:65_536]


class DamagesFiles(MemoryStorage):
    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        data = await super().get(locator, max_bytes=max_bytes)
        return data.replace(b"\x07", b"\x08")


class ReleasesForeign(MemoryStorage):
    async def release(self, locator: Locator) -> None:
        self._ledger._files.pop(locator.removeprefix("memory:"), None)


class NeverReleases(MemoryStorage):
    async def release(self, locator: Locator) -> None:
        pass


class PutsOnce(MemoryStorage):
    async def put(self, data: bytes) -> Locator:
        locator = Locator("memory:" + hashlib.sha256(data).hexdigest())
        if locator.removeprefix("memory:") in self._ledger._files:
            self._ledger._files.pop(locator.removeprefix("memory:"))
            return locator
        return await super().put(data)


class TakesTooLargeFiles(MemoryStorage):
    max_file_bytes = 10_000

    async def put(self, data: bytes) -> Locator:
        return await super().put(data)


class IgnoresTheAllowance(MemoryStorage):
    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        return await super().get(locator, max_bytes=2**40)


class StumblesOverStrings(MemoryStorage):
    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        return self._ledger._files[locator.split(":", 1)[1]][:max_bytes]


class WritesOddLocators(MemoryStorage):
    async def put(self, data: bytes) -> Locator:
        return Locator((await super().put(data)).replace(":", ":/ "))

    async def get(self, locator: Locator, *, max_bytes: int) -> bytes:
        return await super().get(Locator(locator.replace(":/ ", ":")), max_bytes=max_bytes)


class LeavesHalf(MemoryStorage):
    async def put(self, data: bytes) -> Locator:
        locator = await super().put(data)
        self._ledger._files[locator.removeprefix("memory:")] = data[: len(data) // 2]
        await asyncio.sleep(0)
        return await super().put(data)


class GoesWithItsOwner(MemoryStorage):
    async def aclose(self) -> None:
        self._ledger._files.clear()


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        pytest.param(CutsFiles, "returns_what_was_put", id="cuts-files"),
        pytest.param(DamagesFiles, "returns_what_was_put", id="damages-files"),
        pytest.param(ReleasesForeign, "release_takes_nothing_from_others", id="releases-foreign"),
        pytest.param(NeverReleases, "release_takes_back", id="never-releases"),
        pytest.param(PutsOnce, "putting_twice_is_harmless", id="puts-once"),
        pytest.param(TakesTooLargeFiles, "refuses_what_it_cannot_take", id="takes-too-large"),
        pytest.param(IgnoresTheAllowance, "reads_no_more_than_allowed", id="ignores-the-allowance"),
        pytest.param(StumblesOverStrings, "any_string_is_safe_to_ask_for", id="stumbles-over-strings"),
        pytest.param(WritesOddLocators, "locators_can_be_announced", id="odd-locators"),
        pytest.param(LeavesHalf, "cancelled_put_leaves_nothing_in_part", id="leaves-half"),
        pytest.param(GoesWithItsOwner, "what_was_put_stays", id="goes-with-its-owner"),
    ],
)
def test_broken_storages_fail(broken: Any, test: str, tmp_path: Path) -> None:
    class Exam(StorageExam):
        deadline_s = 0.5

        def connect(self, folder: Path) -> Any:
            ledger = MemoryLedger()
            return lambda owner: broken(ledger, owner)

    with pytest.raises((AssertionError, IndexError, KeyError)):
        getattr(Exam(), f"test_{test}")(tmp_path)


# Sensor sources


class Plain:
    """A source that keeps every promise: files of JSON lines, the number of lines read and what they were as the position."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def sensors(self) -> Sequence[SensorId]:
        return sorted(path.stem for path in self.folder.glob("*.txt"))

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        if sensor not in await self.sensors():
            raise NotFoundError(sensor)
        *lines, _half = (self.folder / f"{sensor}.txt").read_text().split("\n")
        start, before = json.loads(position or "[0, 0]")
        if len(lines) < start or self.check(lines[:start]) != before:
            raise DamagedError(position)
        ended = bool(lines) and lines[-1] == "end"
        values = [json.loads(line) for line in lines if line != "end"][start : start + max_readings]
        end = start + len(values)
        return Packet(tuple(values), json.dumps([end, self.check(lines[:end])]) if values else position, ended)

    def check(self, lines: list[str]) -> int:
        return sum(map(len, lines)) if lines else 0

    async def aclose(self) -> None:
        pass


class Skips(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, position, max_readings=max_readings + 1)
        return Packet(packet.readings[:max_readings], packet.position, packet.ended)


class GoesOnByItself(Plain):
    at = ""

    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, self.at, max_readings=max_readings)
        self.at = packet.position
        return packet


class DropsNoReadings(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, position, max_readings=max_readings)
        return Packet(tuple(r for r in packet.readings if r is not None), packet.position, packet.ended)


class ReturnsTooMany(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        return await super().read(sensor, position, max_readings=max_readings + 1)


class Unsorted(Plain):
    async def sensors(self) -> Sequence[SensorId]:
        return list(reversed(await super().sensors()))


class NeverEnds(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, position, max_readings=max_readings)
        return Packet(packet.readings, packet.position)


class InventsSensors(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        try:
            return await super().read(sensor, position, max_readings=max_readings)
        except NotFoundError:
            return Packet((), position)


class TrustsPositions(Plain):
    def check(self, lines: list[str]) -> int:
        return 0


class MovesForNothing(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, position, max_readings=max_readings)
        return Packet(packet.readings, packet.position + " ", packet.ended)


class ReturnsHalves(Plain):
    async def read(self, sensor: SensorId, position: str, *, max_readings: int) -> Packet:
        packet = await super().read(sensor, position, max_readings=max_readings)
        if '"half"' in (self.folder / f"{sensor}.txt").read_text() and position:
            return Packet((None,), packet.position)
        return packet


class FilesExam(SensorSourceExam):
    def connect(self, folder: Path) -> Any:
        return Plain(folder)

    def append(self, folder: Path, sensor: SensorId, readings: Sequence[Reading | None]) -> None:
        self.write(folder, sensor, "".join(json.dumps(reading) + "\n" for reading in readings))

    def end(self, folder: Path, sensor: SensorId) -> None:
        self.write(folder, sensor, "end\n")

    def replace(self, folder: Path, sensor: SensorId) -> None:
        (folder / f"{sensor}.txt").write_text("{}\n" * 5)

    def append_half(self, folder: Path, sensor: SensorId) -> Callable[[], None]:
        self.write(folder, sensor, '{"half"')
        return lambda: self.write(folder, sensor, ": 1}\n")

    def write(self, folder: Path, sensor: SensorId, text: str) -> None:
        with (folder / f"{sensor}.txt").open("a") as file:
            file.write(text)


class TestPlain(FilesExam):
    """The source from which the broken ones differ in one thing each passes."""


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        pytest.param(Skips, "packets_divide_the_stream_without_changing_it", id="skips"),
        pytest.param(GoesOnByItself, "reading_is_idempotent", id="goes-on-by-itself"),
        pytest.param(DropsNoReadings, "returns_readings_in_order", id="drops-no-readings"),
        pytest.param(ReturnsTooMany, "packets_divide_the_stream_without_changing_it", id="returns-too-many"),
        pytest.param(Unsorted, "lists_sensors_in_order", id="unsorted"),
        pytest.param(NeverEnds, "the_end_is_told", id="never-ends"),
        pytest.param(InventsSensors, "unknown_sensors_are_not_found", id="invents-sensors"),
        pytest.param(TrustsPositions, "a_replaced_stream_is_noticed", id="trusts-positions"),
        pytest.param(MovesForNothing, "nothing_new_is_an_empty_packet", id="moves-for-nothing"),
        pytest.param(ReturnsHalves, "a_half_reading_is_awaited", id="returns-halves"),
    ],
)
def test_broken_sources_fail(broken: Any, test: str, tmp_path: Path) -> None:
    class Exam(FilesExam):
        deadline_s = 0.5

        def connect(self, folder: Path) -> Any:
            return broken(folder)

    with pytest.raises(AssertionError):
        getattr(Exam(), f"test_{test}")(tmp_path)


def test_a_transport_that_keeps_nothing_may_say_so(tmp_path: Path) -> None:
    class Exam(TransportExam):
        keeps = False

        def connect(self, folder: Path) -> Any:
            ledger = MemoryLedger()
            return lambda owner: KeepsNothing(ledger, owner)

    with pytest.raises(pytest.skip.Exception, match="keeps no messages"):
        Exam().test_what_is_kept_reaches_latecomers(tmp_path)
    Exam().test_carries_messages_byte_for_byte(tmp_path)
    Exam().test_faults_are_survived(tmp_path)
