"""Who this peer is: an Ed25519 key that never leaves its file."""

from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from learnae.codec import canonical
from learnae.codec.files import OWNER_ONLY, create_whole, read_small
from learnae.errors import ForgedError, StateError, TooLargeError, UsageError
from learnae.values.announcements import Announcement, SignedAnnouncement
from learnae.values.ids import PeerId

DOMAIN = b"learnae announcement\x00"
"""Comes before what is signed, so that no signature of this key for something else can pass for an announcement."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64
PRIME = 2**255 - 19
_EIGHTH = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER = frozenset({0, 1, PRIME - 1, _EIGHTH, PRIME - _EIGHTH})
"""The y coordinates of the eight points whose order divides 8: for such a "key" one signature fits many messages."""
MOST_FILE_BYTES = 4096


class Identity:
    """A peer's key.

    Attributes:
        peer: The peer's id: the public key.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.peer = PeerId(key.public_key().public_bytes_raw().hex())

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key from the system's random source."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Make the key of a seed (RFC 8032, section 5.1.5), for simulations and tests.

        Raises:
            UsageError: Not 32 bytes.
        """
        if len(seed) != KEY_BYTES:
            raise UsageError(f"a seed has {KEY_BYTES} bytes, not {len(seed)}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load_or_create(cls, path: Path) -> tuple[Self, bool]:
        """Read the key of a file (PEM, PKCS #8, owner-only), or make both where there is none.

        The file is there whole or not at all, whenever the process is killed, and is never overwritten: of two processes
        that start together both get the one key that stays.

        Returns:
            The identity, and whether it was made just now.

        Raises:
            StateError: The file can be used by others, is a symbolic link, holds no such key, or cannot be read or written.
        """
        if (found := cls._load(path)) is not None:
            return found, False
        made = cls.generate()
        pem = made._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            create_whole(path, pem, mode=OWNER_ONLY)
        except FileExistsError as exc:
            if (winner := cls._load(path)) is not None:
                return winner, False
            raise StateError(f"{path}: the identity came and went while it was being made; try again") from exc
        except OSError as exc:
            raise StateError(f"{path}: the identity cannot be written: {exc}") from exc
        return made, True

    @classmethod
    def _load(cls, path: Path) -> Self | None:
        """Read a key file; ``None`` if there is none."""
        try:
            key = load_pem_private_key(read_small(path, max_bytes=MOST_FILE_BYTES, private=True), password=None)
        except FileNotFoundError:
            return None
        except (OSError, TooLargeError) as exc:
            raise StateError(f"{path}: the identity cannot be used: {exc}") from exc
        # cryptography says TypeError for a key that needs a password.
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise StateError(
                f"{path}: no private key in PEM form: {exc}; restore it, or move it away to become a new peer"
            ) from exc
        if not isinstance(key, Ed25519PrivateKey):
            raise StateError(f"{path}: no Ed25519 key; restore the right file, or move it away to become a new peer")
        return cls(key)

    def sign(self, announcement: Announcement) -> SignedAnnouncement:
        """Sign an announcement of one's own.

        Raises:
            UsageError: Its author is somebody else.
        """
        if announcement.author != self.peer:
            raise UsageError(f"{self.peer} cannot sign for {announcement.author}")
        return SignedAnnouncement(announcement, self._key.sign(_signed_bytes(announcement)).hex())


def verify(signed: SignedAnnouncement) -> None:
    """Check that the author signed exactly this announcement.

    Raises:
        ForgedError: It did not, or what is named as author is no proper Ed25519 key: malformed, not in canonical form, of small
            order. Never another exception.
    """
    author = signed.announcement.author
    try:
        key = Ed25519PublicKey.from_public_bytes(_public_key(author))
        key.verify(_from_hex(signed.signature, SIGNATURE_BYTES), _signed_bytes(signed.announcement))
    except (ValueError, UsageError, InvalidSignature) as exc:
        raise ForgedError(f"the signature of {author[:16]!r} does not verify{': ' if str(exc) else ''}{exc}") from exc


def _public_key(text: str) -> bytes:
    """Return a public key's bytes; ``ValueError`` for one that nobody should own."""
    data = _from_hex(text, KEY_BYTES)
    # The top bit is the sign of x (RFC 8032, section 5.1.2).
    y = int.from_bytes(data, "little") & (2**255 - 1)
    if y >= PRIME or y in SMALL_ORDER:
        raise ValueError("no proper public key")
    return data


def _from_hex(text: str, size: int) -> bytes:
    """Read lower-case hexadecimal digits; ``ValueError`` for anything else."""
    data = bytes.fromhex(text)
    if len(data) != size or data.hex() != text:
        raise ValueError(f"not {2 * size} lower-case hexadecimal digits")
    return data


def _signed_bytes(announcement: Announcement) -> bytes:
    """Return what is signed for an announcement.

    Raises:
        UsageError: A text in it cannot be written as UTF-8.
    """
    return DOMAIN + canonical.encode(announcement)
