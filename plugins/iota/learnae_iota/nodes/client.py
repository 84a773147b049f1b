"""How a node is spoken to: one method that a client of its API has, and the client on the standard library.

The other client is PyOTA: ``learnae_iota.nodes.pyota``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from learnae.errors import ConfigError, UnavailableError
from learnae_iota.nodes.exchange import Exchange
from learnae_iota.stopping import Stop

Reply = dict[str, Any]
"""What a node answers: unchecked."""


class Client(Protocol):
    """Sends commands of the legacy HTTP API to one node. Any number of threads may use it."""

    @property
    def name(self) -> str:
        """How errors call the node."""
        ...

    def ask(
        self, command: str, arguments: Mapping[str, Any], *, stop: Stop | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a command, and return the answer: text, numbers, truth values, lists and objects of them, nothing else.

        Args:
            command: As the API writes it, such as ``findTransactions``.
            arguments: As the API writes them.
            stop: Ends it early.
            timeout_s: How long it may take; the client's own time where nothing is said.

        Raises:
            RefusedError: The node answers that it does not do it.
            UnavailableError: It does not answer, or not in time, or with what is no answer.
            TooLargeError: It answers with more than is read.
            StoppedError: It was stopped.
        """
        ...

    def close(self) -> None:
        """End what is under way, and close the connections; idempotent."""
        ...


class ClientName(StrEnum):
    """Which client to use."""

    PLAIN = "plain"
    """The standard library's: nothing else need be installed."""
    PYOTA = "pyota"
    """PyOTA 2.1.0."""


class PlainClient:
    """Speaks to a node with the standard library: see ``Client``.

    Args:
        url: Of the node: see ``Exchange``.
        timeout_s: How long one command may take.

    Raises:
        ConfigError: The URL cannot be used.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        self._exchange = Exchange(url, timeout_s=timeout_s)

    @property
    def name(self) -> str:
        """How errors call the node."""
        return self._exchange.name

    def ask(
        self, command: str, arguments: Mapping[str, Any], *, stop: Stop | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a command: see ``Client.ask``."""
        return ask_over(self._exchange, {"command": command, **arguments}, stop=stop, timeout_s=timeout_s)

    def close(self) -> None:
        """Close it: see ``Client.close``."""
        self._exchange.close()


def open_client(url: str, name: str = ClientName.PLAIN, *, timeout_s: float = 20.0) -> Client:
    """Make a client; nothing is sent before it is asked something.

    Raises:
        ConfigError: There is no client of this name, or the URL cannot be used.
        ProviderError: PyOTA is asked for, and not installed; the message says how.
    """
    if name not in list(ClientName):
        raise ConfigError(f"no client of nodes named {name!r}; there are: {', '.join(ClientName)}")
    if name == ClientName.PLAIN:
        return PlainClient(url, timeout_s=timeout_s)
    from learnae_iota.nodes.pyota import PyotaClient  # noqa: PLC0415  # only who wants PyOTA needs it

    return PyotaClient(url, timeout_s=timeout_s)


def ask_over(exchange: Exchange, payload: Mapping[str, Any], *, stop: Stop | None, timeout_s: float | None) -> Reply:
    """Send a command over an exchange: see ``Client.ask``."""
    data = exchange.ask(msgspec.json.encode(payload), stop=stop, timeout_s=timeout_s)
    try:
        return msgspec.json.decode(data, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UnavailableError(f"{exchange.name} answers {payload['command']} with what is no JSON object") from exc
