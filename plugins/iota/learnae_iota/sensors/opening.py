"""How the sensor source ``iota`` is opened: which sensors are admitted, and which tangle is read."""

import threading
from collections.abc import Callable, Collection
from pathlib import Path

from learnae import read_secret, secret_check
from learnae.errors import ConfigError, UnavailableError
from learnae.interfaces.provider import Context, Option
from learnae.interfaces.sensors import SensorSource
from learnae_iota.bundles.bundles import MAX_TRANSACTIONS
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.source import IotaSensors, load_heads
from learnae_iota.settings import EVERYBODY, HOLDERS, KEYS, KEYS_FILE, SECRET, SHARED, TangleSettings, read_settings, read_switch
from learnae_iota.speaking import Speaker
from learnae_iota.stopping import Stop, StoppedError
from learnae_iota.tangle.fetching import Fetched, Query
from learnae_iota.tangle.tangle import Tangle, open_tangle

SENSOR_OPTIONS = (*SHARED, KEYS, KEYS_FILE, SECRET, HOLDERS, EVERYBODY)


class TangleOnDemand:
    """A tangle that is opened when it is first read, and found again where its development node went away. For any thread.

    Args:
        settings: Which.
        tell: Takes a sentence for the operator.
        state: The peer's folder for this plugin: of several with the same one, only the first tells.
    """

    def __init__(self, settings: TangleSettings, tell: Callable[[str], None], state: Path | None = None) -> None:
        from learnae_iota.serving.embedded import EmbeddedNode, shared_folder  # noqa: PLC0415  # a thin sensor needs no server
        from learnae_iota.serving.settings import NodeSettings  # noqa: PLC0415  # the same

        self._settings, self._tell, self._lock = settings, tell, threading.Lock()
        self._speaker = Speaker(state)
        self._closed = False
        self._url, self._tangle = "", self._open(settings.nodes) if settings.nodes else None
        told = NodeSettings(weight=settings.weight, cors=False, max_requests_per_s=0)
        self._embedded = None if settings.nodes else EmbeddedNode(settings.folder or shared_folder(), told)

    def fetch(
        self, query: Query, *, known: Collection[str] = frozenset(), max_bundle: int = MAX_TRANSACTIONS, stop: Stop | None = None
    ) -> Fetched:
        """Fetch bundles: see ``Tangle.fetch``."""
        tangle = self._opened()
        try:
            return tangle.fetch(query, known=known, max_bundle=max_bundle, stop=stop)
        except StoppedError:
            raise
        except UnavailableError:
            self._opened(again=True)
            raise

    def close(self) -> None:
        """Close it; idempotent."""
        self._closed = True
        with self._lock:
            if self._tangle is not None:
                self._tangle.close()
            if self._embedded is not None:
                self._embedded.close()
            self._speaker.close()

    def _opened(self, *, again: bool = False) -> Tangle:
        with self._lock:
            if self._closed:
                raise UnavailableError("the tangle was closed")
            if self._embedded is not None and (self._tangle is None or again):
                url = self._embedded.url()
                if self._tangle is None and self._speaker.speaks():
                    self._tell(f"no node is named: sensors are read from this machine's development node at {url}")
                elif self._tangle is not None and url != self._url:
                    self._tangle.close()
                if url != self._url:
                    self._url, self._tangle = url, self._open((url,))
            if self._tangle is None:
                raise UnavailableError("there is no node")
            return self._tangle

    def _open(self, urls: tuple[str, ...]) -> Tangle:
        told = self._settings
        return open_tangle(urls, weight=told.weight, client=told.client, timeout_s=told.timeout_s)


def open_sensors(context: Context) -> SensorSource:
    """Open the sensors of a session; nothing is asked of a node yet.

    Raises:
        ConfigError: An option cannot be used, or the session's secret is missing.
        ProviderError: PyOTA is asked for, and not installed.
    """
    tell = context.tell
    settings = read_settings(context)
    secret_file = _path(context, SECRET)
    sealed = context.manifest.secret_check is not None
    if sealed and secret_file is None:
        raise ConfigError(
            f"plugins.iota.{SECRET.name}: this session has a secret, and its sensors seal with it; name its file with"
            f" --set plugins.iota.{SECRET.name}=FILE"
        )
    secret = read_secret(secret_file) if sealed and secret_file else None
    if secret is not None and secret_check(secret) != context.manifest.secret_check:
        raise ConfigError(f"plugins.iota.{SECRET.name} = {secret_file}: this is not the secret of this session")
    session = sensor_session(context.manifest.name, secret)
    holders, everybody = read_switch(context, HOLDERS), read_switch(context, EVERYBODY)
    keys = context.options.get(KEYS.name) or ""
    if not isinstance(keys, str):
        raise ConfigError(f"plugins.iota.{KEYS.name} = {keys!r}: keys with commas between them are accepted")
    admission = Admission(
        [key for key in keys.replace(",", " ").split() if key],
        file=_path(context, KEYS_FILE),
        holders=holders and sealed,
        everybody=everybody,
    )
    if everybody:
        tell(f"{EVERYBODY.flag}: every sensor feeds this peer, whoever runs it, with all that fits the schema")
    elif holders and sealed:
        tell(f"every sensor that knows the session's secret feeds it; with {HOLDERS.name} = false only admitted keys do")
    elif not admission.anybody:
        tell(
            f"no sensor is admitted yet: name keys with {KEYS.flag}, or a file of them as {KEYS_FILE.name};"
            f" {EVERYBODY.flag} admits all"
        )
    tangle = TangleOnDemand(settings, tell, context.state)
    known = context.state / "sensors.json"
    follower = Follower(tangle, session, admission, known=load_heads(known), tell=tell)
    return IotaSensors(follower, known=known, close=tangle.close)


def _path(context: Context, option: Option) -> Path | None:
    value = context.options.get(option.name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ConfigError(f"plugins.iota.{option.name} = {value!r}: the path of a file is accepted")
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as exc:
        raise ConfigError(f"plugins.iota.{option.name} = {value!r}: {exc}; write the path in full") from exc
