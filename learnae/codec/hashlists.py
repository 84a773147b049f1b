"""Hashlists as files."""

from itertools import pairwise

import msgspec

from learnae.codec import canonical
from learnae.errors import BadContentError, UsageError
from learnae.values.announcements import PROTOCOL, Hashlist
from learnae.values.ids import SessionId
from learnae.values.manifest import Limits


def encode_hashlist(hashlist: Hashlist) -> bytes:
    """Write the canonical bytes of a hashlist, its entries sorted by digest.

    Raises:
        UsageError: Two entries have one digest.
    """
    ordered = msgspec.structs.replace(hashlist, entries=tuple(sorted(hashlist.entries, key=lambda entry: entry.digest)))
    if not _is_sorted(ordered):
        raise UsageError("a hashlist names each dataslice once")
    return canonical.encode(ordered)


def decode_hashlist(data: bytes, *, session: SessionId, limits: Limits) -> Hashlist:
    """Read a hashlist from a stranger's bytes.

    Returns:
        Entries sorted by digest, each digest once, of this session and protocol version.

    Raises:
        BadContentError: Anything else, whatever the bytes.
    """
    hashlist = canonical.decode(data, Hashlist, max_bytes=limits.hashlist_bytes, what="hashlist")
    if hashlist.protocol != PROTOCOL:
        raise BadContentError(f"hashlist: of protocol version {hashlist.protocol}, not {PROTOCOL}")
    if hashlist.session != session:
        raise BadContentError(f"hashlist: of session {hashlist.session[:16]}, not of {session[:16]}")
    if not _is_sorted(hashlist):
        raise BadContentError("hashlist: not sorted by digest, or a dataslice is named twice")
    return hashlist


def _is_sorted(hashlist: Hashlist) -> bool:
    digests = [entry.digest for entry in hashlist.entries]
    return all(first < second for first, second in pairwise(digests))
