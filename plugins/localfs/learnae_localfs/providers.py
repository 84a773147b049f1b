"""What this plugin registers: the transport, the storage and the sensor source ``localfs``, and how each is opened."""

import os
from collections.abc import Sequence
from pathlib import Path

from learnae import hookimpl
from learnae.errors import ConfigError, ProviderError
from learnae.interfaces.provider import Context, Finding, Option, Provider
from learnae.interfaces.sensors import SensorSource
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport

FOLDER = Option("folder", None, "The shared folder where the peers meet.", "--folder", path=True)
FSYNC = Option("fsync", default=True, summary="Wait until what is written would survive a power cut.")
POLL = Option("poll_interval_s", 0.1, "Seconds between two looks for new messages, 0.01 to 3600.")
WATCH = Option("watch", default=True, summary="Let file notifications hasten looking for new messages.")
SENSORS = Option("sensors_folder", None, "The folder with one file NAME.jsonl for each sensor.", "--sensors-folder", path=True)


def open_transport(context: Context) -> Transport:
    """Open the messages of a session.

    Raises:
        ConfigError: An option is missing or cannot be used.
        ProviderError: The folder is not there, and neither is the one that it would be in.
    """
    from learnae_localfs.layout import Place  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_localfs.transport import FolderTransport  # noqa: PLC0415  # the same

    interval = context.options.get(POLL.name, POLL.default)
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0.01 <= interval <= 3600:
        message = f"plugins.localfs.{POLL.name} = {interval!r}: seconds from 0.01 to 3600 are accepted"
        raise ConfigError(message)
    place = Place(_ready_folder(context), context.rendezvous)
    return FolderTransport(
        place, context.owner, poll_interval_s=float(interval), watch=_switch(context, WATCH), fsync=_switch(context, FSYNC)
    )


def open_storage(context: Context) -> Storage:
    """Open the files of a session.

    Raises:
        ConfigError: An option is missing or cannot be used.
        ProviderError: The folder is not there, and neither is the one that it would be in.
    """
    from learnae_localfs.layout import Place  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_localfs.storage import FolderStorage  # noqa: PLC0415  # the same

    return FolderStorage(Place(_ready_folder(context), context.rendezvous), context.owner, fsync=_switch(context, FSYNC))


def open_sensors(context: Context) -> SensorSource:
    """Open the sensors' folder.

    Raises:
        ConfigError: The option is missing or cannot be used.
        ProviderError: The folder is not there.
    """
    from learnae_localfs.sensors import FolderSensors  # noqa: PLC0415  # a provider imports when it is opened

    _require_posix()
    folder = _path(context, SENSORS)
    if not folder.is_dir():
        message = f"the sensors' folder {folder} is not there; make it with: mkdir -p {folder}"
        raise ProviderError(message)
    return FolderSensors(folder)


def check_folder(context: Context) -> Sequence[Finding]:
    """Look whether the shared folder can be used."""
    from learnae_localfs.checks import look_at_shared  # noqa: PLC0415  # a provider imports when it is opened

    try:
        return look_at_shared(_path(context, FOLDER))
    except ConfigError as exc:
        return [Finding(False, str(exc), "learnae run --folder FOLDER")]


def check_sensors(context: Context) -> Sequence[Finding]:
    """Look whether the sensors' folder can be read."""
    from learnae_localfs.checks import look_at_sensors  # noqa: PLC0415  # a provider imports when it is opened

    try:
        return look_at_sensors(_path(context, SENSORS))
    except ConfigError as exc:
        return [Finding(False, str(exc), "learnae run --sensors-folder FOLDER")]


def _path(context: Context, option: Option) -> Path:
    value = context.options.get(option.name)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        message = f"plugins.localfs.{option.name} = {value!r}: the path of a folder is needed; give {option.flag} FOLDER"
        raise ConfigError(message)
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as exc:
        message = f"plugins.localfs.{option.name} = {value!r}: {exc}; write the path in full"
        raise ConfigError(message) from exc


def _switch(context: Context, option: Option) -> bool:
    value = context.options.get(option.name, option.default)
    if not isinstance(value, bool):
        message = f"plugins.localfs.{option.name} = {value!r}: true or false is accepted"
        raise ConfigError(message)
    return value


def _ready_folder(context: Context) -> Path:
    """Return the shared folder; make it if only the last part of its path is missing."""
    _require_posix()
    folder = _path(context, FOLDER)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as exc:
        message = f"{folder} is not a folder; name another with --folder FOLDER"
        raise ProviderError(message) from exc
    except OSError as exc:
        message = f"the folder {folder} is not there and cannot be made ({exc.strerror}); make it with: mkdir -p {folder}"
        raise ProviderError(message) from exc
    return folder


def _require_posix() -> None:
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
        message = "localfs needs a system that can refuse to follow links, such as Linux or macOS; on Windows use WSL"
        raise ProviderError(message)


@hookimpl
def learnae_transports() -> list[Provider[Transport]]:
    """Provide messages through a shared folder."""
    summary = "Messages through a shared folder: a disk, NFS, Syncthing, a USB stick."
    return [Provider("localfs", summary, open_transport, (FOLDER, POLL, WATCH, FSYNC), check_folder)]


@hookimpl
def learnae_storages() -> list[Provider[Storage]]:
    """Provide files in a shared folder."""
    summary = "Files in a shared folder: a disk, NFS, Syncthing, a USB stick."
    return [Provider("localfs", summary, open_storage, (FOLDER, FSYNC), check_folder)]


@hookimpl
def learnae_sensor_sources() -> list[Provider[SensorSource]]:
    """Provide sensors' readings from a folder."""
    summary = "Readings from a folder: one append-only file of JSON lines for each sensor."
    return [Provider("localfs", summary, open_sensors, (SENSORS,), check_sensors)]
