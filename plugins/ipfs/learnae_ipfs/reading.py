"""From a context's options to settings: each is checked, and what cannot be used is refused in a sentence."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from learnae.errors import ConfigError
from learnae.interfaces.provider import OptionValue
from learnae_ipfs.addresses import Multiaddress, read_multiaddress
from learnae_ipfs.endpoints import read_authorization, read_endpoint
from learnae_ipfs.remembered import read_daemon_address
from learnae_ipfs.settings import OPTIONS, IpfsSettings

MAX_AUTHORIZATION_BYTES = 4_096


def read_settings(options: Mapping[str, OptionValue | None], tell: Callable[[str], None] = lambda _: None) -> IpfsSettings:
    """Make settings of a context's options; reads the file with the daemon's token or password.

    Args:
        options: All of them, as ``Context.options`` has them.
        tell: Is told what is not wrong and still should not be.

    Raises:
        ConfigError: One of them cannot be used; the message names it, its value and what is accepted.
    """
    read = _Reading(options)
    api, auth_file = read.text("api"), read.text("api_auth_file")
    if auth_file is not None and api is None:
        raise ConfigError(
            "plugins.ipfs.api_auth_file is for the daemon of plugins.ipfs.api, and that is not set; give --ipfs-api"
        )
    return IpfsSettings(
        api=None if api is None else _api(api),
        api_auth=None if auth_file is None else authorization_of(Path(auth_file).expanduser(), tell),
        program=read.text("program") or "ipfs",
        bootstrap=tuple(str(address) for address in read.addresses("bootstrap", with_peer=True)),
        listen=read.ip("listen"),
        port=int(read.number("port", 0, 65_535)),
        announce=tuple(str(address.without_peer) for address in read.addresses("announce", with_peer=False)),
        local_network=read.switch("local_network"),
        public_network=read.switch("public_network"),
        memory_mib=int(read.number("memory_mib", 64, 65_536)),
        storage_gb=read.number("storage_gb", 0.1, 100_000),
        pubsub=read.switch("pubsub"),
        slow_interval_s=read.number("slow_interval_s", 1, 3_600),
    )


class _Reading:
    """Reads options one by one."""

    def __init__(self, options: Mapping[str, OptionValue | None]) -> None:
        self._options = {option.name: options.get(option.name, option.default) for option in OPTIONS}

    def text(self, name: str) -> str | None:
        value = self._options[name]
        if value is not None and (not isinstance(value, str) or "\0" in value):
            self._refuse(name, "a text")
        return str(value).strip() or None if value is not None else None

    def switch(self, name: str) -> bool:
        value = self._options[name]
        return value if isinstance(value, bool) else self._refuse(name, "true or false")

    def number(self, name: str, least: float, most: float) -> float:
        value = self._options[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self._refuse(name, f"a number from {least:g} to {most:g}")
        return value

    def ip(self, name: str) -> str:
        try:
            return str(ipaddress.ip_address(self.text(name) or ""))
        except ValueError:
            self._refuse(name, "an IP address of this machine, such as 192.168.1.7, or 0.0.0.0 for all")

    def addresses(self, name: str, *, with_peer: bool) -> Iterator[Multiaddress]:
        for word in (self.text(name) or "").replace(",", " ").split():
            try:
                address = read_multiaddress(word)
            except ConfigError as exc:
                raise ConfigError(f"plugins.ipfs.{name}: {exc}") from exc
            if with_peer and address.peer is None:
                end = "an address of a friend's ends in /p2p/PEER; `learnae ipfs address` prints it there"
                raise ConfigError(f"plugins.ipfs.{name}: {word!r} does not say whose address it is: {end}")
            if with_peer and read_daemon_address(word) is None:
                raise ConfigError(f"plugins.ipfs.{name}: {word[:200]!r} is not the address of an IPFS daemon")
            if not with_peer and not {"tcp", "udp"} & set(address.protocols):
                raise ConfigError(
                    f"plugins.ipfs.{name}: {word!r} has no port: write /ip4/ADDRESS/tcp/PORT or /dns4/NAME/tcp/PORT"
                )
            yield address

    def _refuse(self, name: str, accepted: str) -> NoReturn:
        raise ConfigError(f"plugins.ipfs.{name} = {str(self._options[name])[:80]!r} cannot be used; accepted: {accepted}")


def _api(text: str) -> str:
    """Return an RPC address as a multiaddress, which is how the client takes it."""
    try:
        return read_endpoint(text).address
    except ConfigError as exc:
        raise ConfigError(f"plugins.ipfs.api: {exc}") from exc


def authorization_of(file: Path, tell: Callable[[str], None] = lambda _: None) -> str:
    """Read a token or a password, as Kubo's ``API.Authorizations`` writes it.

    Raises:
        ConfigError: There is no such file, or it holds something else.
    """
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(
                f"{file}: is no file; name one with bearer:TOKEN or basic:USER:PASSWORD in it, with --ipfs-auth-file"
            )
        with file.open("rb") as stream:
            content = stream.read(MAX_AUTHORIZATION_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{file}: cannot be read: {exc.strerror}; name another with --ipfs-auth-file") from exc
    text = content.decode("utf-8", "replace").strip()
    if len(content) > MAX_AUTHORIZATION_BYTES:
        raise ConfigError(f"{file}: must hold one line, bearer:TOKEN or basic:USER:PASSWORD, and holds more")
    try:
        read_authorization(text)
    except ConfigError as exc:
        raise ConfigError(f"{file}: {exc}") from exc
    if mode & 0o077:
        tell(f"{file} holds a token or a password, and others on this machine may read it; type: chmod 600 {file}")
    return text
