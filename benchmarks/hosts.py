"""Several hosts on one machine for the benchmarks and tests: Linux network namespaces with cables between them. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Host:
    """A host: its namespace, and its address in each network that it is plugged into."""

    namespace: str
    addresses: dict[str, str]

    def command(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs on this host."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def cut(self, network: str) -> None:
        """Pull the cable out of a network."""
        _ip("-n", self.namespace, "link", "set", "dev", network, "down")

    def heal(self, network: str) -> None:
        """Plug it in again."""
        _ip("-n", self.namespace, "link", "set", "dev", network, "up")


@contextlib.contextmanager
def plugged(networks: dict[str, Sequence[str]]) -> Iterator[dict[str, Host]]:
    """Make hosts and plug them in; whatever was made goes at the end.

    Args:
        networks: For each network (a short name) its hosts: ``{"left": ["a", "b"], "right": ["b", "c"]}`` are three hosts of
            which ``a`` and ``c`` reach only ``b``. Nothing is forwarded between networks.
    """
    run = uuid.uuid4().hex[:6]
    hosts: dict[str, Host] = {}
    with contextlib.ExitStack() as stack:

        def namespace(name: str) -> str:
            made = f"learnae-{run}-{name}"
            _ip("netns", "add", made)
            stack.callback(_ip, "netns", "delete", made)
            _ip("-n", made, "link", "set", "dev", "lo", "up")
            return made

        for number, (network, members) in enumerate(networks.items(), start=1):
            switch = namespace(f"switch-{network}")
            _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", switch, "link", "set", "dev", "bridge", "up")
            for member in members:
                if member not in hosts:
                    hosts[member] = Host(namespace(member), {})
                host = hosts[member]
                order = list(dict.fromkeys(name for each in networks.values() for name in each)).index(member) + 1
                address = f"10.{number}.0.{order}"
                _ip("-n", host.namespace, "link", "add", network, "type", "veth", "peer", "name", member, "netns", switch)
                _ip("-n", switch, "link", "set", "dev", member, "master", "bridge", "up")
                _ip("-n", host.namespace, "address", "add", f"{address}/24", "dev", network)
                _ip("-n", host.namespace, "link", "set", "dev", network, "up")
                host.addresses[network] = address
        yield hosts


def is_possible() -> bool:
    """Say whether this user can make hosts here."""
    if os.geteuid() != 0:
        return False
    try:
        with plugged({"try": ["a"]}):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
