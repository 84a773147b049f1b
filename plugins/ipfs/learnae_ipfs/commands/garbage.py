"""What `learnae ipfs gc` drops: references to files that the peer neither offers nor keeps any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from learnae import offered_locators
from learnae.errors import ProviderError, WorldError
from learnae.interfaces.commands import DescribedPeer
from learnae.values.ids import Locator
from learnae_ipfs.access import Access
from learnae_ipfs.commands.sizes import megabytes
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.layout import LETTERS
from learnae_ipfs.names import leave_name
from learnae_ipfs.storage.locators import read_locator, write_locator
from learnae_ipfs.storage.references import References
from learnae_ipfs.transport.mailbox import withdraw

SETTLE_S = 10.0
"""A peer that runs stores a file before it makes a note of it: what seems to be left must still seem so after this time."""

_SIZE_PATIENCE_S = 5.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Leftover:
    """A reference to a file that nobody needs.

    Attributes:
        locator: Of the file.
        size: Its size in bytes; ``None`` if that cannot be told now.
        is_foreign: Whether a session or peer put it that is no more.
    """

    locator: Locator
    size: int | None
    is_foreign: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would go.

    Attributes:
        leftovers: References that nobody needs.
        is_dry: Whether nothing was dropped.
        is_own: Whether the daemon is a private one, so that its collector may run.
        blocks: How many blocks the repository's collector dropped.
        before_bytes: The size of the repository before.
        after_bytes: And after.
    """

    leftovers: tuple[Leftover, ...]
    is_dry: bool
    is_own: bool
    blocks: int
    before_bytes: int
    after_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` writes."""
        return {
            "dry_run": self.is_dry,
            "private_daemon": self.is_own,
            "references": [
                {"locator": each.locator, "bytes": each.size, "of_this_peer": not each.is_foreign} for each in self.leftovers
            ],
            "blocks": self.blocks,
            "repository_bytes_before": self.before_bytes,
            "repository_bytes_after": self.after_bytes,
        }

    def lines(self) -> list[str]:
        """Write it for people: a table, and a sentence."""
        lines = []
        for each in self.leftovers:
            size = "?" if each.size is None else megabytes(each.size)
            lines.append(f"{each.locator}  {size:>9}{'  of a peer that is no more' if each.is_foreign else ''}")
        total = megabytes(sum(each.size or 0 for each in self.leftovers))
        count = f"{len(self.leftovers)} reference{'' if len(self.leftovers) == 1 else 's'} to files of {total}"
        if self.is_dry:
            then = "; then the repository's collector would run" if self.is_own else ""
            return [*lines, f"{count} would go{then}; the repository has {megabytes(self.before_bytes)}"]
        if not self.is_own:
            return [*lines, f"{count} dropped; the daemon is not ours, and its own collector frees the space when it runs next"]
        sizes = f"{megabytes(self.before_bytes)} before, {megabytes(self.after_bytes)} now"
        return [*lines, f"{count} and {self.blocks} blocks dropped; the repository: {sizes}"]


async def collect(access: Access, peer: DescribedPeer, *, dry_run: bool, leave: bool = False) -> Collected:
    """Drop what the peer does not need, and on a private daemon what nobody needs.

    Args:
        access: The daemon.
        peer: Which was started before, so that its owner is known.
        dry_run: Only look.
        leave: The peer, which does not run, needs nothing any more: its mailbox and its name go too.

    Raises:
        UnavailableError: The daemon does not answer.
        OperatorError: What the peer offers cannot be read, or its mailbox's file not be removed.
    """
    kubo = await access.kubo()
    before = await kubo.repository_bytes()
    own = References(peer.context.rendezvous, peer.context.owner, is_own=access.is_own)
    # A private daemon serves one peer, so that whoever else has references there is no more.
    others = await own.others(kubo) if access.is_own else ()

    def needed() -> Collection[Locator]:
        return () if leave else offered_locators(peer.state)

    dropping = [(own, cid) for cid in await _not_offered(kubo, own, needed, again=peer.runs)]
    dropping += [(other, cid) for other in others for cid in await other.kept(kubo)]
    sizes = await _sizes(kubo, [cid for _, cid in dropping])
    leftovers = tuple(
        Leftover(write_locator(cid), size, references is not own) for (references, cid), size in zip(dropping, sizes, strict=True)
    )
    blocks, after = 0, before
    if not dry_run:
        for references, cid in dropping:
            await references.drop(kubo, cid)
        for other in others:
            await kubo.mfs_remove(other.folder)
        if leave:
            await _leave(kubo, own, peer)
        if access.is_own:
            blocks = await kubo.collect_garbage()
        after = await kubo.repository_bytes()
    return Collected(leftovers, dry_run, access.is_own, blocks, before, after)


async def _leave(kubo: Kubo, own: References, peer: DescribedPeer) -> None:
    try:
        await withdraw(peer.context.state / LETTERS, kubo)
    except OSError as exc:
        raise ProviderError(f"{peer.context.state / LETTERS}: cannot be removed: {exc.strerror}") from exc
    await leave_name(kubo, rendezvous=peer.context.rendezvous, owner=peer.context.owner)
    await kubo.mfs_remove(own.folder)


async def _not_offered(
    kubo: Kubo, references: References, offered: Callable[[], Collection[Locator]], *, again: bool
) -> Sequence[str]:
    async def look() -> set[str]:
        there = set(await references.kept(kubo))  # before the peer's notes are read: what is stored after that is not looked at
        return there - {read_locator(locator) for locator in await asyncio.to_thread(offered)}

    left = await look()
    if left and again:
        await asyncio.sleep(SETTLE_S)
        left &= await look()
    return sorted(left)


async def _sizes(kubo: Kubo, cids: Sequence[str]) -> Sequence[int | None]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def size(cid: str) -> int | None:
        async with gate:
            try:
                return await kubo.size(cid, patience_s=_SIZE_PATIENCE_S)
            except WorldError:
                return None

    return await asyncio.gather(*map(size, cids))
