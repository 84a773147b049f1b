"""The repository of a private daemon that does not run: made, brought up to date, given a key and a configuration."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from learnae.errors import ProviderError, UnavailableError
from learnae_ipfs.daemon.environment import daemon_environment
from learnae_ipfs.daemon.errands import run_errand
from learnae_ipfs.daemon.program import Program
from learnae_ipfs.daemon.troubles import explained
from learnae_ipfs.private_files import read_private, write_private

OPEN_KEY = hashlib.sha256(b"learnae open network").hexdigest()
"""The swarm key of sessions without a secret, known to everybody.

Without a swarm key, one neighbour in the public network, found by mDNS or a friend's, would draw the daemon into it at once: its
routing asks whomever it meets for more.
"""

OLDEST_REPOSITORY = 16
"""Of Kubo 0.32; older ones are none of ours, and bringing them up to date would download programs."""

_MAX_CONFIG_BYTES = 4_000_000
_MAKING_S, _MIGRATING_S = 120.0, 1800.0
_MAX_WORDS = 300


class Repository:
    """The folder in which a daemon keeps what it has. Nobody else may use it meanwhile."""

    def __init__(self, folder: Path, *, is_closing: Callable[[], bool] = lambda: False) -> None:
        """Look at one; nothing is touched.

        Args:
            folder: Where it is, or will be.
            is_closing: Says whether making it, or bringing it up to date, is in vain.
        """
        self.folder, self._is_closing = folder, is_closing

    @property
    def _config(self) -> Path:
        return self.folder / "config"

    def is_there(self) -> bool:
        """Say whether one was made.

        Raises:
            ProviderError: Something else lies in its place.
        """
        try:
            mode = self.folder.lstat().st_mode
        except OSError:
            return False
        if not stat.S_ISDIR(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "no folder"
            raise ProviderError(
                f"{self.folder}, where the private IPFS daemon has its repository, is {what}; move it away, and a new one is "
                "made; for one on another disk, choose another --state"
            )
        return True

    def make(self, program: Program) -> None:
        """Make one, whole or not at all, whenever this process dies.

        Raises:
            UnavailableError: It cannot be made; the message says why.
        """
        new = self.folder.with_name(f"{self.folder.name}.new")
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o700)
            self._run(program, new, "init", "--empty-repo", patience_s=_MAKING_S, doing="make its repository")
            new.rename(self.folder)
        except OSError as exc:
            raise UnavailableError(f"the repository {self.folder} cannot be made: {exc.strerror}") from exc

    def version(self) -> int:
        """Return the version of what is there.

        Raises:
            ProviderError: It is damaged.
        """
        try:
            version = int((read_private(self.folder / "version", max_bytes=100) or b"").decode("ascii").strip())
        except (OSError, ValueError) as exc:
            raise self._damaged("it does not say its version") from exc
        return version

    def bring_up_to_date(self, program: Program, made_by: str | None) -> str | None:
        """Bring it to the version that the program works with; what is in it stays.

        Args:
            program: That is going to run on it.
            made_by: The version of the program that ran on it last, if that is known.

        Returns:
            A sentence if something was done.

        Raises:
            ProviderError: It is newer than the program, too old, or damaged.
            UnavailableError: It failed.
        """
        version = self.version()
        if version == program.repository:
            return None
        before = f"Kubo {made_by}" if made_by else "another version of Kubo"
        if version > program.repository:
            raise ProviderError(
                f"the repository {self.folder} was used by {before} and is of version {version}; {program.path} is Kubo "
                f"{program.version}, which knows those up to version {program.repository}, and there is no way back: name the "
                "newer program with --ipfs-program, or move that folder away"
            )
        if version < OLDEST_REPOSITORY:
            raise ProviderError(
                f"the repository {self.folder} is of version {version}, and those before {OLDEST_REPOSITORY} cannot be taken "
                "over; move that folder away, and a new one is made"
            )
        doing = "bring its repository up to date"
        self._run(program, self.folder, "repo", "migrate", patience_s=_MIGRATING_S, doing=doing)
        return (
            f"the repository {self.folder}, which was used by {before}, was brought from version {version} to "
            f"{program.repository} for Kubo {program.version}; the older program cannot read it any more"
        )

    def identity(self) -> str:
        """Return the peer id of its daemon.

        Raises:
            ProviderError: It is damaged.
        """
        return _peer_in(self.configuration()) or ""

    def configuration(self) -> dict[str, Any]:
        """Read the configuration.

        Raises:
            ProviderError: It is damaged.
        """
        try:
            config = json.loads(read_private(self._config, max_bytes=_MAX_CONFIG_BYTES) or b"")
        except (OSError, ValueError, RecursionError) as exc:
            raise self._damaged("its configuration cannot be read") from exc
        if not isinstance(config, dict) or not _peer_in(config) or not isinstance(config.get("Datastore"), dict):
            raise self._damaged("its configuration is not whole")
        return config

    def configure(self, config: Mapping[str, Any], network_key: str | None) -> None:
        """Write the configuration, and the swarm key or none; both are readable for their owner alone.

        Args:
            config: All of it.
            network_key: 64 hexadecimal digits; ``None`` for a daemon without a swarm key.

        Raises:
            UnavailableError: They cannot be written.
        """
        try:
            key = self.folder / "swarm.key"
            if network_key is None:
                key.unlink(missing_ok=True)
            else:
                write_private(key, swarm_key(network_key).encode())
            write_private(self._config, json.dumps(config, indent=2).encode())
            self.folder.chmod(0o700)
        except OSError as exc:
            raise UnavailableError(f"the repository {self.folder} cannot be written to: {exc.strerror}") from exc

    def rpc_address(self) -> str | None:
        """Return the multiaddress that a daemon wrote down for its RPC interface; one that was killed leaves it behind."""
        with contextlib.suppress(OSError, ValueError):
            return (read_private(self.folder / "api", max_bytes=1_000) or b"").decode("ascii").strip() or None
        return None

    def forget_rpc_address(self) -> None:
        """Remove what an earlier daemon wrote down.

        Raises:
            UnavailableError: It cannot be removed.
        """
        try:
            (self.folder / "api").unlink(missing_ok=True)
        except OSError as exc:
            raise UnavailableError(f"the repository {self.folder} cannot be written to: {exc.strerror}") from exc

    def _run(self, program: Program, folder: Path, *arguments: str, patience_s: float, doing: str) -> None:
        """Run the program on a repository.

        Raises:
            UnavailableError: It fails, takes longer than ``patience_s``, or is in vain.
        """
        command, environment = [str(program.path), *arguments], daemon_environment(folder, keyed=False, memory_mib=256)
        try:
            done = run_errand(
                command,
                environment=environment,
                folder=folder,
                patience_s=patience_s,
                is_closing=self._is_closing,
                complaints=True,
            )
        except TimeoutError as exc:
            raise UnavailableError(f"{program.path} did not {doing} within {patience_s:.0f} s") from exc
        except OSError as exc:
            raise UnavailableError(f"{program.path} cannot be started: {exc.strerror or os.strerror(exc.errno or 0)}") from exc
        if done.status != 0:
            lines = done.output[-8_192:].decode("utf-8", "replace").splitlines()
            why = explained(lines, folder) or " | ".join(line.strip() for line in lines[-3:] if line.strip())[-_MAX_WORDS:]
            raise UnavailableError(f"{program.path} could not {doing}: {why or f'it ended with {done.status}'}")

    def _damaged(self, why: str) -> ProviderError:
        return ProviderError(
            f"the repository {self.folder} of the private IPFS daemon is damaged: {why}; move that folder away, and a new one is "
            "made"
        )


def key_for(network_key: str | None, *, public_network: bool) -> str | None:
    """Return the material of the swarm key that a daemon gets; ``None`` only where the public network is asked for.

    Args:
        network_key: What the session's secret makes of itself; ``None`` without a secret.
        public_network: Whether the operator asks for the public network; with a secret that has no effect.
    """
    return network_key or (None if public_network else OPEN_KEY)


def swarm_key(network_key: str) -> str:
    """Return the contents of ``swarm.key``.

    Args:
        network_key: 64 hexadecimal digits.
    """
    return f"/key/swarm/psk/1.0.0/\n/base16/\n{network_key}\n"


def _peer_in(config: Mapping[str, Any]) -> str | None:
    identity = config.get("Identity")
    peer = identity.get("PeerID") if isinstance(identity, dict) else None
    return peer if isinstance(peer, str) and peer else None
