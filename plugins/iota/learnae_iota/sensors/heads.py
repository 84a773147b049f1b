"""Heads: small messages by which a session's sensors are found. All are tagged with the session's codename.

The first of a stream and the last lie at one address, which is the session's; the others at one of each hour, since a node shows
a thousand transactions of an address and no more.

Bytes on the ledger: the length in four hexadecimal digits, then the envelope, sealed where the session has a secret.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from learnae.errors import BadContentError, LearnaeError
from learnae_iota.bundles.bundles import Bundle, Posting
from learnae_iota.mam.channel import Mode
from learnae_iota.sensors.admission import SensorKey
from learnae_iota.sensors.envelopes import (
    Count,
    Key,
    Root,
    SensorName,
    from_message,
    parse,
    read_envelope,
    to_message,
    write_envelope,
)
from learnae_iota.sensors.sessions import SensorSession
from learnae_iota.stopping import Stop
from learnae_iota.tangle.fetching import Fetches, Query

MAX_HEAD_BYTES = 4096
HEAD_TRANSACTIONS = 4
"""Of the longest head."""

OTHERS = (
    "somebody streams under this session's name with another secret, or with none, and nobody with this one: is it the right one?"
)

_LENGTH = 4


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sensor says of its stream; its key signs all of it, and the session's codename.

    Attributes:
        sensor: Its name.
        created_ms: When the stream was begun, milliseconds since 1970, by the sensor's clock.
        key: Its Ed25519 key.
        mode: Who can read the channel.
        security: What the channel's signatures are worth, 1 to 3.
        first_root: Of packet 0: with the key, it is the stream's identity.
        root: Of the packet that comes next.
        index: The number of that packet.
        readings: How many came before it.
        confirmed: Packets that the sensor saw confirmed, without a gap: where one of them is missing, the ledger was pruned.
    """

    learnae: Literal["head"] = "head"
    version: Literal[1] = 1
    sensor: SensorName
    created_ms: Count
    key: Key
    mode: Mode
    security: Annotated[int, Meta(ge=1, le=3)]
    first_root: Root
    root: Root
    index: Count
    readings: Count
    confirmed: Count = 0


def write_head(head: Head, key: SensorKey, session: SensorSession, epoch: int | None = None) -> Posting:
    """Sign a head, and seal it where the session has a secret.

    Args:
        head: Is written.
        key: The sensor's.
        session: Whose.
        epoch: Where it is to lie; ``None``: at the fixed address, where the first and the last one do.
    """
    data = session.seal(write_envelope(head, key, _about(session)), "head")
    address = session.address if epoch is None else session.epoch_address(epoch)
    return Posting(address, to_message(b"%04x" % len(data) + data), session.tag)


def read_head(posting: Posting, session: SensorSession) -> Head:
    """Read what anybody may have written.

    Raises:
        BadContentError: It is no head, or one of a mode that this session has not.
        ForgedError: The key that it names did not sign it, or it is not sealed with the session's secret.
    """
    data = from_message(posting.trytes.rstrip("9"), MAX_HEAD_BYTES)
    try:
        length = int(data[:_LENGTH].decode("ascii"), 16)
    except ValueError as exc:
        raise BadContentError("no head: it does not begin with its length") from exc
    data = data[_LENGTH : _LENGTH + length].ljust(max(length, 0), b"\0")
    if not 0 < length <= MAX_HEAD_BYTES:
        raise BadContentError(f"a head of {length} bytes")
    envelope = read_envelope(session.open(data, "head"))
    head = parse(envelope.body, Head)
    if not is_possible(head, session):
        raise BadContentError(f"a head of a {head.mode} stream, in a session without a secret")
    envelope.verify(head.key, _about(session))
    return head


def is_possible(head: Head, session: SensorSession) -> bool:
    """Tell whether a session can have such a stream: without a secret, all of them are public."""
    return session.sealed or head.mode is Mode.PUBLIC


def heads_of(bundles: Iterable[Bundle], session: SensorSession) -> Iterator[Head | None]:
    """Go over the messages of bundles: a head each, or ``None`` for what is none."""
    for posting in (posting for bundle in bundles for posting in bundle.postings):
        try:
            yield read_head(posting, session)
        except LearnaeError:
            yield None


def heads_query(address: str, session: SensorSession) -> Query:
    """Return the query for the heads at an address."""
    return Query(addresses=(address,), tags=(session.tag,))


def others_stream(tangle: Fetches, session: SensorSession, stop: Stop | None = None) -> bool:
    """Tell whether there is something under the session's tag that is none of its heads: with another secret, or none."""
    found = tangle.fetch(Query(tags=(session.tag,)), max_bundle=HEAD_TRANSACTIONS, stop=stop)
    strange = [bundle for bundle in found.bundles if any(posting.address != session.address for posting in bundle.postings)]
    return None in heads_of(strange, session)


def _about(session: SensorSession) -> str:
    return f"head/{session.codename}"
