from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import canonical
from learnae.codec.identity import Identity
from learnae.codec.messages import decode_message, encode_message
from learnae.codec.seal import Seal
from learnae.errors import ForgedError
from learnae.values.announcements import SignedAnnouncement
from learnae.values.ids import SessionId
from learnae.values.manifest import Limits

Maker = Callable[..., SignedAnnouncement]
SESSION = SessionId("5e" * 32)
SEALS = [pytest.param(Seal(SESSION, None), id="open"), pytest.param(Seal(SESSION, bytes(32)), id="sealed")]


def read(data: bytes, seal: Seal, limits: Limits = Limits()) -> SignedAnnouncement:  # noqa: B008 - frozen
    return decode_message(data, seal, session=SESSION, limits=limits)


@pytest.mark.parametrize("seal", SEALS)
@pytest.mark.parametrize("kind", ["model", "hashlist", "use", "presence", "retired"])
def test_every_announcement_survives_the_wire(say: Maker, seal: Seal, kind: str) -> None:
    signed = say(kind)
    assert read(encode_message(signed, seal), seal) == signed


def test_the_bytes_of_an_open_session_stay_what_they_are(say: Maker, alice: Identity) -> None:
    signed = say("use")
    assert encode_message(signed, Seal(SESSION, None)) == (
        b'{"announcement":{"protocol":1,"session":"' + b"5e" * 32 + b'","author":"' + alice.peer.encode() + b'","sequence":7,'
        b'"content":{"type":"use","slice":"' + b"d1" * 32 + b'","uses":2}},"signature":"' + signed.signature.encode() + b'"}'
    )


@pytest.mark.parametrize("seal", SEALS)
def test_every_flipped_bit_is_noticed(say: Maker, seal: Seal) -> None:
    data = encode_message(say("use"), seal)
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ForgedError):
            read(bytes(changed), seal)


@pytest.mark.parametrize("seal", SEALS)
def test_the_limit_is_in_bytes_of_plaintext(say: Maker, seal: Seal) -> None:
    signed = say()
    size = len(canonical.encode(signed))
    assert read(encode_message(signed, seal), seal, Limits(announcement_bytes=size)) == signed
    with pytest.raises(ForgedError, match="bytes where"):
        read(encode_message(signed, seal), seal, Limits(announcement_bytes=size - 1))


def test_an_open_message_means_nothing_in_a_sealed_session(say: Maker) -> None:
    with pytest.raises(ForgedError):
        read(encode_message(say(), Seal(SESSION, None)), Seal(SESSION, bytes(32)))


def test_well_signed_words_for_elsewhere_cost_nobody(say: Maker) -> None:
    seal = Seal(SESSION, None)
    with pytest.raises(ForgedError, match="of session 0000"):
        read(encode_message(say(session=SessionId("00" * 32)), seal), seal)
    with pytest.raises(ForgedError, match="protocol version 2, not 1"):
        read(encode_message(say(protocol=2), seal), seal)


def test_a_forged_signature_is_refused(say: Maker, bob: Identity) -> None:
    seal = Seal(SESSION, None)
    forged = SignedAnnouncement(say().announcement, say(by=bob).signature)
    with pytest.raises(ForgedError, match="does not verify"):
        read(encode_message(forged, seal), seal)


@pytest.mark.parametrize("seal", SEALS)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_forged(seal: Seal, data: bytes) -> None:
    with pytest.raises(ForgedError):
        read(data, seal)
