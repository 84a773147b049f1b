"""What ``learnae check`` says of IPFS; nothing that is started or made here stays."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from learnae.errors import LearnaeError, UnavailableError
from learnae.interfaces.provider import Context, Finding
from learnae_ipfs.addresses import read_multiaddress
from learnae_ipfs.commands.addressing import whereabouts
from learnae_ipfs.commands.friends import look_for_friends
from learnae_ipfs.commands.sizes import megabytes
from learnae_ipfs.daemon.private import open_access
from learnae_ipfs.daemon.program import find_program, look_at_program
from learnae_ipfs.daemon.repository import Repository
from learnae_ipfs.daemon.running import running_daemon
from learnae_ipfs.daemon.versions import MENDED_PUBSUB, read_version, written
from learnae_ipfs.kubo import Kubo
from learnae_ipfs.layout import PORT, REPOSITORY
from learnae_ipfs.settings import IpfsSettings

LITTLE_BYTES = 1_000_000_000
REACH_PATIENCE_S = 5.0

PUBSUB_ADVICE = "ipfs config --json Pubsub.Enabled true, on that daemon's machine, and start it again"


def look(settings: IpfsSettings, context: Context) -> Sequence[Finding]:
    """Look whether a daemon is there or could be, who answers, and who can reach it.

    Args:
        settings: What the operator chose.
        context: Whose ``state`` need not be there; nothing is made in it.
    """
    return asyncio.run(_all(settings, context))


async def _all(settings: IpfsSettings, context: Context) -> list[Finding]:
    findings: list[Finding] = []
    try:
        look = _at_own(settings, context) if settings.api is None else _at_foreign(settings.api, settings, context)
        async for finding in look:
            findings.append(finding)  # noqa: PERF401  # what was found before an error counts
    except LearnaeError as exc:
        what, _, advice = str(exc).partition("; ")
        findings.append(Finding(False, what, advice or "learnae check again; the other findings may say why"))
    return findings


async def _at_foreign(api: str, settings: IpfsSettings, context: Context) -> AsyncIterator[Finding]:
    """Look at a daemon that somebody else runs."""
    address = read_multiaddress(api)
    if settings.api_auth and address.reach != "machine" and not {"https", "unix"} & set(address.protocols):
        yield Finding(True, f"the token or password for {api} travels unencrypted: use https where others can listen")
    with TemporaryDirectory(prefix="learnae-check-") as folder:
        said: list[str] = []
        access = open_access(settings, Path(folder), context.network_key, said.append)
        try:
            kubo = await access.kubo()
            yield Finding(True, f"the daemon at {api} answers: Kubo {await kubo.version()}")
            friends = "it meets peers with private daemons only where it is in their private network (see docs/ipfs.md)"
            yield Finding(True, f"{api} is a daemon that somebody else runs: {friends}")
            if context.network_key is not None:
                text = "strangers can connect to it: the session's secret hides what is said there, not that it is said"
                yield Finding(True, f"{api} is no private daemon, so that {text}")
            for text in _news(said):
                yield Finding(True, text)
            async for finding in _at_daemon(kubo, settings, context):
                yield finding
        finally:
            await access.aclose()


async def _at_own(settings: IpfsSettings, context: Context) -> AsyncIterator[Finding]:
    """Look at a private daemon: the one that runs, or a throw-away one."""
    findings = await asyncio.to_thread(look_at_program, settings)
    for finding in findings:
        yield finding
    yield _space(settings, context.state)
    if not all(finding.ok for finding in findings):
        return
    yield await asyncio.to_thread(_repository, settings, Repository(context.state / REPOSITORY))
    running = await running_daemon(context.state)
    if running is not None:
        try:
            yield Finding(True, f"this peer's private daemon runs: Kubo {await running.version()}")
            async for finding in _at_daemon(running, settings, context):
                yield finding
        finally:
            await running.aclose()
        return
    with TemporaryDirectory(prefix="learnae-check-", ignore_cleanup_errors=True) as folder:
        said: list[str] = []
        if (context.state / PORT).exists():
            shutil.copyfile(context.state / PORT, Path(folder) / PORT)  # where friends and the router expect it
        # Whom it would find in the local network, by whatever address, says nothing of the addresses that were given.
        trial = replace(settings, local_network=False)
        access = open_access(trial, Path(folder), context.network_key, said.append)
        try:
            kubo = await access.kubo()
            yield Finding(True, "a private daemon starts with these settings; it was a trial, and is ended again")
            for text in _news(said):
                yield Finding(True, text)
            async for finding in _at_daemon(kubo, settings, context, is_new=True):
                yield finding
        finally:
            await access.aclose()


async def _at_daemon(kubo: Kubo, settings: IpfsSettings, context: Context, *, is_new: bool = False) -> AsyncIterator[Finding]:
    """Look at a daemon that answers."""
    yield await _pubsub(kubo, settings)
    version = read_version(await kubo.version())
    is_private = context.network_key is not None and settings.api is None
    if settings.pubsub and not is_private and version is not None and version < MENDED_PUBSUB:
        text = (
            f"before Kubo {written(MENDED_PUBSUB)}, strangers on a PubSub topic can use up the daemon's memory (CVE-2026-46679)"
        )
        yield Finding(True, f"warning: {text}: install a newer one, or found the session with a secret")
    for finding in await look_for_friends(kubo, settings.bootstrap):
        yield finding
    # One that ran before knows already what there is to know.
    patience_s = REACH_PATIENCE_S if is_new and not settings.listen.startswith("127.") else 0.0
    found = await whereabouts(kubo, settings.announce, patience_s=patience_s)
    lasts = not is_new or settings.port != 0 or (context.state / PORT).exists()
    yield Finding(True, f"the daemon {found.sentence(own=settings.api is None, lasts=lasts)}")


def _news(said: Sequence[str]) -> Sequence[str]:
    """Return what a daemon's start gave reason to say, without what is said here anyway."""
    return [text for text in dict.fromkeys(said) if "CVE-2026-46679" not in text]


async def _pubsub(kubo: Kubo, settings: IpfsSettings) -> Finding:
    if not settings.pubsub:
        return Finding(True, "PubSub is not used, as plugins.ipfs.pubsub says: messages take the slower way")
    try:
        await kubo.topics()
    except UnavailableError as exc:
        return Finding(True, f"messages take the slower way: {exc}; to mend it: {PUBSUB_ADVICE}")
    return Finding(True, "PubSub is switched on")


def _space(settings: IpfsSettings, folder: Path) -> Finding:
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as exc:
        return Finding(False, f"the free space at {there} cannot be told: {exc.strerror}", f"df {there}")
    text = f"{megabytes(free)} are free at {there}"
    if free < LITTLE_BYTES:
        return Finding(False, text, "learnae run --state FOLDER, on another disk")
    if free < settings.storage_gb * 1e9:
        return Finding(True, f"{text}, less than the repository may grow to: --set plugins.ipfs.storage_gb={free / 2e9:.1f}")
    return Finding(True, text)


def _repository(settings: IpfsSettings, repository: Repository) -> Finding:
    """See whether the program can work with the repository that an earlier run left."""
    if not repository.is_there():
        return Finding(True, "there is no repository yet; one will be made")
    version, program = repository.version(), find_program(settings.program)
    text = f"the repository {repository.folder} is of version {version}"
    if version > program.repository:
        text = f"{text}, and Kubo {program.version} knows those up to {program.repository}"
        return Finding(False, text, "install the newer Kubo again that made it, or learnae run --state ANOTHER")
    older = "" if version == program.repository else ", and is brought up to date when the daemon starts"
    return Finding(True, f"{text}{older}")
