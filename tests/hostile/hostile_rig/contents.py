"""Hostile models, dataslices, hashlists and boards."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from hostile_rig.arena import Arena
from hostile_rig.case import Case, Outcome
from hostile_rig.messages import HERE
from hostile_rig.stranger import PERFECT, Stranger, renamed
from learnae.codec import canonical
from learnae.codec.slices import encode_slice
from learnae.codec.tensors import encode_tensors
from learnae.codec.weights import encode_weights
from learnae.values.announcements import PROTOCOL, Hashlist, HashlistEntry, ModelOffer, ModelRecord, Presence, SliceUse
from learnae.values.choices import Role
from learnae.values.ids import Digest, Locator, SessionId
from learnae.values.mlp import mlp_initial_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOWHERE = Locator(f"localfs:{'a' * 64}/{'b' * 64}")
Weights = dict[str, "NDArray[Any]"]


def noisy(arena: Arena, scale: float = 3.0) -> Weights:
    """Draw weights that fit the manifest and are good for nothing."""
    draw = np.random.default_rng(int.from_bytes(os.urandom(8), "big"))
    shapes = mlp_initial_weights(arena.manifest)
    return {path: (scale * draw.standard_normal(array.shape)).astype(np.float32) for path, array in shapes.items()}


def model(name: str, spoil: Callable[[Weights], None], outcome: Outcome = Outcome.CHARGED, reason: str = "model:") -> Case:
    def attack(arena: Arena) -> Stranger:
        weights = noisy(arena)
        spoil(weights)
        return Stranger(arena).offer_model(encode_weights(weights))

    return Case(name, attack, outcome, reason)


def model_bytes(name: str, spoil: Callable[[bytes], bytes], outcome: Outcome = Outcome.CHARGED, reason: str = "model:") -> Case:
    def attack(arena: Arena) -> Stranger:
        return Stranger(arena).offer_model(spoil(encode_weights(noisy(arena))))

    return Case(name, attack, outcome, reason)


def _reshape(weights: Weights) -> None:
    weights["dense0/kernel"] = weights["dense0/kernel"].T.copy()


def _rename(weights: Weights) -> None:
    weights["dense9/bias"] = weights.pop("dense0/bias")


def _halve(weights: Weights) -> None:
    weights["dense0/kernel"] = weights["dense0/kernel"].astype(np.float16)


def _add(weights: Weights) -> None:
    weights["extra"] = np.zeros(0, np.float32)


def _put(value: float) -> Callable[[Weights], None]:
    def spoil(weights: Weights) -> None:
        weights["dense0/kernel"][0, 0] = value

    return spoil


def _blow_up(weights: Weights) -> None:
    for array in weights.values():
        array[...] = 3e38


def header_bomb(data: bytes) -> bytes:
    return (2**63).to_bytes(8, "little") + data[8:]


def overlapping(data: bytes) -> bytes:
    """Make two tensors share their bytes; the header keeps its length."""
    size = int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8 : 8 + size])
    for entry in header.values():
        length = entry["data_offsets"][1] - entry["data_offsets"][0]
        entry["data_offsets"] = [0, length]
    text = msgspec.json.encode(header).ljust(size)
    return size.to_bytes(8, "little") + text + data[8 + size :]


def metadata(data: bytes) -> bytes:
    size = int.from_bytes(data[:8], "little")
    text = b'{"__metadata__":{"a":"b"},' + data[9 : 8 + size].strip()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def lying_digest(arena: Arena) -> Stranger:
    return Stranger(arena).offer_model(encode_weights(noisy(arena)), digest=Digest(os.urandom(32).hex()))


def damaged_file(arena: Arena) -> Stranger:
    """Store a file that is not what its name says, and announce it."""
    stranger = Stranger(arena)
    name = os.urandom(32).hex()
    arena.write(arena.files / stranger.owner / name, b"half a mod")
    record = ModelRecord(Digest(os.urandom(32).hex()), PERFECT, 1)
    return stranger.say(ModelOffer(record, (Locator(f"localfs:{stranger.owner}/{name}"),)))


def lie(name: str, accuracy: float, loss: float) -> Case:
    def attack(arena: Arena) -> Stranger:
        score = msgspec.structs.replace(PERFECT, accuracy=accuracy, loss=loss)
        return Stranger(arena).offer_model(encode_weights(noisy(arena)), score=score)

    return Case(name, attack, Outcome.REJECTED)


def entry(digest: str, evaluation: bool = False) -> HashlistEntry:
    return HashlistEntry(Digest(digest), 10, evaluation, (NOWHERE,))


def hashlist(
    name: str, entries: tuple[HashlistEntry, ...], outcome: Outcome, reason: str = "", session: SessionId | None = None
) -> Case:
    def attack(arena: Arena) -> Stranger:
        written = canonical.encode(Hashlist(PROTOCOL, session or arena.session, entries))
        return Stranger(arena).offer_hashlist(written)

    return Case(name, attack, outcome, reason)


def many_slices_that_nobody_has(arena: Arena) -> Stranger:
    entries = tuple(entry(digest) for digest in sorted(os.urandom(32).hex() for _ in range(2_000)))
    return Stranger(arena).offer_hashlist(canonical.encode(Hashlist(PROTOCOL, arena.session, entries)))


def a_million_entries(arena: Arena) -> Stranger:
    one = canonical.encode(entry("0" * 64))
    head, tail = canonical.encode(Hashlist(PROTOCOL, arena.session, ())).split(b"[]")
    return Stranger(arena).offer_hashlist(head + b"[" + b",".join([one] * 1_000_000) + b"]" + tail)


def rows(count: int, columns: int = 28) -> NDArray[np.float32]:
    """Draw rows that fit the schema, if ``columns`` does."""
    table = np.frombuffer(os.urandom(count * columns), np.uint8).astype(np.float32).reshape(count, columns) / 64 - 2
    table[:, -1] = table[:, -1] > 0
    return table


def slices(name: str, make: Callable[[], bytes], outcome: Outcome = Outcome.CHARGED, reason: str = "dataslice:") -> Case:
    return Case(name, lambda arena: Stranger(arena).offer_slices(make()), outcome, reason)


def _with(row: int, column: int, value: float) -> bytes:
    table = rows(10)
    table[row, column] = value
    return encode_tensors({"rows": table})


def forged_entries(arena: Arena) -> Stranger:
    """Show a board in which the victim and others say what they never said."""
    stranger, other = Stranger(arena), Stranger(arena)
    offer = ModelOffer(ModelRecord(Digest("d" * 64), PERFECT, 1), (NOWHERE,))
    forged = [renamed(stranger.signed(offer), author) for author in (arena.victim.peer, other.peer)]
    forged.sort(key=lambda signed: signed.announcement.author)
    return stranger.show_board(stranger.board(*forged))


def two_for_one_subject(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    use = SliceUse(Digest("c" * 64), 1)
    return stranger.show_board(stranger.board(stranger.signed(use), stranger.signed(use)))


def unsorted_board(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    entries = sorted(
        (stranger.signed(SliceUse(Digest(letter * 64), 1)) for letter in "cd"), key=lambda s: s.announcement.subject, reverse=True
    )
    return stranger.show_board(stranger.board(*entries))


def board_of_presences(arena: Arena) -> Stranger:
    stranger = Stranger(arena)
    return stranger.show_board(stranger.board(stranger.signed(HERE)))


def board_bytes(name: str, make: Callable[[], bytes], outcome: Outcome, reason: str = "") -> Case:
    return Case(name, lambda arena: Stranger(arena).show_board(make()), outcome, reason)


def board_that_never_comes(arena: Arena) -> Stranger:
    return Stranger(arena).say(Presence(Role.FULL, False, Digest(os.urandom(32).hex()), (NOWHERE,)))


MODELS = (
    model_bytes("a model cut short", lambda data: data[:-4], reason="bytes, where"),
    model_bytes("a model ten times too large", lambda data: data * 10, Outcome.RETRIED, "more than"),
    model_bytes("a pickle", lambda data: pickle.dumps(os.getcwd).ljust(len(data)), reason="not the manifest's"),
    model_bytes("a header of 2**63 bytes", header_bomb, reason="not the manifest's"),
    model_bytes("tensors that overlap", overlapping, reason="not the manifest's"),
    model_bytes("a model with metadata", lambda data: metadata(data)[: len(data)], reason="not the manifest's"),
    model("a transposed array", _reshape, reason="not the manifest's"),
    model("an array of another name", _rename, reason="not the manifest's"),
    model("an array of another dtype", _halve, reason="bytes, where"),
    model("an array too many", _add, Outcome.RETRIED, "more than"),
    model("a weight of NaN", _put(float("nan")), reason="not finite"),
    model("a weight of infinity", _put(float("inf")), reason="not finite"),
    model("weights of 3e38", _blow_up, Outcome.REJECTED),
    Case("a digest that does not match", lying_digest, Outcome.RETRIED, "not what was announced"),
    Case("a file that is not what its name says", damaged_file, Outcome.RETRIED, "not those of its name"),
    lie("random weights said to be 100 % right", 1.0, 0.0),
    lie("random weights said to be 200 % right", 2.0, -1e30),
)
SLICES = (
    hashlist("a hashlist of another session", (entry("1" * 64),), Outcome.CHARGED, "of session", SessionId("1" * 64)),
    hashlist("a hashlist that names a slice twice", (entry("1" * 64),) * 2, Outcome.CHARGED, "named twice"),
    hashlist("a hashlist out of order", (entry("2" * 64), entry("1" * 64)), Outcome.CHARGED, "not sorted"),
    hashlist("a slice that nobody keeps", (entry("3" * 64),), Outcome.RETRIED, "nobody keeps"),
    Case("a hashlist with a million entries", a_million_entries, Outcome.RETRIED, "more than"),
    Case("2,000 slices that nobody has", many_slices_that_nobody_has, Outcome.RETRIED, "nobody keeps"),
    Case("a hashlist of opening braces", lambda a: Stranger(a).offer_hashlist(b'{"a":' * 100_000), Outcome.CHARGED, "hashlist:"),
    slices("a slice with a column too few", lambda: encode_slice(rows(10, 27))),
    slices("a slice with NaN", lambda: _with(1, 1, float("nan")), reason="not finite"),
    slices("a slice of a class that is not", lambda: _with(1, -1, 7.0), reason="class"),
    slices("a slice of class 0.5", lambda: _with(1, -1, 0.5), reason="class"),
    slices("a slice without rows", lambda: encode_tensors({"rows": rows(0)})),
    slices("a slice of float64", lambda: encode_tensors({"rows": rows(10).astype(np.float64)})),
    slices("a slice with more rows than slice_size", lambda: encode_slice(rows(41)), Outcome.RETRIED, "more than"),
    slices("a slice cut short", lambda: encode_slice(rows(10))[:-1]),
)
BOARDS = (
    Case("a board with forged entries of the victim and others", forged_entries, Outcome.MERGED),
    Case("a board with presences", board_of_presences, Outcome.MERGED),
    Case("a board with two entries for one subject", two_for_one_subject, Outcome.CHARGED, "two entries"),
    Case("a board out of order", unsorted_board, Outcome.CHARGED, "not sorted"),
    board_bytes("a board of opening brackets", lambda: b"[" * 1_000_000, Outcome.CHARGED, "board:"),
    board_bytes("a board of 2 MB of nothing", lambda: b" " * 2_000_000 + b"[]", Outcome.CHARGED, "board:"),
    board_bytes("a board of 30 MB", lambda: b"[" + b"0," * 15_000_000 + b"0]", Outcome.RETRIED, "more than"),
    Case("a board that never comes", board_that_never_comes, Outcome.RETRIED, "nobody keeps"),
)
CASES = (*MODELS, *SLICES, *BOARDS)
