"""How the sensor source ``iota`` is opened: which sensors are admitted."""

from pathlib import Path

from learnae import read_secret
from learnae.errors import ConfigError
from learnae.interfaces.provider import Context, Option
from learnae.interfaces.sensors import SensorSource
from learnae_iota.access import Access
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.source import IotaSensors, load_heads
from learnae_iota.settings import EVERYBODY, HOLDERS, KEYS, KEYS_FILE, read_settings, read_switch


def open_sensors(context: Context) -> SensorSource:
    """Open the sensors of a session; nothing is asked of a node yet.

    Raises:
        ConfigError: An option cannot be used, or the session's secret cannot be read.
        ProviderError: PyOTA is asked for, and not installed.
    """
    tell = context.tell
    settings = read_settings(context)
    secret = None if context.secret_file is None else read_secret(context.secret_file)
    session = sensor_session(context.manifest.name, secret)
    holders, everybody = read_switch(context, HOLDERS), read_switch(context, EVERYBODY)
    keys, keys_file = context.options.get(KEYS.name) or "", _path(context, KEYS_FILE)
    if not isinstance(keys, str):
        raise ConfigError(f"plugins.iota.{KEYS.name} = {keys!r}: keys with commas between them are accepted")
    admission = Admission(
        [key for key in keys.replace(",", " ").split() if key],
        file=keys_file,
        holders=holders and session.sealed,
        everybody=everybody,
        tell=tell,
    )
    if everybody:
        tell(f"{EVERYBODY.flag}: every sensor feeds this peer, whoever runs it, with all that fits the schema")
    elif holders and session.sealed:
        tell(f"every sensor that knows the session's secret feeds it; with {HOLDERS.name} = false only admitted keys do")
    elif not admission.anybody and keys_file is not None:
        tell(f"no sensor is admitted yet: {keys_file} names none, or is not there; learnae sensor admit KEY --file adds one")
    elif not admission.anybody:
        tell(
            f"no sensor is admitted yet: name keys with {KEYS.flag}, or a file of them as {KEYS_FILE.name};"
            f" {EVERYBODY.flag} admits all"
        )
    tangle = Access(settings, tell=tell, state=context.state)
    known = context.state / "sensors.json"
    follower = Follower(tangle, session, admission, known=load_heads(known), tell=tell)
    return IotaSensors(follower, known=known, close=tangle.close, tell=tell)


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
