"""What this plugin registers: the transport, the storage and the sensor source ``iota``, its commands, and how each is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnae import hookimpl
from learnae.errors import ConfigError
from learnae.interfaces.provider import Context, Finding, Provider
from learnae.interfaces.sensors import SensorSource
from learnae.interfaces.storage import Storage
from learnae.interfaces.transport import Transport
from learnae_iota.settings import (
    EVERYBODY,
    HOLDERS,
    KEYS,
    KEYS_FILE,
    MODEL,
    POLL,
    SHARED,
    read_integer,
    read_seconds,
    read_settings,
)

if TYPE_CHECKING:
    import typer

    from learnae.interfaces.commands import PeerCommands

_FLOAT_BYTES = 4
_MOST_BYTES = 33_554_432


def open_transport(context: Context) -> Transport:
    """Open the announcements of a session.

    Raises:
        ConfigError: An option cannot be used.
        ProviderError: PyOTA is asked for, and not installed.
    """
    from learnae_iota.access import open_access  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_iota.transport.transport import IotaTransport  # noqa: PLC0415  # the same

    settings, interval_s = read_settings(context), read_seconds(context, POLL, 0.01)
    tangle = open_access(settings, tell=context.tell, state=context.state)
    return IotaTransport(tangle, context.rendezvous, poll_interval_s=interval_s)


def open_storage(context: Context) -> Storage:
    """Open the files of a session.

    Raises:
        ConfigError: An option cannot be used, or the session's model is larger than what belongs on a tangle.
        ProviderError: PyOTA is asked for, and not installed.
    """
    from learnae_iota.access import open_access  # noqa: PLC0415  # a provider imports when it is opened
    from learnae_iota.storage.storage import IotaStorage  # noqa: PLC0415  # the same

    settings, most = read_settings(context), read_integer(context, MODEL, 0, _MOST_BYTES)
    size = sum(math.prod(parameter.shape) * _FLOAT_BYTES for parameter in context.manifest.parameters)
    if size > most:
        raise ConfigError(
            f"a model of this session has {size} bytes, and plugins.iota.{MODEL.name} = {most}: each kilobyte would be a "
            "transaction; choose another --storage, such as ipfs"
        )
    return IotaStorage(open_access(settings, tell=context.tell, state=context.state))


def open_sensors(context: Context) -> SensorSource:
    """Open the sensors of a session: see ``learnae_iota.sensors.opening.open_sensors``."""
    from learnae_iota.sensors import opening  # noqa: PLC0415  # a provider imports when it is opened

    return opening.open_sensors(context)


def check_tangle(context: Context) -> Sequence[Finding]:
    """Look whether the tangle can be used."""
    from learnae_iota.commands.checks import look_at_tangle  # noqa: PLC0415  # a provider imports when it is opened

    try:
        return look_at_tangle(read_settings(context))
    except ConfigError as exc:
        return [Finding(False, str(exc), "learnae run --iota-node http://HOST:14265")]


@hookimpl
def learnae_transports() -> list[Provider[Transport]]:
    """Provide announcements over a tangle."""
    summary = "Announcements over the Tangle of a private IOTA network; without --iota-node a development node of this machine."
    return [Provider("iota", summary, open_transport, (*SHARED, POLL), check_tangle)]


@hookimpl
def learnae_storages() -> list[Provider[Storage]]:
    """Provide small files on a tangle."""
    summary = "Small files on the Tangle of a private IOTA network: models of some ten kilobytes."
    return [Provider("iota", summary, open_storage, (*SHARED, MODEL), check_tangle)]


@hookimpl
def learnae_sensor_sources() -> list[Provider[SensorSource]]:
    """Provide the readings of sensors that stream over a tangle."""
    summary = "Readings that sensors stream over the Tangle of a private IOTA network (MAM v0)."
    options = (*SHARED, KEYS, KEYS_FILE, HOLDERS, EVERYBODY)
    return [Provider("iota", summary, open_sensors, options, check_tangle)]


@hookimpl
def learnae_commands(app: typer.Typer, commands: PeerCommands) -> None:  # noqa: ARG001  # they are about no peer
    """Add ``learnae tangle`` and ``learnae sensor``."""
    from learnae_iota.commands import sensor, tangle  # noqa: PLC0415  # only the command line needs them

    tangle.add_commands(app)
    sensor.add_commands(app)
