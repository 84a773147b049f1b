"""How the transport and the storage come to a daemon, whoever runs it."""

from __future__ import annotations

from typing import Protocol

from learnae_ipfs.kubo import Kubo


class Access(Protocol):
    """A way to one daemon. Several may lead to the same one; each is used in one event loop."""

    is_own: bool
    """Whether it is a private daemon of this peer's: then its repository's collector may run, and ``self`` is our IPNS key."""

    async def kubo(self) -> Kubo:
        """Return a client of a daemon that answers; start, restart or adopt a private one first, and check its version once.

        Cheap while nothing is wrong: it may be called before every operation. Concurrent callers wait for one start.

        Raises:
            UnavailableError: It does not answer, or does not start; the message says why, with the last lines of its log and
                where that is. A failed start is not repeated sooner than a back-off says (up to a minute).
            ProviderError: It can never work like this: too old, or a repository of a later version.
        """

    async def failed(self) -> None:
        """Say that a call failed, so that the next ``kubo()`` looks whether the daemon still lives. Cheap, idempotent."""

    async def aclose(self) -> None:
        """Let it go: a private daemon ends with the last who uses it. Idempotent."""
