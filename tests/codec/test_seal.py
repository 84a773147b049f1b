from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import seal as seal_module
from learnae.codec.digests import plain_digest
from learnae.codec.seal import Seal, new_secret, read_secret, secret_check, write_secret
from learnae.errors import ConfigError, ForgedError, UsageError
from learnae.values.ids import PeerId, SessionId

SESSION = SessionId("5e" * 32)
OTHER = SessionId("5f" * 32)
SECRET = bytes(range(32))
PEER = PeerId("aa" * 32)


def is_name(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def test_without_a_secret_nothing_changes() -> None:
    seal = Seal(SESSION, None)
    assert not seal.sealed
    assert seal.overhead == 0
    assert seal.open(seal.seal(b"data", "model"), "model") == b"data"
    assert seal.seal(b"data", "model") == b"data"
    assert seal.digest(b"data") == plain_digest(b"data")
    assert (seal.rendezvous, seal.owner(PEER)) == (SESSION, PEER)
    assert is_name(seal.slot(PEER, "model"))


@given(data=st.binary(max_size=200), purpose=st.sampled_from(["model", "board"]))
def test_what_is_sealed_opens(data: bytes, purpose: str) -> None:
    seal = Seal(SESSION, SECRET)
    sealed = seal.seal(data, purpose)
    assert len(sealed) == len(data) + seal.overhead
    assert Seal(SESSION, SECRET).open(sealed, purpose) == data


def test_the_bytes_are_those_of_the_standards() -> None:
    salt = b"s" * 32
    sealed = Seal(SESSION, SECRET, entropy=lambda size: salt[:size]).seal(b"data", "model")
    key = HKDF(hashes.SHA256(), 32, salt, b"learnae seal").derive(SECRET)
    assert sealed == salt + ChaCha20Poly1305(key).encrypt(bytes(12), b"data", f"learnae/{SESSION}/model".encode())
    assert sealed[32:].hex() == "e1d85a6f836e0b3ef77dcacc0b70dd7e37a800c6"


def test_equal_contents_give_different_bytes() -> None:
    seal = Seal(SESSION, SECRET)
    assert seal.seal(b"data", "model") != seal.seal(b"data", "model")


def test_every_flipped_bit_is_noticed() -> None:
    seal = Seal(SESSION, SECRET)
    sealed = seal.seal(b"data", "model")
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ForgedError, match="does not verify"):
            seal.open(bytes(changed), "model")


def test_every_cut_is_noticed() -> None:
    seal = Seal(SESSION, SECRET)
    sealed = seal.seal(b"data", "model")
    for end in range(len(sealed)):
        with pytest.raises(ForgedError):
            seal.open(sealed[:end], "model")


@pytest.mark.parametrize(
    ("reader", "purpose"),
    [
        pytest.param(Seal(SESSION, SECRET), "board", id="another purpose"),
        pytest.param(Seal(OTHER, SECRET), "model", id="another session"),
        pytest.param(Seal(SESSION, SECRET[::-1]), "model", id="another secret"),
    ],
)
def test_a_seal_is_bound_to_secret_session_and_purpose(reader: Seal, purpose: str) -> None:
    sealed = Seal(SESSION, SECRET).seal(b"data", "model")
    with pytest.raises(ForgedError):
        reader.open(sealed, purpose)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ForgedError):
        Seal(SESSION, SECRET).open(data, "model")


def test_more_than_the_cipher_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_module, "MOST_PLAIN_BYTES", 4)
    seal = Seal(SESSION, SECRET)
    assert seal.open(seal.seal(b"1234", "model"), "model") == b"1234"
    with pytest.raises(UsageError, match="5 bytes"):
        seal.seal(b"12345", "model")
    with pytest.raises(ForgedError):
        seal.open(bytes(5 + seal.overhead), "model")


def test_names_tell_nothing_without_the_secret() -> None:
    def names(seal: Seal) -> set[str]:
        return {
            seal.digest(b"data"),
            seal.rendezvous,
            seal.owner(PEER),
            seal.slot(PEER, "model"),
            seal.slot(PEER, "presence"),
            seal.slot(PeerId("ab" * 32), "model"),
        }

    all_names = [names(Seal(*each)) for each in [(SESSION, SECRET), (SESSION, SECRET[::-1]), (OTHER, SECRET), (SESSION, None)]]
    assert all(is_name(name) for found in all_names for name in found)
    assert len(set().union(*all_names)) == 4 * 6
    assert not {str(SESSION), str(PEER)} & all_names[0]
    assert names(Seal(SESSION, SECRET)) == all_names[0]


