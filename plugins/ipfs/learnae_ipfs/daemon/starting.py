"""Starts, adopts and ends the private daemon of a folder, for whoever holds the folder's ``start.lock``."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from learnae.errors import LearnaeError, ProviderError, UnavailableError
from learnae_ipfs.daemon.configuration import Wishes, fingerprint, wanted_configuration
from learnae_ipfs.daemon.environment import daemon_environment
from learnae_ipfs.daemon.log import shorten
from learnae_ipfs.daemon.ports import choose_port
from learnae_ipfs.daemon.process import Record, find_process, interrupt, is_alive, read_record, record_of, spawn, write_record
from learnae_ipfs.daemon.program import Program, find_program
from learnae_ipfs.daemon.repository import Repository, key_for
from learnae_ipfs.daemon.tokens import new_token, read_token
from learnae_ipfs.daemon.troubles import why_it_failed
from learnae_ipfs.daemon.versions import MENDED_PUBSUB, SOUND_QUIC, read_version, warn_untested
from learnae_ipfs.kubo import Endpoint, Kubo
from learnae_ipfs.layout import ADDRESSES, LOG, PORT, REPOSITORY
from learnae_ipfs.private_files import read_private
from learnae_ipfs.remembered import remembered
from learnae_ipfs.settings import IpfsSettings
from learnae_ipfs.telling import once

START_S = 90.0
"""How long a daemon may take until it writes down where it can be spoken to."""

ANSWER_S = 20.0
"""How long one that has written it down may take to answer."""

TERMINATE_S, KILL_S = 2.2, 0.5
"""How long a daemon has to end when it is asked, and when it is not asked."""

_BETWEEN_LOOKS_S = 0.05
_RECONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class Joined:
    """A daemon that answers.

    Attributes:
        kubo: A client of it; whoever gets it closes it.
        record: Its process.
        started: Whether it was started right now.
    """

    kubo: Kubo
    record: Record
    started: bool


class Starter:
    """All methods are called under ``start.lock``, and by one task at a time."""

    def __init__(
        self,
        settings: IpfsSettings,
        folder: Path,
        network_key: str | None,
        tell: Callable[[str], None],
        *,
        is_closing: Callable[[], bool],
    ) -> None:
        """Make one; nothing is touched.

        Args:
            settings: What the operator chose.
            folder: The plugin's folder; it exists.
            network_key: 64 hexadecimal digits that only the session's members know, for the swarm key; ``None`` without a secret.
            tell: Takes sentences for the operator.
            is_closing: Says whether waiting is in vain.
        """
        self._settings, self._folder, self._tell = settings, folder, tell
        self._is_secret = network_key is not None
        self._key = key_for(network_key, public_network=settings.public_network)
        self._is_closing = is_closing
        self._repository = Repository(folder / REPOSITORY, is_closing=is_closing)
        self.log = folder / LOG

    async def join(self, *, alone: bool) -> Joined:
        """Return the daemon that runs, or start one.

        Args:
            alone: Whether nobody else uses it: then one that is not as it should be is replaced.

        Raises:
            UnavailableError: It does not start, or does not answer.
            ProviderError: There is no program, or it can never work with this repository.
        """
        await asyncio.to_thread(self._repository.is_there)  # nothing is asked by way of a link in its place
        program = await asyncio.to_thread(self._program)
        running = await self._running(patience_s=ANSWER_S if alone else START_S)
        if running is not None:
            if self._is_as_wanted(running, program):
                return running
            if not alone:
                once(self._folder / "said.json", self._tell)(
                    "the private IPFS daemon of this peer runs with other settings, and another program uses it; those of this "
                    "run count when it is started next"
                )
                return running
            await running.kubo.aclose()
            await self._end(running.record)
        if isinstance(program, ProviderError):
            raise program
        return await self._start(program)

    async def end(self) -> None:
        """End the daemon, without force if it can be; returns when it has ended, or after 3 s."""
        record = await self._alive()
        if record is not None:
            await self._end(record)

    def _is_as_wanted(self, running: Joined, program: Program | ProviderError) -> bool:
        record = running.record
        if isinstance(program, ProviderError):  # it runs, and could not be started again
            return True
        if (record.program, record.version) != (str(program.path), program.version):
            return False
        before, wanted = self._configured_port(), self._settings.port
        return wanted in {0, before} and record.fingerprint == fingerprint(self._wishes(program, before or wanted, ""), self._key)

    async def _running(self, *, patience_s: float) -> Joined | None:
        """Find the daemon that runs in this folder; end one that does not answer to its token within ``patience_s``."""
        record = await self._alive()
        if record is None:
            return None
        try:
            token = await asyncio.to_thread(read_token, self._folder)
            if token is None:
                raise UnavailableError("its token is lost")
            return Joined(await self._answering(record, token, patience_s=patience_s), record, started=False)
        except UnavailableError:
            if self._is_closing():  # others may use it, and it may answer them
                raise
            await self._end(record)
            return None

    async def _alive(self) -> Record | None:
        """Find the process of the daemon, also one of which nothing is written down: whoever wrote it died first."""
        record = read_record(self._record_file)
        if record is not None and is_alive(record, self._repository.folder):
            return record
        return await asyncio.to_thread(find_process, self._repository.folder) if self._repository.folder.is_dir() else None

    async def _answering(self, record: Record, token: str, *, patience_s: float = ANSWER_S) -> Kubo:
        """Wait until the daemon answers with our token, and make sure that it is the one of our repository.

        Args:
            record: Its process.
            token: The bearer token.
            patience_s: How long it may take to answer, once it has written down where.

        Raises:
            UnavailableError: It ended, does not answer, or waiting is in vain.
        """
        begun = time.monotonic()
        address_seen = None
        while True:
            if self._is_closing():
                raise UnavailableError("the peer is ending")
            if not is_alive(record, self._repository.folder):
                raise UnavailableError("it ended")
            address = self._repository.rpc_address()
            if address is not None:
                address_seen = address_seen or time.monotonic()
                kubo = Kubo(Endpoint(address, f"Bearer {token}"))
                try:
                    async with asyncio.timeout(patience_s):
                        identity = await kubo.identity()
                    if identity.peer == await asyncio.to_thread(self._repository.identity):
                        return kubo
                except (LearnaeError, TimeoutError):
                    pass
                except BaseException:
                    await kubo.aclose()
                    raise
                await kubo.aclose()
            now = time.monotonic()
            if now - begun > START_S or (address_seen is not None and now - address_seen > patience_s):
                raise UnavailableError("it does not answer")
            await asyncio.sleep(_BETWEEN_LOOKS_S)

    async def _start(self, program: Program) -> Joined:
        record, since, token = await asyncio.to_thread(self._spawn, program)
        try:
            kubo = await self._answering(record, token)
        except UnavailableError as exc:
            await self._end(record)
            why = why_it_failed(self.log, since, self._repository.folder)
            raise UnavailableError(f"the private IPFS daemon did not start: {exc}: {why}") from exc
        try:
            with contextlib.suppress(UnavailableError):  # who uses it will notice
                await _renew_connections(kubo)
                await self._warn(kubo, program)
        except BaseException:
            await kubo.aclose()
            raise
        return Joined(kubo, record, started=True)

    def _spawn(self, program: Program) -> tuple[Record, int, str]:
        """Prepare the repository and start the process; return it, where its words begin in the log, and its token."""
        repository, before = self._repository, read_record(self._record_file)
        if not repository.is_there():
            repository.make(program)
        sentence = repository.bring_up_to_date(program, before.version if before else None)
        if sentence:
            self._tell(sentence)
        current = repository.configuration()
        port, sentence = choose_port(self._settings.port, self._folder / PORT, self._settings.listen)
        if sentence:
            self._tell(sentence)
        token = new_token(self._folder)
        wishes = self._wishes(program, port, token)
        repository.configure(wanted_configuration(wishes, current), self._key)
        repository.forget_rpc_address()
        environment = daemon_environment(repository.folder, keyed=self._key is not None, memory_mib=self._settings.memory_mib)
        if self._is_closing():
            raise UnavailableError("the peer is ending")
        try:
            since = shorten(self.log)
            command = [str(program.path), "daemon", "--migrate=true", "--enable-gc=true"]
            pid = spawn(command, environment=environment, folder=repository.folder, log=self.log)
            record = record_of(pid, program=program.path, version=program.version, fingerprint=fingerprint(wishes, self._key))
            if record is not None:
                write_record(self._record_file, record)
        except OSError as exc:
            where = exc.filename or program.path
            raise UnavailableError(f"the private IPFS daemon cannot be started: {where}: {exc.strerror}") from exc
        if record is None:
            raise UnavailableError(f"the private IPFS daemon ended at once: {why_it_failed(self.log, since, repository.folder)}")
        return record, since, token

    async def _end(self, record: Record) -> None:
        """End a process, by force only if it must be.

        Not over RPC: a Kubo that collects garbage by itself closes everything then, and stays for ever as an empty process.
        """
        for force, patience_s in ((False, TERMINATE_S), (True, KILL_S)):
            interrupt(record, self._repository.folder, force=force)
            deadline = time.monotonic() + patience_s
            while is_alive(record, self._repository.folder):
                if time.monotonic() >= deadline:
                    break
                await asyncio.sleep(_BETWEEN_LOOKS_S)
            else:
                return

    async def _warn(self, kubo: Kubo, program: Program) -> None:
        settings, version = self._settings, read_version(program.version)
        await warn_untested(kubo, program.version, str(program.path), pubsub=settings.pubsub, tell=self._tell)
        if settings.public_network and self._is_secret:
            self._tell(
                "the session has a secret, so that its IPFS daemons make a network of their own: --public-ipfs has no effect"
            )
        if settings.pubsub and not self._is_secret and version is not None and version < MENDED_PUBSUB:
            self._tell(
                f"{program.path} is Kubo {program.version}, whose memory strangers can use up by PubSub (CVE-2026-46679), and "
                "this session has no secret that keeps strangers out: install a newer one, or --set plugins.ipfs.pubsub=false"
            )

    def _wishes(self, program: Program, port: int, token: str) -> Wishes:
        version = read_version(program.version)
        return Wishes(
            settings=self._settings,
            keyed=self._key is not None,
            port=port,
            token=token,
            repository=program.repository,
            quic=version is None or version >= SOUND_QUIC,
            remembered=remembered(self._folder / ADDRESSES),
        )

    def _configured_port(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            return int(read_private(self._folder / PORT, max_bytes=20) or b"")
        return None

    @property
    def _record_file(self) -> Path:
        return self._folder / "daemon.json"

    def _program(self) -> Program | ProviderError:
        try:
            return find_program(self._settings.program, is_closing=self._is_closing)
        except ProviderError as exc:
            return exc


async def _renew_connections(kubo: Kubo) -> None:
    """Make all connections anew that a daemon made while it started.

    Kubo (0.32 to 0.43 at least) connects to its friends before its Bitswap listens for connections, so that no file ever comes
    through these, for hours. Whoever is not connected now, will be connected later and well.
    """
    early = {neighbour.peer: neighbour for neighbour in await kubo.neighbours()}
    for peer in early:
        await kubo.disconnect(peer)
    reconnect = (
        kubo.connect(f"/p2p/{peer}" if neighbour.inbound else f"{neighbour.address}/p2p/{peer}", patience_s=_RECONNECT_S)
        for peer, neighbour in early.items()
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RECONNECT_S):
            await asyncio.gather(*reconnect, return_exceptions=True)
