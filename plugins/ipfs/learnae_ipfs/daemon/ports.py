"""The port on which friends reach a private daemon: one for always, so that routers and friends can rely on it."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from pathlib import Path

from learnae.errors import UnavailableError
from learnae_ipfs.private_files import read_private, write_private

CHOICE = range(20_000, 32_000)
"""From which a free port is chosen: below those that systems give to outgoing connections, so that it stays free."""

_TRIALS = 100


def is_free(port: int, listen: str) -> bool:
    """Say whether nobody uses a port, neither for TCP nor for UDP.

    Args:
        port: The port.
        listen: The IP address on which it would be used.
    """
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(family, kind) as trial:
                if kind == socket.SOCK_STREAM:  # what is left of closed connections is no obstacle
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((listen, port))
                if kind == socket.SOCK_STREAM:
                    trial.listen(1)
        except OSError:
            return False
    return True


def is_address_of_ours(listen: str) -> bool:
    """Say whether one can listen on an IP address of this machine."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in listen else socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.bind((listen, 0))
    except OSError:
        return False
    return True


def choose_port(wanted: int, file: Path, listen: str) -> tuple[int, str | None]:
    """Return the port to use, and a sentence if it is another than before.

    Args:
        wanted: What the operator chose; 0 for the one of last time, or any free one.
        file: Where the port of last time is written down, and this one will be.
        listen: The IP address on which it will be used.

    Raises:
        UnavailableError: The operator's port is taken, none is free, or it cannot be written down.
    """
    if not is_address_of_ours(listen):
        raise UnavailableError(f"{listen} is no IP address of this machine; --set plugins.ipfs.listen=0.0.0.0 means all")
    if wanted:
        if not is_free(wanted, listen):
            raise UnavailableError(
                f"port {wanted} is used by another program; end that, or choose another for the IPFS daemon with --swarm-port"
            )
        _write(file, wanted)
        return wanted, None
    before = _read(file)
    if before is not None and is_free(before, listen):
        return before, None
    port = _free_one(listen, [port for port in random.SystemRandom().sample(CHOICE, _TRIALS) if port != before])
    _write(file, port)
    if before is None:
        return port, None
    return port, (
        f"port {before} of the private IPFS daemon is used by another program; from now on it is {port}: tell friends who "
        "connect by address, and your router"
    )


def _free_one(listen: str, candidates: Sequence[int]) -> int:
    for port in candidates:
        if is_free(port, listen):
            return port
    raise UnavailableError(f"no free port was found on {listen} for the IPFS daemon; choose one with --swarm-port")


def _read(file: Path) -> int | None:
    try:
        port = int((read_private(file, max_bytes=20) or b"").decode("ascii").strip())
    except (OSError, ValueError):
        return None
    return port if 1 <= port <= 65_535 else None


def _write(file: Path, port: int) -> None:
    if _read(file) == port:
        return
    try:
        write_private(file, f"{port}\n".encode())
    except OSError as exc:
        raise UnavailableError(f"{file} cannot be written: {exc.strerror}") from exc
