"""The settings of the Tangle: which nodes, and how they are spoken to."""

import re
from dataclasses import dataclass
from pathlib import Path

from learnae.errors import ConfigError
from learnae.interfaces.provider import Context, Option

DEFAULT_WEIGHT = 9

NODES = Option("nodes", None, "URLs of nodes of one tangle, the preferred first, with commas between them.", "--iota-node")
WEIGHT = Option("weight", DEFAULT_WEIGHT, "The weight magnitude that the tangle demands, 1 to 20; its coordinator decides it.")
CLIENT = Option("client", "plain", "How nodes are spoken to: plain (the standard library) or pyota (PyOTA 2.1.0).")
WORK = Option("work_on_nodes", default=False, summary="Leave the proof of work to a node that offers it.")
TIMEOUT = Option("timeout_s", 20.0, "Seconds that one call to a node may take, 0.1 to 3600.")
FOLDER = Option("folder", None, "The folder of the development node that is used if no node is named.", path=True)
POLL = Option("poll_interval_s", 0.5, "Seconds between two looks for announcements, 0.01 to 3600.")
MODEL = Option("max_model_bytes", 262_144, "The largest model that is put on the tangle; each kilobyte is a transaction.")
KEYS = Option("sensor_keys", None, "Keys of the sensors that are admitted, with commas between them.", "--sensor-keys")
KEYS_FILE = Option("sensor_keys_file", None, "A file with more such keys, one a line: see learnae sensor admit.", path=True)
HOLDERS = Option("admit_secret_holders", default=True, summary="Admit every sensor that knows the session's secret.")
EVERYBODY = Option("open_sensors", default=False, summary="Admit every sensor, whoever runs it.", flag="--open-sensors")

SHARED = (NODES, WEIGHT, CLIENT, WORK, TIMEOUT, FOLDER)

_CLIENTS = ("plain", "pyota")
_MOST_NODES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TangleSettings:
    """Which nodes, and how they are spoken to.

    Attributes:
        nodes: Their URLs, the preferred first; with none, this machine's development node is used.
        weight: The weight magnitude that the tangle demands.
        client: ``plain`` or ``pyota``.
        work_on_nodes: Whether to leave the proof of work to a node that offers it.
        timeout_s: How long one call to a node may take.
        folder: Of the development node; ``None`` for the one that this user's peers share.
    """

    nodes: tuple[str, ...] = ()
    weight: int = DEFAULT_WEIGHT
    client: str = "plain"
    work_on_nodes: bool = False
    timeout_s: float = 20.0
    folder: Path | None = None


def read_settings(context: Context) -> TangleSettings:
    """Read the options that transport, storage and sensors have in common.

    Raises:
        ConfigError: One of them cannot be used; the message names it and what is accepted.
    """
    return TangleSettings(
        nodes=_nodes(context),
        weight=read_integer(context, WEIGHT, 1, 20),
        client=_client(context),
        work_on_nodes=read_switch(context, WORK),
        timeout_s=read_seconds(context, TIMEOUT, 0.1),
        folder=_folder(context),
    )


def read_integer(context: Context, option: Option, least: int, most: int) -> int:
    """Read a whole number.

    Raises:
        ConfigError: It is none, or out of its range.
    """
    value = context.options.get(option.name, option.default)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _unusable(option, value, f"{least} to {most} is accepted")
    return value


def read_seconds(context: Context, option: Option, least: float) -> float:
    """Read a time, at most an hour.

    Raises:
        ConfigError: It is none, or out of its range.
    """
    value = context.options.get(option.name, option.default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 3600:
        raise _unusable(option, value, f"seconds from {least:g} to 3600 are accepted")
    return float(value)


def read_switch(context: Context, option: Option) -> bool:
    """Read something that is or is not.

    Raises:
        ConfigError: It is neither.
    """
    value = context.options.get(option.name, option.default)
    if not isinstance(value, bool):
        raise _unusable(option, value, "true or false is accepted")
    return value


def _nodes(context: Context) -> tuple[str, ...]:
    value = context.options.get(NODES.name)
    if value is None:
        return ()
    urls = tuple(re.split(r"[\s,]+", value.strip(", \t\n"))) if isinstance(value, str) else ()
    if not urls or not all(urls) or len(urls) > _MOST_NODES:
        raise _unusable(NODES, value, f"1 to {_MOST_NODES} URLs such as http://127.0.0.1:14265, with commas between them")
    return tuple(dict.fromkeys(urls))


def _client(context: Context) -> str:
    value = context.options.get(CLIENT.name, CLIENT.default)
    if not isinstance(value, str) or value not in _CLIENTS:
        raise _unusable(CLIENT, value, f"{' or '.join(_CLIENTS)} is accepted")
    return value


def _folder(context: Context) -> Path | None:
    value = context.options.get(FOLDER.name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _unusable(FOLDER, value, "the path of a folder is accepted")
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as exc:
        raise _unusable(FOLDER, value, f"{exc}; write the path in full") from exc


def _unusable(option: Option, value: object, advice: str) -> ConfigError:
    return ConfigError(f"plugins.iota.{option.name} = {value!r}: {advice}")
