import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import canonical, identity
from learnae.codec.identity import DOMAIN, PRIME, SMALL_ORDER, Identity, verify
from learnae.errors import ForgedError, StateError, UsageError
from learnae.values.announcements import SignedAnnouncement
from learnae.values.ids import PeerId, SessionId

Maker = Callable[..., SignedAnnouncement]

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    pytest.param(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        id="test 1",
    ),
    pytest.param(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        id="test 3",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_keys_and_signatures_are_those_of_rfc_8032(
    seed: str, public: str, message: str, signature: str, say: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = Identity.from_seed(bytes.fromhex(seed))
    assert me.peer == public
    # The RFC signs its own messages, so ours is put in the announcement's place.
    monkeypatch.setattr(identity, "_signed_bytes", lambda announcement: bytes.fromhex(message))
    signed = say(by=me)
    assert signed.signature == signature
    verify(signed)


def test_an_announcement_is_signed_in_its_own_domain(say: Maker, alice: Identity) -> None:
    signed = say()
    expected = Ed25519PrivateKey.from_private_bytes(b"a" * 32).sign(DOMAIN + canonical.encode(signed.announcement))
    assert signed.signature == expected.hex()
    assert say() == signed
    verify(signed)


def test_nobody_signs_for_another(say: Maker, alice: Identity, bob: Identity) -> None:
    with pytest.raises(UsageError, match="cannot sign for"):
        bob.sign(say(by=alice).announcement)


def test_a_changed_statement_does_not_verify(say: Maker, bob: Identity) -> None:
    signed = say()
    for change in ({"sequence": 8}, {"session": SessionId("00" * 32)}, {"author": bob.peer}, {"protocol": 2}):
        changed = msgspec.structs.replace(signed.announcement, **change)
        with pytest.raises(ForgedError, match="does not verify"):
            verify(SignedAnnouncement(changed, signed.signature))


def test_every_flipped_bit_of_key_and_signature_is_noticed(say: Maker) -> None:
    signed = say()
    for bit in range(512):
        flipped = int(signed.signature, 16) ^ 1 << bit
        with pytest.raises(ForgedError):
            verify(SignedAnnouncement(signed.announcement, f"{flipped:0128x}"))
    for bit in range(256):
        peer = PeerId(f"{int(signed.announcement.author, 16) ^ 1 << bit:064x}")
        with pytest.raises(ForgedError):
            verify(SignedAnnouncement(msgspec.structs.replace(signed.announcement, author=peer), signed.signature))


def test_a_second_signature_for_the_same_words_is_refused(say: Maker) -> None:
    # RFC 8032, section 5.1.7: S must be below the group's order, else S + L would verify too.
    signed = say()
    order = 2**252 + 27742317777372353535851937790883648493
    raw = bytes.fromhex(signed.signature)
    other = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    with pytest.raises(ForgedError):
        verify(SignedAnnouncement(signed.announcement, other.hex()))


def multiply_by_eight(y: int) -> int | None:
    """Return the y of eight times a point of edwards25519, or None if no point has this y."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    square = (y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if x * x % PRIME != square:
        return None
    for _ in range(3):
        product = d * x * x * y * y
        x, y = 2 * x * y * pow(1 + product, -1, PRIME) % PRIME, (y * y + x * x) * pow(1 - product, -1, PRIME) % PRIME
    return y


def test_the_points_of_small_order_are_all_there_is() -> None:
    assert len(SMALL_ORDER) == 5
    assert all(multiply_by_eight(y) == 1 for y in SMALL_ORDER)


@pytest.mark.parametrize("y", [*sorted(SMALL_ORDER), *range(PRIME, 2**255)])
@pytest.mark.parametrize("sign", [0, 1])
def test_keys_that_anybody_can_sign_for_are_refused(say: Maker, y: int, sign: int) -> None:
    author = PeerId((y | sign << 255).to_bytes(32, "little").hex())
    # With the neutral element as R and S = 0 this verifies for any message, where the key is of small order.
    signature = (1).to_bytes(32, "little") + bytes(32)
    with pytest.raises(ForgedError, match="no proper public key"):
        verify(SignedAnnouncement(msgspec.structs.replace(say().announcement, author=author), signature.hex()))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("", id="empty"),
        pytest.param("zz" * 32, id="no digits"),
        pytest.param("AB" * 32, id="upper case"),
        pytest.param("ab " * 32, id="spaces"),
        pytest.param("ab" * 33, id="long"),
        pytest.param("é" * 64, id="not ASCII"),
        pytest.param("\ud800", id="surrogate"),
    ],
)
def test_malformed_text_is_forged_and_nothing_else(say: Maker, bad: str) -> None:
    signed = say()
    with pytest.raises(ForgedError):
        verify(SignedAnnouncement(signed.announcement, bad))
    for key in ("author", "session"):
        with pytest.raises(ForgedError):
            verify(SignedAnnouncement(msgspec.structs.replace(signed.announcement, **{key: bad}), signed.signature))


@given(author=st.binary(min_size=32, max_size=32), signature=st.binary(min_size=64, max_size=64))
def test_any_key_and_signature_are_refused(say: Maker, author: bytes, signature: bytes) -> None:
    announcement = msgspec.structs.replace(say().announcement, author=PeerId(author.hex()))
    with pytest.raises(ForgedError):
        verify(SignedAnnouncement(announcement, signature.hex()))


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(UsageError, match="32 bytes, not 31"):
        Identity.from_seed(b"x" * 31)


def test_generated_identities_differ() -> None:
    assert Identity.generate().peer != Identity.generate().peer


def test_an_identity_is_made_once_and_stays(tmp_path: Path, say: Maker) -> None:
    path = tmp_path / "identity.pem"
    first, made = Identity.load_or_create(path)
    again, made_again = Identity.load_or_create(path)
    assert (made, made_again) == (True, False)
    assert first.peer == again.peer
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert list(tmp_path.iterdir()) == [path]
    verify(say(by=again))


def test_many_that_start_together_get_one_identity(tmp_path: Path) -> None:
    count = 8
    path = tmp_path / "identity.pem"
    together = threading.Barrier(count)
    found: list[tuple[Identity, bool]] = []

    def start() -> None:
        together.wait()
        found.append(Identity.load_or_create(path))

    threads = [threading.Thread(target=start) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.peer for one, _ in found}) == 1
    assert sum(made for _, made in found) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_who_comes_second_takes_the_winners_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "identity.pem"
    create_whole = identity.create_whole

    def lose(target: Path, data: bytes, *, mode: int) -> None:
        winner = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
        create_whole(target, winner.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=mode)
        create_whole(target, data, mode=mode)

    monkeypatch.setattr(identity, "create_whole", lose)
    found, made = Identity.load_or_create(path)
    assert not made
    assert found.peer == Identity.from_seed(b"w" * 32).peer


def test_a_key_that_comes_and_goes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(target: Path, data: bytes, *, mode: int) -> None:
        raise FileExistsError(target)

    monkeypatch.setattr(identity, "create_whole", lose)
    with pytest.raises(StateError, match="came and went"):
        Identity.load_or_create(tmp_path / "identity.pem")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_key_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "identity.pem"
    Identity.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(StateError, match=f"{mode:04o}.*chmod 600"):
        Identity.load_or_create(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    Identity.load_or_create(tmp_path / "real.pem")
    (tmp_path / "identity.pem").symlink_to(tmp_path / "real.pem")
    with pytest.raises(StateError, match="symbolic link"):
        Identity.load_or_create(tmp_path / "identity.pem")


def pem(key: Ed25519PrivateKey, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param(b"", "no private key", id="empty"),
        pytest.param(b"garbage", "no private key", id="garbage"),
        pytest.param(bytes(5000), "more than the 4096 bytes", id="too long"),
        pytest.param(pem(Ed25519PrivateKey.generate())[:60], "no private key", id="cut short"),
        pytest.param(pem(Ed25519PrivateKey.generate(), b"password"), "no private key", id="with a password"),
        pytest.param(
            generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "no Ed25519 key",
            id="another kind of key",
        ),
    ],
)
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "identity.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(StateError, match=complaint):
        Identity.load_or_create(path)
    assert path.read_bytes() == data


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        Identity.load_or_create(tmp_path / "no folder" / "identity.pem")
