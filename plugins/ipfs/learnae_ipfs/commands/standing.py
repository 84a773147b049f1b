"""How a peer's daemon is: what `learnae ipfs status` shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from learnae.interfaces.provider import Context
from learnae_ipfs.commands.addressing import whereabouts
from learnae_ipfs.commands.sizes import megabytes
from learnae_ipfs.daemon.private import open_access
from learnae_ipfs.daemon.running import running_daemon
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.layout import LOG, REPOSITORY
from learnae_ipfs.reading import read_settings
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.storage.references import References


@dataclass(frozen=True, slots=True)
class Standing:
    """How a daemon is; what is not known is ``None``.

    Attributes:
        private: Whether it is a private one of the peer's.
        runs: Whether it runs.
        version: Of Kubo.
        peer: Its libp2p peer id.
        neighbours: How many daemons are connected.
        sent_bytes: Since it was started.
        received_bytes: Since it was started.
        served_blocks: Pieces of files that others fetched from it, since it was started.
        repository_bytes: How much it holds.
        references: How many files this peer offers or keeps there.
        reachability: ``public``, ``private`` or ``unknown``, as AutoNAT found.
        whereabouts: From where it can be reached, in the words of `learnae ipfs address`.
        log: Where a private daemon's log is.
    """

    private: bool
    runs: bool
    version: str | None = None
    peer: str | None = None
    neighbours: int | None = None
    sent_bytes: int | None = None
    received_bytes: int | None = None
    served_blocks: int | None = None
    repository_bytes: int | None = None
    references: int | None = None
    reachability: str | None = None
    whereabouts: str | None = None
    log: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` writes."""
        return asdict(self) | {"log": None if self.log is None else str(self.log)}

    def lines(self) -> list[str]:
        """Write it for people."""
        whose = "the peer's private daemon" if self.private else "a daemon that somebody else runs"
        rows: list[tuple[str, object, Callable[[Any], str]]] = [
            ("daemon", f"{whose}, {'which runs' if self.runs else 'which does not run now'}", str),
            ("version", self.version, lambda version: f"Kubo {version}"),
            ("peer id", self.peer, str),
            ("neighbours", self.neighbours, str),
            ("whereabouts", self.whereabouts, str),
            ("sent", self.sent_bytes, lambda count: f"{megabytes(count)} since it was started"),
            ("received", self.received_bytes, lambda count: f"{megabytes(count)} since it was started"),
            ("served", self.served_blocks, lambda count: f"{count} blocks of files since it was started"),
            ("repository", self.repository_bytes, megabytes),
            ("references", self.references, lambda count: f"{count} files that this peer offers or keeps"),
            ("log", self.log, str),
        ]
        width = max(len(name) for name, value, _ in rows if value is not None)
        return [f"{name:<{width}}  {write(value)}" for name, value, write in rows if value is not None]


async def ask(context: Context) -> Standing:
    """Ask the daemon of a peer; a private one is neither started nor held.

    Raises:
        ConfigError: An option cannot be used.
        ProviderError: The daemon that is configured can never be used.
        UnavailableError: It does not answer.
    """
    settings = read_settings(context.options, context.tell)
    if settings.api is None:
        kubo = await running_daemon(context.state)
        log = context.state / LOG
        if kubo is None:
            return await asyncio.to_thread(_resting, context.state / REPOSITORY, log)
        try:
            return await _running(kubo, context, settings, log)
        finally:
            await kubo.aclose()
    access = open_access(settings, context.state, context.network_key, context.tell)
    try:
        return await _running(await access.kubo(), context, settings, None)
    finally:
        await access.aclose()


async def _running(kubo: Kubo, context: Context, settings: IpfsSettings, log: Path | None) -> Standing:
    found, counters = await whereabouts(kubo, settings.announce), await kubo.counters()
    return Standing(
        private=log is not None,
        runs=True,
        version=await kubo.version(),
        peer=found.peer,
        neighbours=len({neighbour.peer for neighbour in await kubo.neighbours()}),
        sent_bytes=counters.sent_bytes,
        received_bytes=counters.received_bytes,
        served_blocks=counters.served_blocks,
        repository_bytes=await kubo.repository_bytes(),
        references=len(await References(context.rendezvous, context.owner).kept(kubo)),
        reachability=found.reachability,
        whereabouts=found.sentence(own=log is not None),
        log=log,
    )


def _resting(repository: Path, log: Path) -> Standing:
    """Look at what a private daemon that does not run left on the disk."""
    files = [file for file in repository.rglob("*") if file.is_file()] if repository.is_dir() else []
    held = sum(file.stat().st_size for file in files)
    return Standing(private=True, runs=False, repository_bytes=held, log=log if log.exists() else None)
