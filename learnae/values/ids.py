"""Identifiers. All are ``str``; the types keep them apart, the patterns keep strangers' ones well-formed."""

from typing import Annotated, NewType

from msgspec import Meta

PeerId = NewType("PeerId", str)
"""An Ed25519 public key (RFC 8032), 64 lower-case hexadecimal digits."""

SessionId = NewType("SessionId", str)
"""The digest of a session's manifest, 64 lower-case hexadecimal digits."""

Digest = NewType("Digest", str)
"""BLAKE2b-256 (RFC 7693) of canonical plaintext, keyed by the session's secret where there is one; 64 hexadecimal digits."""

Locator = NewType("Locator", str)
"""Where a storage keeps something: ``scheme:rest``. Only the storage of that scheme reads the rest."""

SensorId = NewType("SensorId", str)
"""The name of a sensor's stream within its source."""

WirePeerId = Annotated[PeerId, Meta(pattern=r"^[0-9a-f]{64}\Z")]
WireSessionId = Annotated[SessionId, Meta(pattern=r"^[0-9a-f]{64}\Z")]
WireDigest = Annotated[Digest, Meta(pattern=r"^[0-9a-f]{64}\Z")]
WireLocator = Annotated[Locator, Meta(pattern=r"^[a-z][a-z0-9]{0,15}:[A-Za-z0-9._/-]{1,200}\Z")]
WireLocators = Annotated[tuple[WireLocator, ...], Meta(min_length=1, max_length=4)]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
MOST_COUNT = 2**53 - 1
"""What a number on the wire can be at most: what every JSON reader has exactly (RFC 8259, section 6)."""
Count = Annotated[int, Meta(ge=0, le=MOST_COUNT)]


def scheme_of(locator: Locator) -> str:
    """Return which storage reads a locator."""
    return locator.partition(":")[0]
