"""From how many daemons a file can be fetched right now (paper, section 5: resilience)."""

from __future__ import annotations

import asyncio

from learnae_ipfs.kubo import Kubo

SEARCH_S, ANSWER_S = 8.0, 5.0
AT_ONCE = 16
"""How many daemons are asked at the same time."""


async def count_holders(kubo: Kubo, cid: str, *, at_most: int, search_s: float = SEARCH_S, answer_s: float = ANSWER_S) -> int:
    """Count the daemons that hold a file and answer now, this one included.

    Records of who provides something outlive their authors by up to two days, so that everybody is pinged. What a daemon that
    answers dropped since it was announced cannot be seen from here: it counts until its record ends.

    Args:
        kubo: The daemon that asks; it counts if it holds the file's first block.
        cid: The file.
        at_most: How many are asked, and counted.
        search_s: How long to look for records.
        answer_s: How long to wait for each answer.

    Raises:
        UnavailableError: The daemon does not answer.
    """
    if at_most < 1:
        return 0
    here, identity = await asyncio.gather(kubo.has_block(cid), kubo.identity())
    wanted = at_most - here
    if not wanted:
        return 1
    found = await kubo.find_providers(cid, at_most=wanted + 1, patience_s=search_s)  # one may be ourselves
    others = [peer for peer in dict.fromkeys(holder.peer for holder in found) if peer != identity.peer]
    waiting = iter(others[:wanted])

    async def work() -> int:
        return sum([await kubo.ping(peer, patience_s=answer_s) for peer in waiting])

    workers = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, wanted, len(others)))]
    try:
        return here + sum(await asyncio.gather(*workers))
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
