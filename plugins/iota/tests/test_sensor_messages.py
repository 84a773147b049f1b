"""Heads and packets: whatever the bytes, only the errors named in the contract come."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota.bundles.bundles import Posting
from learnae_iota.mam.channel import Mode
from learnae_iota.sensors.admission import Admission, SensorKey, admit, verify
from learnae_iota.sensors.heads import Head, read_head, write_head
from learnae_iota.sensors.packets import read_packet, readings_of, write_packet
from learnae_iota.sensors.sessions import SensorSession, sensor_session
from learnae_iota.trinary.trytes import encode_bytes
from sensor_rig import OPEN, SEALED

from learnae import read_secret
from learnae.errors import ConfigError, PeerError, TooLargeError

KEY, OTHER = SensorKey(b"k" * 32), SensorKey(b"o" * 32)
ROOT, NEXT = "R" * 81, "N" * 81


def head(**more: object) -> Head:
    values: dict[str, object] = {
        "sensor": "north",
        "created_ms": 1,
        "key": KEY.public,
        "mode": Mode.PUBLIC,
        "security": 2,
        "first_root": ROOT,
        "root": NEXT,
        "index": 1,
        "readings": 50,
    }
    return Head(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("session", [OPEN, SEALED], ids=["open", "sealed"])
def test_heads_come_back_and_fit_into_one_transaction(session: SensorSession) -> None:
    mode = Mode.RESTRICTED if session.sealed else Mode.PUBLIC
    written = head(sensor="x" * 64, created_ms=2**53 - 1, index=2**53 - 1, readings=2**53 - 1, mode=mode)
    posting = write_head(written, KEY, session)
    assert len(posting.trytes) <= 2187
    assert posting.tag == "WEATHER9CACG".ljust(27, "9")
    filled = Posting(posting.address, posting.trytes.ljust(2187, "9"), posting.tag)
    assert read_head(filled, session) == written


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"key": OTHER.public}, id="another-key"),
        pytest.param({"key": "01" + "0" * 62}, id="key-of-small-order"),
        pytest.param({"security": 4}, id="security"),
        pytest.param({"index": -1}, id="index"),
        pytest.param({"root": "r" * 81}, id="root"),
        pytest.param({"sensor": "../x"}, id="name"),
        pytest.param({"version": 2}, id="version"),
    ],
)
def test_heads_that_are_not_as_they_have_to_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(PeerError):
        read_head(write_head(head(**change), KEY, OPEN), OPEN)


def test_heads_of_another_session_are_refused() -> None:
    posting = write_head(head(), KEY, OPEN)
    for session in (sensor_session("Other"), SEALED):
        with pytest.raises(PeerError):
            read_head(posting, session)
    assert read_head(posting, sensor_session(" weather  2026 ".strip())) == head()


@settings(max_examples=200, deadline=None)
@given(st.text("9ABCMNOZ", max_size=2500) | st.binary(max_size=1000).map(encode_bytes))
def test_any_trytes_are_read_or_refused(trytes: str) -> None:
    for session in (OPEN, SEALED):
        with pytest.raises(PeerError):
            read_head(Posting(session.address, trytes, session.tag), session)
        with pytest.raises(PeerError):
            read_packet(trytes, index=0, root=ROOT, next_root=NEXT, key=KEY.public, session=session)


@pytest.mark.parametrize("session", [OPEN, SEALED], ids=["open", "sealed"])
def test_a_packet_fits_its_place_only(session: SensorSession) -> None:
    trytes = write_packet([{"x": 1}, None, {}], index=3, first=9, end=False, root=ROOT, next_root=NEXT, key=KEY, session=session)
    place = {"index": 3, "root": ROOT, "next_root": NEXT, "key": KEY.public, "session": session}
    assert readings_of(read_packet(trytes, **place)) == [{"x": 1}, None, {}]  # type: ignore[arg-type]
    for wrong in ({"index": 4}, {"root": NEXT}, {"next_root": ROOT}, {"key": OTHER.public}, {"session": sensor_session("Other")}):
        with pytest.raises(PeerError):
            read_packet(trytes, **{**place, **wrong})  # type: ignore[arg-type]


def test_rows_that_fit_no_columns_are_no_readings() -> None:
    body = b'{"learnae":"packet","version":1,"index":0,"first":0,"parts":['
    body += (
        b'{"columns":["x","x"],"rows":[[1,2]]},{"columns":["x"],"rows":[[1],[1,2],[1e301],[99999999999999999999],null,["a"]]}]}'
    )
    signature = KEY.sign(f"packet/{OPEN.codename}/{ROOT}/{NEXT}\n".encode() + body)
    trytes = encode_bytes(msgspec.json.encode({"body": msgspec.Raw(body), "signature": signature}))
    packet = read_packet(trytes, index=0, root=ROOT, next_root=NEXT, key=KEY.public, session=OPEN)
    found = readings_of(packet)
    assert found[:3] == [None, {"x": 1}, None]
    assert found[-2:] == [None, {"x": "a"}]
    assert found[3] is None


def test_a_packet_that_is_too_large_is_refused() -> None:
    with pytest.raises(TooLargeError, match="--instances-per-packet"):
        write_packet([{"x": "y" * 50_000}] * 10, index=0, first=0, end=False, root=ROOT, next_root=NEXT, key=KEY, session=OPEN)


def test_secrets_are_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" MDEyMzQ1Njc4OWFiY2RlZg \n")
    assert read_secret(file) == b"0123456789abcdef"
    for text in ("short", "MDEy", "MDEyMzQ1Njc4OWFiY2RlZg==" * 1000, "not base64!"):
        file.write_text(text)
        with pytest.raises(ConfigError):
            read_secret(file)
    with pytest.raises(ConfigError):
        read_secret(tmp_path / "none")


def test_keys_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    assert admit(file, KEY.public.upper(), "on the\nroof")
    assert not admit(file, KEY.public)
    file.write_text(file.read_text().rstrip("\n"))
    assert admit(file, OTHER.public)
    assert file.read_text() == f"{KEY.public}  # on the roof\n{OTHER.public}\n"
    admission = Admission(file=file)
    assert admission.admits(KEY.public, sealed=False)
    assert not admission.admits("ab" * 32, sealed=True)
    assert Admission(holders=True).admits("ab" * 32, sealed=True)
    with pytest.raises(ConfigError, match="is no sensor's key"):
        admit(file, "KEY")
    file.write_text("nonsense\n")
    with pytest.raises(ConfigError):
        Admission(file=file)


def test_a_file_of_keys_that_is_half_written_does_not_unsettle_a_running_peer(tmp_path: Path) -> None:
    file, said = tmp_path / "keys", list[str]()
    file.write_text(f"{KEY.public}\n")
    admission = Admission(file=file, tell=said.append)
    file.write_text(f"{KEY.public}\n{OTHER.public[:20]}")
    assert not admission.refresh()
    assert not admission.refresh()
    assert admission.admits(KEY.public, sealed=False)
    assert ["the keys that were read before count until that is mended" in text for text in said] == [True]
    file.write_text(f"{OTHER.public}\n")
    assert admission.refresh()
    assert admission.admits(OTHER.public, sealed=False)
    assert not admission.admits(KEY.public, sealed=False)


def test_signatures_are_of_this_use() -> None:
    verify(KEY.public, KEY.sign(b"x"), b"x")
    for key, signature, data in ((KEY.public, KEY.sign(b"x"), b"y"), (OTHER.public, KEY.sign(b"x"), b"x"), ("z", "", b"")):
        with pytest.raises(PeerError):
            verify(key, signature, data)


@pytest.mark.parametrize("name", ["", " x", "x" * 65, "a/b", "ü"])
def test_names_that_no_session_has_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        sensor_session(name)
