"""What the programs that we start see of this process's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_NOT_THEIRS = ("IPFS_", "KUBO_", "LIBP2P_", "GOLOG_", "OTEL_", "LISTEN_", "TEST_", "API_ORIGIN", "NOTIFY_SOCKET")
"""Variables that begin so would change what a daemon does, whom it contacts, or where it keeps its files."""


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without what somebody set for another daemon; nothing that we start reports on its use."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_NOT_THEIRS)}
    return kept | {"IPFS_TELEMETRY": "off"}


def daemon_environment(repository: Path, *, keyed: bool, memory_mib: int) -> dict[str, str]:
    """Return the environment of a daemon of ours.

    Args:
        repository: Its repository.
        keyed: Whether it must refuse to run without its swarm key.
        memory_mib: The memory at which it begins to be thrifty, in MiB.
    """
    wanted = {"IPFS_PATH": str(repository), "GOMEMLIMIT": f"{memory_mib}MiB"}
    return clean_environment() | wanted | ({"LIBP2P_FORCE_PNET": "1"} if keyed else {})
