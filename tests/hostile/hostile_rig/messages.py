"""Hostile announcements."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from learnae_localfs.frames import write_frame

from hostile_rig.arena import Arena
from hostile_rig.case import Case, Outcome
from hostile_rig.stranger import PERFECT, Stranger, renamed
from learnae.codec.identity import SMALL_ORDER
from learnae.codec.messages import encode_message
from learnae.values.announcements import ModelOffer, ModelRecord, Presence
from learnae.values.choices import Role
from learnae.values.ids import Digest, Locator, PeerId

HERE = Presence(Role.FULL, False, None, ())


def raw(arena: Arena, data: bytes) -> Stranger:
    """Put a file where a message should be."""
    stranger = Stranger(arena)
    arena.write(arena.messages / stranger.owner / ("a" * 64), data)
    return stranger


def proper(arena: Arena) -> tuple[Stranger, bytes]:
    """Make a stranger and a message of its that would be taken."""
    stranger = Stranger(arena)
    return stranger, encode_message(stranger.signed(HERE), arena.seal)


def half_frame(arena: Arena) -> Stranger:
    return raw(arena, write_frame(proper(arena)[1])[:-30])


def wrong_checksum(arena: Arena) -> Stranger:
    frame = write_frame(proper(arena)[1])
    return raw(arena, frame[:-1] + bytes([frame[-1] ^ 1]))


def duplicate_keys(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    return stranger.post_json(stranger.spelt()[:-1] + b',"sequence":9}')


def unknown_field(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    return stranger.post_json(stranger.spelt(admin=b"true"))


def white_space(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    return stranger.post_json(stranger.spelt().replace(b":", b": ", 1))


def other_order(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    spelt = stranger.spelt()
    return stranger.post_json(spelt.replace(b'"protocol":1,', b"")[:-1] + b',"protocol":1}')


def spelt(name: str, outcome: Outcome, reason: str, **changes: bytes) -> Case:
    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        return stranger.post_json(stranger.spelt(**changes))

    return Case(name, attack, outcome, reason)


def scored(name: str, score: bytes, reason: str = "announcement:") -> Case:
    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        return stranger.post_json(stranger.spelt_model(score))

    return Case(name, attack, Outcome.IGNORED, reason)


def located(name: str, locators: bytes) -> Case:
    def attack(arena: Arena) -> Stranger:
        stranger = Stranger(arena)
        return stranger.post_json(stranger.spelt_model(b'{"accuracy":1.0,"loss":0.0,"rows":9}', locators))

    return Case(name, attack, Outcome.IGNORED, "announcement:")


def flipped_signature(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    signed = stranger.signed(HERE)
    last = "0" if signed.signature[-1] != "0" else "1"
    return stranger.publish(msgspec.structs.replace(signed, signature=signed.signature[:-1] + last))


def in_the_victims_name(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    return stranger.publish(renamed(stranger.signed(HERE, 2**40), arena.victim.peer))


def small_order(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    weak = PeerId(next(iter(y for y in sorted(SMALL_ORDER) if y == 1)).to_bytes(32, "little").hex())
    return stranger.publish(renamed(stranger.signed(HERE), weak))


def replayed_from_the_victim(arena: Arena) -> Stranger:
    """Copy what the victim said, under another owner's name."""
    stranger = Stranger(arena)
    owner = arena.seal.owner(arena.victim.peer)
    for index, path in enumerate(sorted((arena.messages / owner).iterdir())):
        arena.write(arena.messages / stranger.owner / f"{index:064x}", path.read_bytes())
    return stranger


def replayed_older(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    old = stranger.signed(HERE)
    stranger.say(Presence(Role.FULL, True, None, ()))
    arena.wait_until_everything_was_read()
    arena.post(stranger.owner, "b" * 64, encode_message(old, arena.seal))
    return stranger


def model_at(locator: str) -> ModelOffer:
    return ModelOffer(ModelRecord(Digest(os.urandom(32).hex()), PERFECT, 1), (Locator(locator),))


def lost_model(name: str, locator: str, reason: str = "") -> Case:
    return Case(name, lambda arena: Stranger(arena).say(model_at(locator)), Outcome.RETRIED, reason)


PASSWORDS = str(Path("/etc/passwd"))
BOMB = b"[" * 16_000

CASES = (
    Case("an announcement file of 2 MB", lambda arena: raw(arena, write_frame(b"x" * 2_000_000)), Outcome.UNREAD),
    Case("half a frame", half_frame, Outcome.UNREAD),
    Case("a frame with a wrong checksum", wrong_checksum, Outcome.UNREAD),
    Case("an empty file", lambda arena: raw(arena, b""), Outcome.UNREAD),
    Case("an announcement of 20 kB", lambda arena: Stranger(arena).post(b"x" * 20_000), Outcome.IGNORED, "bytes where 16384"),
    Case("no JSON", lambda arena: Stranger(arena).post(b"\x80\x04pickle"), Outcome.IGNORED, "announcement:"),
    Case("16,000 opening brackets", lambda arena: Stranger(arena).post(BOMB), Outcome.IGNORED, "announcement:"),
    Case("duplicate keys", duplicate_keys, Outcome.IGNORED, "canonical"),
    Case("an unknown field", unknown_field, Outcome.IGNORED, "unknown field"),
    Case("white space", white_space, Outcome.IGNORED, "canonical"),
    Case("keys in another order", other_order, Outcome.IGNORED, "canonical"),
    spelt("another protocol version", Outcome.IGNORED, "protocol version", protocol=b"2"),
    spelt("another session", Outcome.IGNORED, "of session", session=b'"' + b"1" * 64 + b'"'),
    spelt("a negative sequence number", Outcome.IGNORED, "sequence", sequence=b"-1"),
    spelt("a sequence number of 1e400", Outcome.IGNORED, "announcement:", sequence=b"1e400"),
    spelt("a sequence number beyond 2**53", Outcome.IGNORED, "sequence", sequence=b"9007199254740992"),
    spelt("the highest sequence number there is", Outcome.TAKEN, "", sequence=b"9007199254740991"),
    Case("a wrong signature", flipped_signature, Outcome.IGNORED, "does not verify"),
    Case("the victim's name, another's signature", in_the_victims_name, Outcome.IGNORED, "does not verify"),
    Case("a public key of small order", small_order, Outcome.IGNORED, "no proper public key"),
    Case("the victim's own words, replayed", replayed_from_the_victim, Outcome.KNOWN),
    Case("an older announcement, replayed", replayed_older, Outcome.KNOWN),
    scored("an accuracy of NaN", b'{"accuracy":NaN,"loss":0.0,"rows":9}'),
    scored("an accuracy of Infinity", b'{"accuracy":Infinity,"loss":0.0,"rows":9}'),
    scored("a loss of 1e400", b'{"accuracy":1.0,"loss":1e400,"rows":9}'),
    scored("a loss of -1e31", b'{"accuracy":1.0,"loss":-1e31,"rows":9}'),
    located("a locator with a line feed", b'["localfs:a\\nb"]'),
    located("five locators", b'["a:b","a:c","a:d","a:e","a:f"]'),
    lost_model("a locator that climbs out of the folder", f"localfs:../../../../../..{PASSWORDS}", "no locator of localfs"),
    lost_model("a locator of an unknown scheme", f"file:{PASSWORDS}", "no storage here reads"),
    lost_model("a locator /dev/zero", "localfs:/dev/zero", "no locator of localfs"),
    lost_model("a model that nobody keeps", f"localfs:{'a' * 64}/{'b' * 64}", "nobody keeps"),
)
