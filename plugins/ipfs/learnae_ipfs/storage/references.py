"""What keeps a file on a daemon: a reference in its MFS, by session and peer, and a pin that several peers may share.

::

    /learnae/<session>/<owner>/<x>/<cid>         our reference; the pin, if there is one, is LEARNAE's
    /learnae/<session>/<owner>/<x>/<cid>.lent    our reference; it was pinned already, by somebody who is not LEARNAE

``session`` and ``owner`` are 32 hexadecimal digits, ``x`` is the last character but one of the content id. Without these 32
folders every reference would write a folder of up to 256 KiB anew: measured on Kubo 0.43 and 0.32, 4,000 references in one folder
leave 410 MB of garbage and take 24 ms each at the end; in 32 folders 40 MB and 2 to 5 ms, however many there are.

The reference comes first, and the pin after it; the pin goes first, and the reference after it. So whatever ends in between, no
pin is left without a reference: what is kept can be listed, and released. A reference alone keeps a file as well, for a daemon's
collector spares what is in the MFS. The pin is what makes daemons provide it, as most are told to announce only what is pinned.

Daemons know neither whose a pin is nor how often something was pinned, so that this is remembered here. What others pinned on
their daemon before us is never unpinned, and never pinned again either, for Kubo then drops the pin before it makes a new one.
Two peers that take and drop one file at once may see each other's reference too late; so each looks again after its step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from learnae_ipfs.kubo import Kubo
from learnae_ipfs.kubo.wire import is_cid
from learnae_ipfs.names import derive

FOLDER = "/learnae"
LENT = ".lent"
_NAME_LENGTH = 32
_NAME = re.compile(r"[0-9a-f]{32}")


class References:
    """The references of one peer in one session, on whatever daemon is asked.

    Args:
        rendezvous: The session's; only what is derived from it is written, for a daemon may announce folders of its MFS.
        owner: The peer's name on ledgers.
        is_own: Whether the daemon is a private one, where nobody but LEARNAE pins anything.
    """

    def __init__(self, rendezvous: str, owner: str, *, is_own: bool = False) -> None:
        self._own = derive("references", rendezvous).hex()[:_NAME_LENGTH], owner[:_NAME_LENGTH]
        self._is_own = is_own

    @property
    def folder(self) -> str:
        """Where they are in the MFS."""
        return "/".join((FOLDER, *self._own))

    async def others(self, kubo: Kubo) -> Sequence[References]:
        """Return the references of all other peers and sessions of LEARNAE on a daemon."""
        found = []
        for session in await _names(kubo, FOLDER):
            for owner in await _names(kubo, f"{FOLDER}/{session}"):
                if (session, owner) != self._own:
                    other = References("", owner, is_own=self._is_own)
                    other._own = session, owner
                    found.append(other)
        return found

    async def take(self, kubo: Kubo, cid: str) -> None:
        """Keep a file that the daemon has whole; idempotent.

        Raises:
            UnavailableError: The daemon does not answer, or cannot do it. Then there may be a reference already.
        """
        own = _path(self._own, cid)
        pinned = not self._is_own and await kubo.is_pinned(cid)
        if pinned and await kubo.mfs_cid(own) is not None:
            return
        lent = pinned or (not self._is_own and await kubo.is_pinned(cid, directly=True))
        if lent and not await self._others_hold(kubo, cid):
            await kubo.mfs_link(cid, own + LENT)
            return
        await kubo.mfs_link(cid, own)
        if not pinned or not await kubo.is_pinned(cid):  # another peer's pin may have gone since we looked
            await kubo.pin(cid)

    async def drop(self, kubo: Kubo, cid: str) -> None:
        """End keeping a file, for this peer; idempotent, and nothing happens without a reference.

        Raises:
            UnavailableError: The daemon does not answer, or cannot do it. Then there may be a reference still.
        """
        own = _path(self._own, cid)
        if await kubo.mfs_cid(own) is not None:
            alone = not await self._others_hold(kubo, cid)
            if alone:
                await kubo.unpin(cid)
            await kubo.mfs_remove(own)
            still_alone = not await self._others_hold(kubo, cid)
            if alone and not still_alone:
                await kubo.pin(cid)
            elif still_alone and not alone:
                await kubo.unpin(cid)
        await kubo.mfs_remove(own + LENT)

    async def kept(self, kubo: Kubo) -> Sequence[str]:
        """List the content ids of what this peer keeps: sorted, each once."""
        parts = [name for name in await kubo.mfs_list(self.folder) if len(name) == 1]
        names = [name for part in parts for name in await kubo.mfs_list(f"{self.folder}/{part}")]
        return sorted({cid for name in names if is_cid(cid := name.removesuffix(LENT))})

    async def _others_hold(self, kubo: Kubo, cid: str) -> bool:
        """Say whether another peer of LEARNAE's, in whatever session, relies on the pin of a file.

        As many calls as there are peers and sessions on this daemon, however many references they have.
        """
        for other in await self.others(kubo):
            if await kubo.mfs_cid(_path(other._own, cid)) is not None:
                return True
        return False


async def _names(kubo: Kubo, folder: str) -> list[str]:
    return [name for name in await kubo.mfs_list(folder) if _NAME.fullmatch(name)]


def _path(peer: tuple[str, str], cid: str) -> str:
    return "/".join((FOLDER, *peer, cid[-2], cid))
