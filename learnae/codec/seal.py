"""The session's seal: who lacks the secret learns nothing but sizes and times."""

import base64
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from learnae.codec.digests import DIGEST_BYTES, plain_digest
from learnae.codec.files import OWNER_ONLY, create, read_small
from learnae.errors import ConfigError, ForgedError, TooLargeError, UsageError
from learnae.values.ids import Digest, PeerId, SessionId

SALT_BYTES = 32
TAG_BYTES = 16
KEY_BYTES = 32
SECRET_BYTES = 32
LEAST_SECRET_BYTES = 16
MOST_FILE_BYTES = 4096
# Every message has a key of its own, from its own random salt, so no key ever meets a second nonce.
NONCE = bytes(12)
MOST_PLAIN_BYTES = 2**31 - 1 - TAG_BYTES
"""What ``cryptography`` takes in one call."""


class Seal:
    """Seals and names what one session sends.

    With a secret, a sealed message is ``salt (32) || ciphertext || tag (16)``: the key is HKDF-SHA256 (RFC 5869) of the
    secret with the random salt, the cipher ChaCha20-Poly1305 (RFC 8439), the associated data purpose and session. Without a
    secret sealing changes nothing, and names are those that anybody can compute.

    Args:
        session: The session's id.
        secret: Its secret, or ``None`` for an open session.
        entropy: Gives that many unpredictable bytes. Only a simulation may pass another: a repeated salt repeats a key.

    Attributes:
        sealed: Whether there is a secret.
        overhead: By how many bytes a sealed message is longer than its content.
        rendezvous: Where the session's peers meet on a ledger, 64 hexadecimal digits.
        network_key: With which a ledger can keep out who lacks the secret, 64 hexadecimal digits; ``None`` without a secret.

    Raises:
        UsageError: The secret has fewer than 16 bytes.
    """

    def __init__(self, session: SessionId, secret: bytes | None, *, entropy: Callable[[int], bytes] = os.urandom) -> None:
        if secret is not None and len(secret) < LEAST_SECRET_BYTES:
            raise UsageError(f"a secret has at least {LEAST_SECRET_BYTES} bytes, not {len(secret)}")
        self._session = session
        self._secret = secret
        self._entropy = entropy
        self.sealed = secret is not None
        self.overhead = 0
        self.rendezvous = str(session)
        self.network_key: str | None = None
        self._digest_key = self._name_key = b""
        if secret is not None:
            salt = session.encode()
            self._digest_key = _derive(secret, salt, b"learnae digests")
            self._name_key = _derive(secret, salt, b"learnae names")
            self.network_key = _derive(secret, salt, b"learnae network").hex()
            self.overhead = SALT_BYTES + TAG_BYTES
            self.rendezvous = self._name("rendezvous")

    def digest(self, data: bytes) -> Digest:
        """Return the digest by which the session knows some canonical plaintext: BLAKE2b-256, keyed if there is a secret."""
        if not self.sealed:
            return plain_digest(data)
        return Digest(blake2b(data, key=self._digest_key, digest_size=DIGEST_BYTES).hexdigest())

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Seal a message or a file; twice the same content gives different bytes.

        Args:
            data: The plaintext.
            purpose: What it is, such as ``"model"``; ``open`` must be told the same.

        Raises:
            UsageError: More than 2 GiB.
        """
        if self._secret is None:
            return data
        if len(data) > MOST_PLAIN_BYTES:
            raise UsageError(f"{len(data)} bytes cannot be sealed at once; at most {MOST_PLAIN_BYTES} can")
        salt = self._entropy(SALT_BYTES)
        cipher = ChaCha20Poly1305(_derive(self._secret, salt, b"learnae seal"))
        return salt + cipher.encrypt(NONCE, data, self._context(purpose))

    def open(self, data: bytes, purpose: str) -> bytes:
        """Return what was sealed in this session for this purpose.

        Raises:
            ForgedError: It was not, or not with this secret, or the bytes were changed.
        """
        if self._secret is None:
            return data
        if not self.overhead <= len(data) <= MOST_PLAIN_BYTES + self.overhead:
            raise ForgedError(f"{purpose}: {len(data)} bytes are no sealed message")
        cipher = ChaCha20Poly1305(_derive(self._secret, data[:SALT_BYTES], b"learnae seal"))
        try:
            return cipher.decrypt(NONCE, data[SALT_BYTES:], self._context(purpose))
        except InvalidTag as exc:
            raise ForgedError(
                f"{purpose}: the seal does not verify: another secret, session or purpose, or damaged bytes"
            ) from exc

    def owner(self, peer: PeerId) -> str:
        """Return what stands for a peer on a ledger, 64 hexadecimal digits: its id, blinded if there is a secret."""
        return self._name(f"owner/{peer}") if self.sealed else str(peer)

    def slot(self, peer: PeerId, subject: str) -> str:
        """Return what stands for one author's word on one subject on a ledger, 64 hexadecimal digits."""
        return self._name(f"slot/{peer}/{subject}")

    def _name(self, text: str) -> str:
        """Hash a name; an empty key is none."""
        return blake2b(f"{self._session}/{text}".encode(), key=self._name_key, digest_size=DIGEST_BYTES).hexdigest()

    def _context(self, purpose: str) -> bytes:
        """Say what a sealed message is bound to."""
        return f"learnae/{self._session}/{purpose}".encode()


def new_secret() -> bytes:
    """Draw a secret: 32 bytes from the system's random source."""
    return os.urandom(SECRET_BYTES)


def secret_check(secret: bytes) -> Digest:
    """Return what a manifest may say of its secret, so that a wrong one is noticed: it can be compared, not reversed."""
    return Digest(_derive(secret, b"", b"learnae secret check").hex())


def write_secret(path: Path, secret: bytes) -> None:
    """Write a secret to a new file that only its owner may read: one line of URL-safe base64.

    Raises:
        ConfigError: Fewer than 16 bytes; something is there already; the file cannot be written.
    """
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError(f"{path}: a secret has at least {LEAST_SECRET_BYTES} bytes, not {len(secret)}")
    try:
        create(path, base64.urlsafe_b64encode(secret) + b"\n", mode=OWNER_ONLY)
    except FileExistsError as exc:
        raise ConfigError(f"{path}: there is a file already; a secret is never overwritten, name another file") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: the secret cannot be written: {exc}") from exc


def read_secret(path: Path) -> bytes:
    """Read what ``write_secret`` wrote; padding may be missing, white space may surround it.

    Raises:
        ConfigError: There is no such file, it is too long, not base64, or of fewer than 16 bytes.
    """
    try:
        text = read_small(path, max_bytes=MOST_FILE_BYTES).strip().rstrip(b"=")
        secret = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (OSError, TooLargeError) as exc:
        raise ConfigError(f"{path}: the secret cannot be read: {exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: no secret, which is one line of URL-safe base64: {exc}") from exc
    if len(secret) < LEAST_SECRET_BYTES:
        raise ConfigError(f"{path}: a secret has at least {LEAST_SECRET_BYTES} bytes, not {len(secret)}")
    return secret


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Derive one key for one use from the secret."""
    return HKDF(hashes.SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(secret)
