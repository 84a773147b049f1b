import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import canonical
from learnae.codec.boards import decode_board, encode_board
from learnae.codec.identity import Identity
from learnae.errors import BadContentError
from learnae.values.announcements import SignedAnnouncement, SliceUse
from learnae.values.ids import Digest, SessionId
from learnae.values.manifest import Limits

Maker = Callable[..., SignedAnnouncement]
SESSION = SessionId("5e" * 32)


def read(
    data: bytes,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    known: Callable[[SignedAnnouncement], bool] | None = None,
) -> tuple[SignedAnnouncement, ...]:
    return decode_board(data, session=SESSION, limits=limits, known=known)


@pytest.fixture(scope="session")
def entries(say: Maker, bob: Identity) -> list[SignedAnnouncement]:
    return [say(), say("hashlist"), say("use"), say(by=bob), say(SliceUse(Digest("00" * 32), 1), by=bob)]


@given(st.data())
def test_a_board_is_a_set(entries: list[SignedAnnouncement], data: st.DataObject) -> None:
    one = encode_board(data.draw(st.permutations(entries + entries[:2])))
    assert one == encode_board(entries)
    found = read(one)
    assert set(found) == set(entries)
    assert list(found) == sorted(found, key=lambda entry: (entry.announcement.author, entry.announcement.subject))


def test_an_empty_board_is_a_board() -> None:
    assert encode_board([]) == b"[]"
    assert read(b"[]") == ()


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_word_on_a_subject_stays(say: Maker, order: int) -> None:
    said = [say("hashlist", sequence=1), say("retired", sequence=2)]
    assert read(encode_board(said[::order])) == (said[1],)


def test_presence_is_never_on_a_board(say: Maker) -> None:
    assert encode_board([say("presence")]) == b"[]"
    assert read(canonical.encode((say("model"), say("presence")))) == (say("model"),)


def test_a_strangers_bad_entries_are_left_out(entries: list[SignedAnnouncement], say: Maker, bob: Identity) -> None:
    forged = SignedAnnouncement(say("retired", sequence=9).announcement, say(by=bob).signature)
    elsewhere = say(SliceUse(Digest("01" * 32), 1), session=SessionId("00" * 32))
    tomorrow = say(SliceUse(Digest("02" * 32), 1), protocol=2)
    assert set(read(encode_board([*entries, forged, elsewhere, tomorrow]))) == set(entries) - {say("hashlist")}


def test_what_is_known_is_not_verified_again(say: Maker, bob: Identity) -> None:
    forged = SignedAnnouncement(say().announcement, say(by=bob).signature)
    asked: list[SignedAnnouncement] = []

    def known(entry: SignedAnnouncement) -> bool:
        asked.append(entry)
        return entry == forged

    data = encode_board([forged, say("use"), say("retired", session=SessionId("00" * 32))])
    # The forged one passes: that shows that nobody looked at its signature.
    assert set(read(data, known=known)) == {forged, say("use")}
    assert set(asked) == {forged, say("use")}


def test_unsorted_or_double_entries_are_refused(say: Maker) -> None:
    for entries in ((say("use"), say("model")), (say("model"), say("model")), (say("hashlist"), say("retired"))):
        with pytest.raises(BadContentError, match="not sorted"):
            read(canonical.encode(entries))


def test_limits_hold(entries: list[SignedAnnouncement]) -> None:
    data = encode_board(entries)
    assert len(read(data, Limits(board_bytes=len(data), peers=5, subjects_per_peer=1))) == 5
    with pytest.raises(BadContentError, match="bytes where"):
        read(data, Limits(board_bytes=len(data) - 1))
    with pytest.raises(BadContentError, match="5 entries where at most 4"):
        read(data, Limits(peers=2, subjects_per_peer=2))


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_give_nothing_or_the_one_error(data: bytes) -> None:
    with contextlib.suppress(BadContentError):
        assert read(data) == ()


@given(st.data())
def test_damaged_boards_hold_only_what_was_signed(entries: list[SignedAnnouncement], data: st.DataObject) -> None:
    changed = bytearray(encode_board(entries))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(changed))
    except BadContentError:
        return
    assert set(found) < set(entries)
