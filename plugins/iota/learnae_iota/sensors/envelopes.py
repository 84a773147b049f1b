"""Signed JSON: what heads and packets of sensors are on the ledger. Public streams can be read by anybody who reads MAM."""

import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from learnae.errors import BadContentError
from learnae_iota.sensors.admission import SensorKey, verify
from learnae_iota.trinary.trytes import decode_bytes, encode_bytes

Root = Annotated[str, Meta(pattern=r"^[9A-Z]{81}\Z")]
Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
SENSOR_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
SensorName = Annotated[str, Meta(pattern=SENSOR_NAME)]
_T = TypeVar("_T")


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSON with the signature of exactly its bytes."""

    body: msgspec.Raw
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]

    def verify(self, key: str, about: str) -> None:
        """Check the signature.

        Raises:
            ForgedError: It is not this key's, or of something else than ``about``.
        """
        verify(key, self.signature, about.encode() + b"\n" + bytes(self.body))


def is_sensor_name(text: str) -> bool:
    """Tell whether a sensor can have this name."""
    return re.match(SENSOR_NAME, text) is not None


def write_envelope(body: msgspec.Struct, key: SensorKey, about: str) -> bytes:
    """Sign a value as JSON; ``about`` says what it is, and is signed but not written."""
    data = msgspec.json.encode(body)
    return msgspec.json.encode(Envelope(msgspec.Raw(data), key.sign(about.encode() + b"\n" + data)))


def read_envelope(data: bytes) -> Envelope:
    """Take an envelope apart; nothing is verified.

    Raises:
        BadContentError: It is none.
    """
    return parse(data, Envelope)


def parse(data: bytes | msgspec.Raw, kind: type[_T]) -> _T:
    """Read JSON of a stranger.

    Raises:
        BadContentError: It is not what is wanted.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise BadContentError(f"no {kind.__name__.lower()}: {exc}"[:300]) from exc


def to_message(data: bytes) -> str:
    """Write bytes as the trytes of a message."""
    return encode_bytes(data)


def from_message(trytes: str, max_bytes: int) -> bytes:
    """Read the bytes of a message; the 9s that fill its last fragment may follow.

    Raises:
        BadContentError: They are no bytes, or too many.
    """
    if len(trytes) > 2 * max_bytes + 2187:
        raise BadContentError(f"a message of {len(trytes)} trytes")
    return decode_bytes(trytes + "9" * (len(trytes) % 2))
