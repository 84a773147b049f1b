"""An announcement as a transport carries it: signed, in canonical form, sealed."""

from learnae.codec import canonical
from learnae.codec.identity import verify
from learnae.codec.seal import Seal
from learnae.errors import BadContentError, ForgedError
from learnae.values.announcements import PROTOCOL, SignedAnnouncement
from learnae.values.ids import SessionId
from learnae.values.manifest import Limits

PURPOSE = "announcement"


def encode_message(signed: SignedAnnouncement, seal: Seal) -> bytes:
    """Write an announcement for a transport."""
    return seal.seal(canonical.encode(signed), PURPOSE)


def decode_message(data: bytes, seal: Seal, *, session: SessionId, limits: Limits) -> SignedAnnouncement:
    """Read an announcement of this session from a stranger's bytes.

    What returns is signed by its author, for this session and protocol version. Whether it is news, and whether the author is
    welcome, is not looked at.

    Raises:
        ForgedError: Anything else; nobody is charged. Bytes that do not decode bear no signature, so anybody may have made
            them; a good signature for another session or protocol version may have been copied here by anybody. Nothing is left
            that the signer could be charged for, so ``BadContentError`` is never raised.
    """
    # The seal adds a fixed number of bytes, so one look at the size bounds the work of all that follows.
    if len(data) > limits.announcement_bytes + seal.overhead:
        raise ForgedError(f"announcement: {len(data)} bytes where {limits.announcement_bytes + seal.overhead} are allowed")
    plain = seal.open(data, PURPOSE)
    try:
        signed = canonical.decode(plain, SignedAnnouncement, max_bytes=limits.announcement_bytes, what="announcement")
    except BadContentError as exc:
        raise ForgedError(str(exc)) from exc
    if signed.announcement.session != session:
        raise ForgedError(f"announcement: of session {signed.announcement.session[:16]}, not of {session[:16]}")
    if signed.announcement.protocol != PROTOCOL:
        raise ForgedError(f"announcement: of protocol version {signed.announcement.protocol}, not {PROTOCOL}")
    verify(signed)
    return signed
