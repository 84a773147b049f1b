"""A board as a file: what a peer believes, for those who were away."""

from collections.abc import Callable, Iterable
from itertools import pairwise

from learnae.codec import canonical
from learnae.codec.identity import verify
from learnae.errors import BadContentError, ForgedError
from learnae.values.announcements import PROTOCOL, Presence, SignedAnnouncement
from learnae.values.ids import PeerId, SessionId
from learnae.values.manifest import Limits


def encode_board(entries: Iterable[SignedAnnouncement]) -> bytes:
    """Write the canonical bytes of a board: sorted by author and subject, the highest sequence of each.

    Presence is left out: it names the board, so a board that held it would never stay the same. The order of the entries
    does not matter.
    """
    latest: dict[tuple[PeerId, str], SignedAnnouncement] = {}
    for entry in entries:
        place = _place(entry)
        if not _is_presence(entry) and (place not in latest or _sequence(latest[place]) < _sequence(entry)):
            latest[place] = entry
    return canonical.encode(tuple(latest[place] for place in sorted(latest)))


def decode_board(
    data: bytes,
    *,
    session: SessionId,
    limits: Limits,
    known: Callable[[SignedAnnouncement], bool] | None = None,
) -> tuple[SignedAnnouncement, ...]:
    """Read the board that a peer stored and return the entries that can be believed, sorted by author and subject.

    Entries with a bad signature, of another session or protocol version, and presence are left out and cost nobody
    anything: the board's author may have them from a stranger. A signature takes about 0.1 ms to check.

    Args:
        data: The plaintext of a board.
        session: The session.
        limits: The session's limits.
        known: Says whether exactly this announcement, signature included, was verified before; then it is not verified again.

    Raises:
        BadContentError: This is no board: too large, too many entries, not canonical, not sorted, two for one subject.
    """
    entries = canonical.decode(data, tuple[SignedAnnouncement, ...], max_bytes=limits.board_bytes, what="board")
    most = limits.peers * limits.subjects_per_peer
    if len(entries) > most:
        raise BadContentError(f"board: {len(entries)} entries where at most {most} are allowed")
    places = [_place(entry) for entry in entries]
    if any(first >= second for first, second in pairwise(places)):
        raise BadContentError("board: not sorted by author and subject, or two entries for one subject")
    return tuple(
        entry for entry in entries if _is_ours(entry, session) and ((known is not None and known(entry)) or _verifies(entry))
    )


def _place(entry: SignedAnnouncement) -> tuple[PeerId, str]:
    return entry.announcement.author, entry.announcement.subject


def _sequence(entry: SignedAnnouncement) -> int:
    return entry.announcement.sequence


def _is_presence(entry: SignedAnnouncement) -> bool:
    return isinstance(entry.announcement.content, Presence)


def _is_ours(entry: SignedAnnouncement, session: SessionId) -> bool:
    statement = entry.announcement
    return statement.session == session and statement.protocol == PROTOCOL and not _is_presence(entry)


def _verifies(entry: SignedAnnouncement) -> bool:
    try:
        verify(entry)
    except ForgedError:
        return False
    return True
