"""Whose readings count: sensors' keys, and which of them a peer admits."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from learnae.errors import ConfigError, ForgedError

DOMAIN = b"learnae/iota/sensor/1\n"
"""What every signature covers first, so that none of another use passes for one of a sensor."""

_KEY = re.compile(r"[0-9a-f]{64}\Z")
_PRIME = 2**255 - 19
_EIGHTH = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _PRIME - 1, _EIGHTH, _PRIME - _EIGHTH})  # one signature of such a "key" fits many messages
_MAX_FILE_BYTES = 1_000_000


class SensorKey:
    """A sensor's Ed25519 key.

    Args:
        private: 32 bytes: a secret.

    Attributes:
        public: 64 hexadecimal digits.
    """

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> str:
        """Sign; 128 hexadecimal digits."""
        return self._key.sign(DOMAIN + data).hex()


def verify(public: str, signature: str, data: bytes) -> None:
    """Check a signature.

    Raises:
        ForgedError: The key did not make it, or is none.
    """
    try:
        if not is_key(public):
            raise ForgedError("no proper Ed25519 key")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), DOMAIN + data)
    except (ValueError, InvalidSignature) as exc:
        raise ForgedError(f"a signature that the key {public[:16]} did not make") from exc


def is_key(text: str) -> bool:
    """Tell whether a text is a public key that somebody can own."""
    if not _KEY.match(text):
        return False
    y = int.from_bytes(bytes.fromhex(text), "little") & (2**255 - 1)
    return y < _PRIME and y not in _SMALL_ORDER


class Admission:
    """Says which sensors a peer listens to.

    Args:
        keys: That are admitted.
        file: With more of them, one a line, what follows ``#`` is a remark; looked at again when it changes.
        holders: Whether who knows the session's secret is admitted, whatever its key.
        everybody: Whether all are, to have a look.
        tell: Takes a sentence for the operator.

    Raises:
        ConfigError: Something that is given is no key.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        *,
        file: Path | None = None,
        holders: bool = False,
        everybody: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._keys = frozenset(checked_key(key) for key in keys)
        self._file, self._holders, self._everybody = file, holders, everybody
        self._tell = tell
        self._stamp: tuple[int, int] | None = None
        self._listed: frozenset[str] = frozenset()
        self._told = ""
        self._read()

    @property
    def anybody(self) -> bool:
        """Whether there is anybody to listen to."""
        return bool(self._everybody or self._holders or self._keys or self._listed)

    def refresh(self) -> bool:
        """Look at the file again; return whether it lists other keys than before.

        One that cannot be read, or holds something else than keys, may be half written: those of before count on, and the
        operator hears of it once.
        """
        before = self._listed
        try:
            self._read()
        except ConfigError as exc:
            if self._told != str(exc):
                self._told = str(exc)
                self._tell(f"{exc}; the keys that were read before count until that is mended")
        else:
            self._told = ""
        return self._listed != before

    def _read(self) -> None:
        if self._file is None:
            return
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._listed, self._stamp = frozenset(read_keys(self._file)), stamp
        except FileNotFoundError:
            self._listed, self._stamp = frozenset(), None
        except OSError as exc:
            raise ConfigError(f"{self._file}: cannot be read: {exc.strerror}") from exc

    def admits(self, key: str, *, sealed: bool) -> bool:
        """Tell whether a sensor is listened to.

        Args:
            key: Its key, which signed its head.
            sealed: Whether the head was sealed with the session's secret.
        """
        return self._everybody or (self._holders and sealed) or key in self._keys or key in self._listed


def checked_key(text: str) -> str:
    """Return a key that somebody typed.

    Raises:
        ConfigError: It is none.
    """
    key = text.strip().lower()
    if not is_key(key):
        raise ConfigError(f"{text[:100]!r} is no sensor's key, which is 64 hexadecimal digits; learnae sensor stream shows it")
    return key


def read_keys(path: Path) -> list[str]:
    """Read a file of keys.

    Raises:
        ConfigError: It holds something else, or is too long.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path}: longer than {_MAX_FILE_BYTES} bytes")
    words = [line.partition("#")[0].strip() for line in data.decode("utf-8", "replace").splitlines()]
    return [checked_key(word) for word in words if word]


def admit(path: Path, key: str, remark: str = "") -> bool:
    """Add a key to a file, which is made if it is not there; return whether it was not in it before.

    Raises:
        ConfigError: It is no key, the file holds something else, or cannot be written.
    """
    key = checked_key(key)
    try:
        known = read_keys(path) if path.exists() else []
        if key in known:
            return False
        note = " ".join(remark.split())
        with path.open("a+b") as file:
            broken = file.tell() > 0 and not path.read_bytes().endswith(b"\n")
            file.write(("\n" * broken + key + (f"  # {note}" if note else "") + "\n").encode())
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written: {exc.strerror}") from exc
    return True
