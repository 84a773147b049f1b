"""The sensor source as a peer opens it: options, what it says of admission, and where its node went away."""

import asyncio
import base64
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from learnae_iota.providers import learnae_sensor_sources
from learnae_iota.sensors.opening import open_sensors
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.tangle.tangle import open_tangle
from sensor_rig import OPEN, SEALED, SECRET, stream

from learnae.errors import ConfigError, UnavailableError

KEY = "ab" * 32


def context(folder: Path, *, secret: Path | None = None, **options: object) -> Any:
    """What of a ``Context`` is looked at."""
    manifest = SimpleNamespace(name="Weather 2026")
    defaults = {option.name: option.default for option in learnae_sensor_sources()[0].options}
    said: list[str] = []
    given = {**defaults, "nodes": "http://127.0.0.1:9", **options}
    return SimpleNamespace(manifest=manifest, state=folder, options=given, secret_file=secret, tell=said.append, said=said)


def test_it_says_whom_it_admits(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(base64.urlsafe_b64encode(SECRET))
    nobody = context(tmp_path)
    asyncio.run(open_sensors(nobody).aclose())
    assert nobody.said[0].startswith("no sensor is admitted yet: name keys with --sensor-keys, or a file of them")
    holders = context(tmp_path, secret=tmp_path / "secret")
    asyncio.run(open_sensors(holders).aclose())
    assert "every sensor that knows the session's secret feeds it" in holders.said[0]
    everybody = context(tmp_path, open_sensors=True)
    asyncio.run(open_sensors(everybody).aclose())
    assert everybody.said[0].startswith("--open-sensors: every sensor feeds this peer")
    listed = context(tmp_path, sensor_keys=f" {KEY}, {KEY.upper()}")
    asyncio.run(open_sensors(listed).aclose())
    assert listed.said == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"sensor_keys": "nonsense"}, "is no sensor's key", id="keys"),
        pytest.param({"sensor_keys": True}, "keys with commas", id="keys-type"),
        pytest.param({"sensor_keys_file": ""}, "the path of a file", id="keys-file"),
        pytest.param({"admit_secret_holders": "yes"}, "true or false", id="holders"),
        pytest.param({"open_sensors": 1}, "true or false", id="open"),
        pytest.param({"secret": Path("/no/such/file")}, "cannot be read", id="no-file"),
        pytest.param({"weight": 99}, "weight", id="weight"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        open_sensors(context(tmp_path, **options))


def test_it_reads_what_sensors_stream_to_a_node(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(base64.urlsafe_b64encode(SECRET))
    settings = NodeSettings(weight=1, milestone_interval_s=0.05, max_requests_per_s=0)

    async def run(options: Any) -> list[object]:
        source = open_sensors(options)
        try:
            (name,) = await source.sensors()
            return list((await source.read(name, "", max_readings=10)).readings)
        finally:
            await source.aclose()
            with pytest.raises(UnavailableError):
                await source.sensors()

    with node_in_thread(settings=settings) as node:
        tangle = open_tangle([node.url], weight=1)
        key = stream(tmp_path / "open", tangle, [{"x": 1}], give_up_s=None)
        stream(tmp_path / "sealed", tangle, [{"x": 2}], session=SEALED, give_up_s=None)
        tangle.close()
        assert asyncio.run(run(context(tmp_path, nodes=node.url, sensor_keys=key))) == [{"x": 1}]
        sealed = context(tmp_path / "sealed", nodes=node.url, secret=tmp_path / "secret")
        assert asyncio.run(run(sealed)) == [{"x": 2}]
    assert replace(OPEN, secret=SECRET) == SEALED


def test_a_node_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    async def run() -> None:
        source = open_sensors(context(tmp_path))
        with pytest.raises(UnavailableError):
            await source.sensors()
        await source.aclose()

    asyncio.run(run())
