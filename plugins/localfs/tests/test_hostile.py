"""What strangers may put into the folder is not followed, not waited for, and not believed."""

import asyncio
import errno
import hashlib
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from learnae_localfs import hostile
from learnae_localfs.frames import write_frame
from learnae_localfs.layout import Place, read_locator, write_locator
from learnae_localfs.storage import FolderStorage
from learnae_localfs.transport import FolderTransport

from learnae.errors import DamagedError, NotFoundError, TooLargeError, UnavailableError

ALICE, BOB, MALLORY = "a1" * 32, "b2" * 32, "e5" * 32
SLOT, OTHER = "0" * 64, "1" * 64
DATA = b"some bytes"
CONTENT = hashlib.sha256(DATA).hexdigest()


def fetch(shared: Any, owner: str = ALICE, max_bytes: int = 1000) -> bytes:
    async def run() -> bytes:
        storage = FolderStorage(shared.place, BOB)
        try:
            async with asyncio.timeout(20):
                return await storage.get(write_locator(owner, CONTENT), max_bytes=max_bytes)
        finally:
            await storage.aclose()

    return asyncio.run(run())


def store(shared: Any) -> str:
    async def run() -> str:
        storage = FolderStorage(shared.place, BOB)
        try:
            return await storage.put(DATA)
        finally:
            await storage.aclose()

    return asyncio.run(run())


def publish(place: Place, *messages: bytes, owner: str = BOB, fsync: bool = True) -> None:
    async def run() -> None:
        transport = FolderTransport(place, owner, watch=False, fsync=fsync)
        try:
            for message in messages:
                await transport.publish(SLOT, message)
        finally:
            await transport.aclose()

    asyncio.run(run())


# Messages


