"""Hostile things in the folder itself: links, pipes, devices, names, and what is deleted or overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from learnae_localfs.frames import write_frame

from hostile_rig.arena import Arena
from hostile_rig.case import Case, Outcome
from hostile_rig.messages import proper
from hostile_rig.stranger import PERFECT, Stranger
from learnae.values.announcements import ModelOffer, ModelRecord
from learnae.values.ids import Digest, Locator

SLOT = "c" * 64
_ENOUGH_LINKS = 3


def at_slot(name: str, make: Callable[[Path], None], *, slot: str = SLOT) -> Case:
    """Put something where a message should be."""

    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        folder = arena.messages / stranger.owner
        folder.mkdir(parents=True)
        make(folder / slot)
        return stranger

    return Case(name, attack, Outcome.UNREAD)


def at_file(name: str, make: Callable[[Path], None], reason: str = "nobody keeps") -> Case:
    """Put something where a model should be, and offer it."""

    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        content = os.urandom(32).hex()
        folder = arena.files / stranger.owner
        folder.mkdir(parents=True)
        make(folder / content)
        record = ModelRecord(Digest(os.urandom(32).hex()), PERFECT, 1)
        return stranger.say(ModelOffer(record, (Locator(f"localfs:{stranger.owner}/{content}"),)))

    return Case(name, attack, Outcome.RETRIED, reason)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)


def unreadable(path: Path) -> None:
    """Make a file that only its owner's superuser may read."""
    path.write_bytes(write_frame(b"secret"))
    path.chmod(0)


def device(path: Path) -> None:
    """Make a device like /dev/zero; who may not, makes a link to it."""
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def owner_link(where: str, target: Path) -> Callable[[Arena], Stranger]:
    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        (getattr(arena, where) / stranger.owner).symlink_to(target, target_is_directory=True)
        record = ModelRecord(Digest(os.urandom(32).hex()), PERFECT, 1)
        if where == "files":
            stranger.say(ModelOffer(record, (Locator(f"localfs:{stranger.owner}/{'d' * 64}"),)))
        return stranger

    return attack


def strange_names(arena: Arena) -> Stranger:
    """Make files and folders whose names are no names."""
    stranger, message = proper(arena)
    folder = os.fsencode(arena.messages / stranger.owner)
    Path(os.fsdecode(folder)).mkdir(parents=True)
    names = (
        b"\n" * 3,
        b"a" * 64 + b"\n",
        b"\xff\xfe\x80",
        b"n" * 255,
        b" ",
        b"-rf",
        b"a" * 63,
        b"A" * 64,
        b"a" * 64 + b"\x1b[2J",
        b"%s%n",
    )
    for name in names:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(write_frame(message))
        for above in (arena.messages, arena.files):
            Path(os.fsdecode(os.fsencode(above) + b"/" + name)).mkdir(exist_ok=True)
    return stranger


def hard_links(arena: Arena) -> Stranger:
    """Link one of the victim's messages under many names: they are replays."""
    stranger = Stranger(arena)
    (arena.messages / stranger.owner).mkdir()
    own = min((arena.messages / arena.seal.owner(arena.victim.peer)).iterdir())
    for index in range(_ENOUGH_LINKS):
        os.link(own, arena.messages / stranger.owner / f"{index:064x}")
    return stranger


def conflict_copies(arena: Arena) -> Stranger:
    """Leave what synchronisers make of conflicts, of a message that was seen."""
    stranger, message = proper(arena)
    arena.post(stranger.owner, SLOT, message)
    arena.wait_until_everything_was_read()
    for ending in (".sync-conflict-20260101-000000-ABCDEFG", " (conflicted copy 2026-01-01)"):
        arena.write(arena.messages / stranger.owner / (SLOT + ending), write_frame(message))
    return stranger


def thousands_of_files(arena: Arena) -> Stranger:
    """Fill a folder with small files that hold no message."""
    stranger = Stranger(arena)
    folder = arena.messages / stranger.owner
    folder.mkdir()
    for index in range(3_000):
        (folder / f"{index:064x}").write_bytes(b"LEARNAE1 no")
    return stranger


def everything_of_the_victims_deleted(arena: Arena) -> None:
    """Remove all that the victim keeps in the folder: it goes on, and soon it is there again."""
    owner = arena.seal.owner(arena.victim.peer)
    for above in (arena.files, arena.messages):
        shutil.rmtree(above / owner, ignore_errors=True)


def victims_words_overwritten(arena: Arena) -> None:
    """Write garbage over the victim's latest words."""
    for path in (arena.messages / arena.seal.owner(arena.victim.peer)).iterdir():
        path.write_bytes(b"garbage")


def presence_is_back(arena: Arena) -> bool:
    """Say whether the victim's presence lies in the folder, whole."""
    slot = arena.seal.slot(arena.victim.peer, "presence")
    path = arena.messages / arena.seal.owner(arena.victim.peer) / slot
    return path.exists() and path.read_bytes().startswith(b"LEARNAE1")


CASES = (
    at_slot("a message that links to /etc/passwd", lambda path: path.symlink_to("/etc/passwd")),
    at_slot("a message that links to /dev/zero", lambda path: path.symlink_to("/dev/zero")),
    at_slot("a named pipe for a message", os.mkfifo),
    at_slot("a device for a message", device),
    at_slot("a folder for a message", lambda path: path.mkdir()),
    at_slot("a message file of 10 GB", sparse),
    at_slot("a message that nobody may read", unreadable, slot=".hidden"),
    Case("an owner's folder that links to /", owner_link("messages", Path("/")), Outcome.UNREAD),
    Case("names with line feeds, no UTF-8, 255 bytes, escapes", strange_names, Outcome.UNREAD),
    Case("hard links to the victim's messages", hard_links, Outcome.KNOWN),
    Case("conflict copies of a message", conflict_copies, Outcome.KNOWN),
    Case("3,000 files without a message", thousands_of_files, Outcome.UNREAD),
    at_file("a model that links to /etc/passwd", lambda path: path.symlink_to("/etc/passwd")),
    at_file("a named pipe for a model", os.mkfifo),
    at_file("a device for a model", device),
    at_file("a folder for a model", lambda path: path.mkdir()),
    at_file("a model of 10 GB", sparse, "more than"),
    Case("files in a folder that links to /", owner_link("files", Path("/")), Outcome.RETRIED),
)
