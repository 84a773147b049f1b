"""What a sensor's state folder holds: what its stream was begun with, its secrets, and packets that it signed."""

from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from learnae_iota.mam.channel import Mode
from learnae_iota.sensors.sessions import SensorSession


@dataclass(frozen=True, slots=True)
class Terms:
    """What a stream is begun with, and stays.

    Attributes:
        sensor: Its name.
        codename: The session's.
        secret: By which the session's secret is known again, and cannot be computed; empty if it has none.
        mode: Who can read the channel.
        security: What its signatures are worth, 1 to 3.
    """

    sensor: str
    codename: str
    secret: str = field(repr=False)
    mode: Mode
    security: int

    @classmethod
    def of(cls, session: SensorSession, sensor: str, mode: Mode, security: int) -> Self:
        """Return the terms of a stream to a session."""
        secret = "" if session.secret is None else _derive(session.secret)
        return cls(sensor, session.codename, secret, mode, security)


@dataclass(frozen=True, slots=True)
class Stream:
    """A sensor's stream.

    Attributes:
        terms: What it was begun with.
        created_ms: When, in milliseconds since 1970.
        seed: Of its channel, 81 trytes: a secret.
        private: Its Ed25519 key, 32 bytes: a secret.
        first_root: Of packet 0.
    """

    terms: Terms
    created_ms: int
    seed: str = field(repr=False)
    private: bytes = field(repr=False)
    first_root: str


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """A packet that was signed.

    Attributes:
        number: Its place in the stream.
        root: Under which it lies.
        next_root: Of the next one.
        address: Where it belongs.
        payload: What is sent, signed; empty once it was seen confirmed.
        readings: How many are in it.
        until: How many there are in the stream with it.
        input: The position in the input after it.
        end: Whether it says that nothing follows.
    """

    number: int
    root: str
    next_root: str
    address: str
    payload: str = field(repr=False)
    readings: int
    until: int
    input: str
    end: bool


def _derive(secret: bytes) -> str:
    return HKDF(hashes.SHA256(), length=16, salt=None, info=b"learnae iota sensors state").derive(secret).hex()
