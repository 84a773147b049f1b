"""The one module that speaks to PyOTA 2.1.0, and mends it for today's Python.

``import iota`` asks ``pkg_resources``, which is no more, for its own version: a stand-in answers, there for as long as the import
takes. What PyOTA sends goes through our own exchange, as its adapters are meant for: its own one has no bound on what it reads.
Its local proof of work, which damages transactions, and its pure Python hashes are not used.
"""

import importlib
import sys
import threading
import types
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from learnae.errors import ProviderError, UnavailableError, UsageError, WorldError
from learnae_iota.nodes.client import Reply, ask_over
from learnae_iota.nodes.exchange import Exchange, complaint
from learnae_iota.stopping import Stop

VERSION = "2.1.0"
INSTALL = (
    f"pip install 'phx-class-registry<5' phx-filters requests 'safe-pysha3>=1.0.4' six && pip install --no-deps pyota=={VERSION}"
)
"""How PyOTA is installed: a plain ``pip install pyota`` wants pysha3, which today's Python cannot build."""

_STAND_IN = "pkg_resources"
_IMPORTING = threading.Lock()


class PyotaClient:
    """Speaks to a node with PyOTA's ``StrictIota``, which checks and types what is sent and what comes: see ``Client``.

    Args:
        url: Of the node: see ``Exchange``.
        timeout_s: How long one command may take.

    Raises:
        ConfigError: The URL cannot be used.
        ProviderError: PyOTA 2.1.0 is not installed, or cannot be imported; the message says what to type.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        iota = import_pyota()
        self._api, self._adapter = iota.StrictIota, _adapter_of(iota)
        self._exchange = Exchange(url, timeout_s=timeout_s)

    @property
    def name(self) -> str:
        """How errors call the node."""
        return self._exchange.name

    def ask(
        self, command: str, arguments: Mapping[str, Any], *, stop: Stop | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Send a command: see ``Client.ask``."""
        api = self._api(self._adapter(self._exchange, stop, timeout_s))
        if command not in api.commands:
            raise UsageError(f"PyOTA has no command {command!r}")
        try:
            return {str(key): _plain(value) for key, value in getattr(api, command)(**arguments).items()}
        except WorldError:
            raise
        except (ValueError, TypeError, RecursionError) as exc:  # what its filters raise; what is sent was checked before
            raise UnavailableError(f"PyOTA makes nothing of what {self.name} answers {command}: {complaint(str(exc))}") from exc

    def close(self) -> None:
        """Close it: see ``Client.close``."""
        self._exchange.close()


def import_pyota() -> Any:  # noqa: ANN401  # PyOTA has no types
    """Import PyOTA, and return its package.

    Raises:
        ProviderError: PyOTA 2.1.0 is not installed, or cannot be imported; the message says what to type.
    """
    try:
        found = metadata.version("pyota")
    except metadata.PackageNotFoundError as exc:
        raise ProviderError(f"PyOTA is not installed; type: {INSTALL}") from exc
    if found != VERSION:
        raise ProviderError(f"PyOTA {found} is installed, and {VERSION} is needed; type: {INSTALL}")
    with _IMPORTING:
        if "iota" in sys.modules:
            return sys.modules["iota"]
        before = sys.modules.get(_STAND_IN)
        sys.modules[_STAND_IN] = _stand_in()
        try:
            return importlib.import_module("iota")
        except ImportError as exc:
            raise ProviderError(f"PyOTA cannot be imported ({exc}); type: {INSTALL}") from exc
        finally:
            if before is None:
                del sys.modules[_STAND_IN]
            else:
                sys.modules[_STAND_IN] = before


def _stand_in() -> types.ModuleType:
    module = types.ModuleType(_STAND_IN)
    module.require = lambda _: [types.SimpleNamespace(version=VERSION)]  # type: ignore[attr-defined]
    return module


def _adapter_of(iota: Any) -> Any:  # noqa: ANN401  # no types
    class Adapter(iota.BaseAdapter):  # type: ignore[misc]  # no types
        """Sends what PyOTA made, and returns what came; one for each command."""

        def __init__(self, exchange: Exchange, stop: Stop | None, timeout_s: float | None) -> None:
            super().__init__()
            self._exchange, self._stop, self._timeout_s = exchange, stop, timeout_s

        def get_uri(self) -> str:
            return self._exchange.name

        def send_request(self, payload: Any, **_: Any) -> Reply:  # noqa: ANN401
            return ask_over(self._exchange, _plain(payload), stop=self._stop, timeout_s=self._timeout_s)

    return Adapter


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return PyOTA's trytes as text, however deep they lie."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
