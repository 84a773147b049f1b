"""How the sensor source ``iota`` is opened: which sensors are admitted."""

from pathlib import Path

from learnae import read_secret, secret_check
from learnae.errors import ConfigError
from learnae.interfaces.provider import Context, Option
from learnae.interfaces.sensors import SensorSource
from learnae_iota.access import Access
from learnae_iota.sensors.admission import Admission
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.source import IotaSensors, load_heads
from learnae_iota.settings import EVERYBODY, HOLDERS, KEYS, KEYS_FILE, SECRET, read_settings, read_switch


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
        tell=tell,
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