def test_the_key_of_a_network_is_its_sessions_and_its_secrets_alone() -> None:
    assert Seal(SESSION, None).network_key is None
    keys = [Seal(*each).network_key for each in [(SESSION, SECRET), (SESSION, SECRET[::-1]), (OTHER, SECRET)]]
    assert all(key is not None and is_name(key) for key in keys)
    assert len(set(keys)) == 3
    assert keys[0] == Seal(SESSION, SECRET).network_key
    seal = Seal(SESSION, SECRET)
    # Of what everybody sees on a ledger, and of what the other keys are, nothing is this key.
    seen = {str(SESSION), seal.rendezvous, seal.owner(PEER), seal.slot(PEER, "model"), seal.digest(b""), secret_check(SECRET)}
    purposes = (b"learnae digests", b"learnae names", b"learnae seal", b"learnae secret check")
    others = {HKDF(hashes.SHA256(), 32, SESSION.encode(), purpose).derive(SECRET).hex() for purpose in purposes}
    assert keys[0] not in seen | others | {SECRET.hex()}


def test_known_names() -> None:
    # What is on a ledger today must be found by the next version too.
    seal = Seal(SESSION, SECRET)
    assert seal.digest(b"data") == "e15c772f0b9e3b1ca6c529e81decd44307207a87d3ad68e4f6c2ffd4d9391847"
    assert seal.rendezvous == "340a063673ca04f890af023535cbae4333921caaa22acaca6e69e3a24013010f"
    assert seal.owner(PEER) == "cf3c986499afb649516c3533dadefa5c75815a312c0cf7f5d0a0140e44fd0bf5"
    assert seal.slot(PEER, "model") == "92bf3165929e58fcd8e3b86ceca986160fdcdd6c52aa5d99bf530d34b7d4ffc6"
    assert seal.network_key == "f80871057c36c3d52ea65fed5c732e5e0f2b082c8592f085febaf084249d4ea9"
    assert secret_check(SECRET) == "1c1661d298efd492c7efa4b364628eabeda7fec4077f58b64b8230873577d294"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 16 bytes, not 15"):
        Seal(SESSION, b"x" * 15)


def test_the_check_tells_secrets_apart() -> None:
    first, second = new_secret(), new_secret()
    assert len(first) == 32
    assert secret_check(first) == secret_check(first) != secret_check(second)
    assert is_name(secret_check(first))


def test_a_secret_survives_its_file(tmp_path: Path) -> None:
    write_secret(tmp_path / "secret", SECRET)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert read_secret(tmp_path / "secret") == SECRET


def test_padding_and_white_space_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\n AAECAwQFBgcICQoLDA0ODw \r\n")
    assert read_secret(path) == bytes(range(16))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(b"", "at least 16 bytes, not 0", id="empty"),
        pytest.param(b"AAECAwQFBgcICQoLDA0O", "at least 16 bytes, not 15", id="short"),
        pytest.param(b"AAECAwQFBgcICQoL\nDA0ODw", "base64", id="two lines"),
        pytest.param(b"AAECAwQFBgcICQoLDA0ODw$$", "base64", id="not base64"),
        pytest.param(b"A" * 25, "base64", id="an impossible length"),
        pytest.param("é".encode() * 20, "base64", id="not ASCII"),
        pytest.param(b"A" * 5000, "more than the 4096 bytes", id="too long"),
    ],
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, text: bytes, complaint: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_secret(path)
    assert str(path) in str(caught.value)


def test_a_missing_secret_is_an_operators_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"secret: the secret cannot be read"):
        read_secret(tmp_path / "secret")


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    write_secret(tmp_path / "secret", SECRET)
    with pytest.raises(ConfigError, match="never overwritten"):
        write_secret(tmp_path / "secret", SECRET[::-1])
    assert read_secret(tmp_path / "secret") == SECRET


def test_a_secret_that_cannot_be_written_is_an_operators_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_secret(tmp_path / "no folder" / "secret", SECRET)
    with pytest.raises(ConfigError, match="at least 16"):
        write_secret(tmp_path / "secret", b"short")