def test_a_linked_message_is_not_read(shared: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(write_frame(b"secret"))
    (shared.folder(MALLORY) / SLOT).symlink_to(secret)
    assert shared.look() == []


def test_a_linked_owner_is_not_read(shared: Any, tmp_path: Path) -> None:
    shared.write(ALICE, SLOT, b"one")
    (shared.folder(ALICE).parent / MALLORY).symlink_to(shared.folder(ALICE))
    assert shared.look() == [b"one"]


def test_a_link_above_the_owners_is_refused(shared: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "learnae").symlink_to(elsewhere)
    with pytest.raises(UnavailableError, match="symbolic link"):
        shared.mailbox.next_batch()
    with pytest.raises(UnavailableError, match="symbolic link"):
        publish(shared.place, b"hello")
    assert list(elsewhere.iterdir()) == []


def test_a_pipe_is_not_waited_for(shared: Any) -> None:
    os.mkfifo(shared.folder(MALLORY) / SLOT)
    os.mkfifo(shared.folder(MALLORY).parent / ("f" * 64))
    shared.write(ALICE, SLOT, b"one")
    assert shared.look() == [b"one"]


def test_a_file_that_turns_into_a_pipe_is_not_waited_for(shared: Any) -> None:
    folder = shared.folder(MALLORY)
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("pipe")
    (folder / "folder").mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    for name in ("pipe", "link", "folder", "missing"):
        with pytest.raises(FileNotFoundError):
            hostile.read_file(descriptor, name, max_bytes=100)
    os.close(descriptor)


def test_a_huge_sparse_file_is_not_read(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared.folder(MALLORY) / SLOT
    with path.open("wb") as file:
        file.truncate(2**40)
    shared.write(ALICE, SLOT, b"one")
    assert shared.look() == [b"one"]
    huge = shared.folder(MALLORY, "files") / CONTENT
    with huge.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(TooLargeError):
        fetch(shared, MALLORY)


def test_a_device_is_not_read(shared: Any) -> None:
    descriptor = os.open("/dev", os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        hostile.read_file(descriptor, "null", max_bytes=100)
    os.close(descriptor)


def test_a_message_is_read_up_to_the_limit_and_no_further(shared: Any) -> None:
    shared.write(ALICE, SLOT, bytes(1_048_576))
    shared.write(MALLORY, SLOT, bytes(1_048_577))
    assert shared.look() == [bytes(1_048_576)]


# Files


def test_a_linked_file_is_not_read(shared: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    (shared.folder(ALICE, "files") / CONTENT).symlink_to(tmp_path / "secret")
    with pytest.raises(NotFoundError):
        fetch(shared)


def test_a_linked_folder_of_files_is_not_read(shared: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / CONTENT).write_bytes(DATA)
    (shared.folder(BOB, "files").parent / ALICE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="symbolic link"):
        fetch(shared)
    with pytest.raises(NotFoundError):
        fetch(shared, MALLORY)


def test_nothing_is_written_through_a_linked_own_folder(shared: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (shared.folder(ALICE, "files").parent / BOB).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="symbolic link"):
        store(shared)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_damaged_file_is_replaced_by_a_good_one_of_anybody(shared: Any) -> None:
    (shared.folder(ALICE, "files") / CONTENT).write_bytes(DATA[:-1])
    with pytest.raises(DamagedError):
        fetch(shared)
    (shared.folder(MALLORY, "files") / CONTENT).write_bytes(bytes(5000))
    with pytest.raises(DamagedError):
        fetch(shared)
    (shared.folder("f" * 64, "files") / CONTENT).write_bytes(DATA)
    assert fetch(shared) == DATA
    assert fetch(shared, "9" * 64) == DATA


def test_a_stranger_whose_folder_cannot_be_read_is_no_obstacle(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.folder("0" * 64, "files")
    (shared.folder(MALLORY, "files") / CONTENT).write_bytes(DATA)
    real = os.open

    def refuse(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if path == "0" * 64:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert fetch(shared, ALICE) == DATA
    assert fetch(shared, "0" * 64) == DATA
    (shared.folder(MALLORY, "files") / CONTENT).unlink()
    with pytest.raises(NotFoundError):
        fetch(shared, ALICE)
    with pytest.raises(UnavailableError, match="permission denied"):
        fetch(shared, "0" * 64)


def test_a_half_synchronised_file_is_good_when_it_is_whole(shared: Any) -> None:
    path = shared.folder(ALICE, "files") / CONTENT
    path.write_bytes(DATA[:4])
    with pytest.raises(DamagedError):
        fetch(shared)
    path.write_bytes(DATA)
    assert fetch(shared) == DATA


def test_the_own_damaged_file_is_mended_by_putting_it_again(shared: Any) -> None:
    path = shared.folder(BOB, "files") / CONTENT
    path.write_bytes(b"some bites")
    store(shared)
    assert path.read_bytes() == DATA


def test_a_link_in_the_place_of_an_own_file_is_replaced_and_not_followed(shared: Any, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (shared.folder(BOB, "files") / CONTENT).symlink_to(victim)
    (shared.folder(BOB) / SLOT).symlink_to(victim)
    store(shared)
    publish(shared.place, b"hello")
    assert victim.read_bytes() == b"precious"
    assert fetch(shared, BOB) == DATA


@pytest.mark.parametrize(
    "locator",
    [
        f"localfs:{ALICE}/../{CONTENT}",
        f"localfs:../{CONTENT}",
        f"localfs:{ALICE}/{CONTENT}/..",
        f"localfs:{ALICE}/{CONTENT}\n",
        f"localfs:{ALICE.upper()}/{CONTENT}",
        f"localfs:{ALICE}\\{CONTENT}",
        f"localfs:/{ALICE}/{CONTENT}",
        f" localfs:{ALICE}/{CONTENT}",
        f"memory:{CONTENT}",
        "localfs:" + "\u0661" * 64 + "/" + "0" * 64,
        "",
    ],
)
def test_odd_locators_are_none(locator: str) -> None:
    assert read_locator(locator) is None


def test_a_locator_is_read_back() -> None:
    assert read_locator(write_locator(ALICE, CONTENT)) == (ALICE, CONTENT)


# Writing


def test_half_written_files_of_a_dead_process_are_removed(shared: Any) -> None:
    for kind, use in (("messages", lambda: publish(shared.place, b"hello")), ("files", lambda: store(shared))):
        folder = shared.folder(BOB, kind)
        (folder / ".tmp-1-abc").write_bytes(b"half")
        mine = folder / f".tmp-{os.getpid()}-abc"
        mine.write_bytes(b"being written by another object of this process")
        old = folder / f".tmp-{os.getpid()}-old"
        old.write_bytes(b"of an earlier process with this number")
        os.utime(old, (0, 0))
        (folder / ".stfolder").write_bytes(b"somebody else's business")
        use()
        hidden = {path.name for path in folder.iterdir() if path.name.startswith(".")}
        assert hidden == {mine.name, ".stfolder"}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        pytest.param(errno.ENOSPC, "the disk is full", id="full"),
        pytest.param(errno.EDQUOT, "quota", id="quota"),
        pytest.param(errno.EROFS, "read-only", id="read-only"),
        pytest.param(errno.EIO, "Input/output error", id="io"),
    ],
)
def test_a_disk_that_takes_nothing_is_unavailable_and_leaves_nothing(
    shared: Any, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    publish(shared.place, b"before")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UnavailableError, match=sentence):
        publish(shared.place, b"after")
    with pytest.raises(UnavailableError, match=sentence):
        store(shared)
    monkeypatch.undo()
    assert [path.name for path in shared.folder(BOB).iterdir()] == [SLOT]
    assert list(shared.folder(BOB, "files").iterdir()) == []
    assert shared.look() == [b"before"]


def test_a_missing_root_is_not_made_anew(tmp_path: Path) -> None:
    """A mount that went away must not be shadowed by a folder on the local disk."""
    with pytest.raises(UnavailableError, match="is it mounted"):
        publish(Place(tmp_path / "gone", "7" * 64), b"hello")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_unavailable(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store(shared)

    def stale(*_: Any, **__: Any) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("learnae_localfs.storage.read_file", stale)
    with pytest.raises(UnavailableError, match="network mount"):
        fetch(shared, BOB)


def test_shared_folders_take_the_permissions_of_the_root(shared: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    publish(shared.place, b"hello")
    messages = shared.folder(BOB).parent
    assert stat.S_IMODE(messages.stat().st_mode) == stat.S_IMODE(tmp_path.stat().st_mode)
    assert not stat.S_IMODE(shared.folder(BOB).stat().st_mode) & stat.S_IWOTH


def test_everything_is_flushed_to_the_disk_before_a_call_returns(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    shared.folder(BOB)
    publish(shared.place, b"hello")
    assert flushed == [False, True]  # the file before it gets its name, then its name
    publish(shared.place, b"hello")
    assert flushed == [False, True, True]
    publish(shared.place, b"good bye", fsync=False)
    assert flushed == [False, True, True]


def test_files_are_written_off_the_event_loop(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()
    real = hostile.write_file

    def write(*args: Any, **kwargs: Any) -> None:
        threads.add(threading.current_thread().name)
        real(*args, **kwargs)

    monkeypatch.setattr("learnae_localfs.transport.write_file", write)
    monkeypatch.setattr("learnae_localfs.storage.write_file", write)
    publish(shared.place, b"hello")
    store(shared)
    assert threads
    assert "MainThread" not in threads
