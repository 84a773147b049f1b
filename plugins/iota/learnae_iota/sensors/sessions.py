"""What all sensor streams of a session share: the tag and the addresses of their heads, and the seal of their messages."""

import os
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from learnae.errors import ConfigError, ForgedError, UsageError
from learnae_iota.bundles.transactions import TAG_TRYTES
from learnae_iota.trinary.trytes import HASH_TRYTES, derived_trytes

MAX_MESSAGE_BYTES = 400_000
"""Of one message of a stream, sealed: 366 transactions, so that a query for its address shows two attachments."""

PACKET_TRANSACTIONS = 380
"""Of such a message with the longest signature and proof."""

SEAL_BYTES = 48
"""By how much a sealed message is longer: a salt of 32 bytes and a tag of 16."""

EPOCH_MS = 3_600_000
"""For how long repeated heads lie at one address: a node shows a thousand, those of sixteen sensors that never pause."""

_SALT_BYTES = 32
_NONCE = bytes(12)  # every message has a key of its own, from its own salt
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")
_DIGITS = str.maketrans("0123456789", "ABCDEFGHIJ")


@dataclass(frozen=True, slots=True)
class SensorSession:
    """A session, as far as its sensors need to know it.

    Attributes:
        codename: The manifest's ``name`` in capitals, white space squeezed.
        secret: The session's secret; ``None`` if it has none.
    """

    codename: str
    secret: bytes | None = field(default=None, repr=False)

    @property
    def sealed(self) -> bool:
        """Whether heads and packets are sealed."""
        return self.secret is not None

    @property
    def tag(self) -> str:
        """By which heads are found: 27 trytes, the codename as far as trytes can say it; digits become A to J."""
        return re.sub("[^A-Z]", "9", self.codename.translate(_DIGITS))[:TAG_TRYTES].ljust(TAG_TRYTES, "9")

    @property
    def address(self) -> str:
        """Where the first and the last head of each stream lie: 81 trytes; with a secret, nobody else knows it before them."""
        return self._trytes("heads")

    def epoch_address(self, epoch: int) -> str:
        """Return where the other heads of an epoch lie: 81 trytes; with a secret, nobody else knows it before them.

        Args:
            epoch: See ``epoch_of``.
        """
        return self._trytes(f"heads/{epoch}")

    def addresses(self, now_ms: int) -> tuple[str, ...]:
        """Return where heads of now may lie: the fixed address, those of this epoch and of its neighbours, for clocks differ."""
        now = epoch_of(now_ms)
        return (self.address, *(self.epoch_address(epoch) for epoch in (now, now - 1, now + 1)))

    def side_key(self, key: str) -> str:
        """Return the side key, 81 trytes, of a sensor's restricted channel.

        Args:
            key: The sensor's Ed25519 key.

        Raises:
            UsageError: The session has no secret.
        """
        if self.secret is None:
            raise UsageError("a session without a secret has no side keys")
        return self._trytes(f"side key/{key}")

    def seal(self, data: bytes, purpose: str) -> bytes:
        """Seal a message; without a secret, return it as it is. ``purpose`` is what it is, and ``open`` must be told the same."""
        if self.secret is None:
            return data
        salt = os.urandom(_SALT_BYTES)
        return salt + ChaCha20Poly1305(_derive(self.secret, salt)).encrypt(_NONCE, data, self._context(purpose))

    def open(self, data: bytes, purpose: str) -> bytes:
        """Return what was sealed.

        Raises:
            ForgedError: It was not, or with another secret, or it was changed.
        """
        if self.secret is None:
            return data
        if not SEAL_BYTES <= len(data) <= MAX_MESSAGE_BYTES:
            raise ForgedError(f"{len(data)} bytes are no sealed message")
        try:
            cipher = ChaCha20Poly1305(_derive(self.secret, data[:_SALT_BYTES]))
            return cipher.decrypt(_NONCE, data[_SALT_BYTES:], self._context(purpose))
        except InvalidTag as exc:
            raise ForgedError("a seal that does not verify: another secret, or changed bytes") from exc

    def _context(self, purpose: str) -> bytes:
        return f"learnae/iota/sensors/{self.codename}/{purpose}".encode()

    def _trytes(self, purpose: str) -> str:
        key = b"" if self.secret is None else _derive(self.secret, b"")
        return derived_trytes(key + self._context(purpose), HASH_TRYTES)


def epoch_of(time_ms: int) -> int:
    """Return the number of the epoch that a time, in milliseconds since 1970, is in."""
    return time_ms // EPOCH_MS


def sensor_session(name: str, secret: bytes | None = None) -> SensorSession:
    """Make a session of its manifest's name and its secret.

    Raises:
        ConfigError: No session can have this name.
    """
    if not _NAME.match(name):
        raise ConfigError(f"{name[:100]!r} is no name of a session: a letter or digit, then up to 63 more, spaces, '.', '_', '-'")
    return SensorSession(" ".join(name.split()).upper(), secret)


def _derive(secret: bytes, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=salt, info=b"learnae iota sensors").derive(secret)
