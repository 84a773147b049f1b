"""What a locator of this storage is: ``ipfs:`` and a content id, spelled in the one way in which it can be spelled.

Names in the MFS are made of content ids, and strangers write locators, so that nothing else ever becomes part of a path.
"""

from __future__ import annotations

from learnae.values.ids import Locator
from learnae_ipfs.kubo.wire import CID_LENGTH, is_cid

SCHEME = "ipfs"
_PREFIX = f"{SCHEME}:"


def write_locator(cid: str) -> Locator:
    """Say where a file is."""
    return Locator(f"{_PREFIX}{cid}")


def read_locator(locator: str) -> str | None:
    """Return the content id; ``None`` for what is not exactly one of this storage's locators."""
    cid = locator.removeprefix(_PREFIX)
    if len(locator) != len(_PREFIX) + CID_LENGTH or len(cid) != CID_LENGTH or not is_cid(cid):
        return None
    return cid
