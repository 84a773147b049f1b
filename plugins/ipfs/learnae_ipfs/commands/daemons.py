"""To which daemon a command speaks: the one that runs, as it is, before any is started."""

from __future__ import annotations

from learnae.interfaces.provider import Context
from learnae_ipfs.access import Access
from learnae_ipfs.daemon.private import open_access
from learnae_ipfs.daemon.running import running_daemon
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.settings import IpfsSettings


class RunningDaemon:
    """Access to a private daemon that its peer runs, with whatever settings; it is neither held nor started again."""

    is_own = True

    def __init__(self, kubo: Kubo) -> None:
        self._kubo = kubo

    async def kubo(self) -> Kubo:
        """Return its client."""
        return self._kubo

    async def failed(self) -> None:
        """Do nothing: a command that fails ends."""

    async def aclose(self) -> None:
        """Close the client; the daemon runs on."""
        await self._kubo.aclose()


async def access_for_command(settings: IpfsSettings, context: Context) -> Access:
    """Return the way to the daemon of a peer; nothing is started yet.

    Args:
        settings: What the operator typed now, which may be less than what the peer was started with.
        context: The peer's.

    Raises:
        ConfigError: An address cannot be used.
        ProviderError: There is no program to run a private daemon with.
    """
    running = await running_daemon(context.state) if settings.api is None else None
    if running is not None:
        return RunningDaemon(running)
    return open_access(settings, context.state, context.network_key, context.tell)
