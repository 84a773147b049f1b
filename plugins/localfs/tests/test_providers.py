"""What the plugin registers, how it is opened, and what ``learnae check`` hears of it."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import learnae_localfs
import pluggy
import pytest
from learnae_localfs import learnae_sensor_sources, learnae_storages, learnae_transports

from learnae import hookspecs
from learnae.errors import ConfigError, ProviderError
from learnae.interfaces.provider import Context, Provider
from learnae.testing.rows import toy_manifest
from learnae.values.ids import PeerId, SessionId

(TRANSPORT,), (STORAGE,), (SENSORS,) = learnae_transports(), learnae_storages(), learnae_sensor_sources()


def context(provider: Provider[Any], **options: Any) -> Context:
    filled = {option.name: option.default for option in provider.options} | options
    return Context(toy_manifest(), SessionId("5" * 64), "7" * 64, PeerId("a1" * 32), "a1" * 32, Path("unused"), filled)


def test_the_plugin_is_found_through_its_entry_point() -> None:
    manager = pluggy.PluginManager("learnae")
    manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints("learnae", name="localfs")
    assert manager.is_registered(learnae_localfs)
    manager.check_pending()
    for hook in (manager.hook.learnae_transports, manager.hook.learnae_storages, manager.hook.learnae_sensor_sources):
        assert [provider.name for providers in hook() for provider in providers] == ["localfs"]


def test_registering_imports_nothing_heavy() -> None:
    code = "import sys, learnae_localfs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"numpy", "watchfiles", "asyncio", "learnae_localfs.transport"} & set(loaded)


def test_a_transport_and_a_storage_are_opened(tmp_path: Path) -> None:
    async def run() -> None:
        transport = TRANSPORT.open(context(TRANSPORT, folder=str(tmp_path / "shared"), poll_interval_s=1, watch=False))
        storage = STORAGE.open(context(STORAGE, folder=str(tmp_path / "shared"), fsync=False))
        await transport.publish("0" * 64, b"hello")
        assert await storage.get(await storage.put(b"file"), max_bytes=4) == b"file"
        await transport.aclose()
        await storage.aclose()

    asyncio.run(run())
    assert (tmp_path / "shared" / "learnae" / "v1" / ("7" * 64) / "messages" / ("a1" * 32) / ("0" * 64)).is_file()


def test_opening_does_nothing_but_make_the_folder(tmp_path: Path) -> None:
    TRANSPORT.open(context(TRANSPORT, folder=str(tmp_path / "shared")))
    STORAGE.open(context(STORAGE, folder=str(tmp_path / "shared")))
    assert list(tmp_path.rglob("*")) == [tmp_path / "shared"]


def test_a_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    STORAGE.open(context(STORAGE, folder="~/shared"))
    assert (tmp_path / "shared").is_dir()


def test_an_unknown_home_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write the path in full"):
        STORAGE.open(context(STORAGE, folder="~no-such-user-here/shared"))


def test_a_folder_without_a_parent_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=f"mkdir -p {tmp_path}/a/b"):
        TRANSPORT.open(context(TRANSPORT, folder=str(tmp_path / "a" / "b")))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProviderError, match="is not a folder"):
        STORAGE.open(context(STORAGE, folder=str(tmp_path / "file")))


@pytest.mark.parametrize("provider", [TRANSPORT, STORAGE, SENSORS], ids=["transport", "storage", "sensors"])
def test_a_folder_is_needed(provider: Provider[Any]) -> None:
    flag = provider.options[0].flag
    for options in ({}, {provider.options[0].name: "  "}, {provider.options[0].name: "a\0b"}):
        with pytest.raises(ConfigError, match=f"give {flag} FOLDER"):
            provider.open(context(provider, **options))
    assert provider.check is not None
    (finding,) = provider.check(context(provider))
    assert not finding.ok
    assert flag in finding.advice


@pytest.mark.parametrize(
    "options",
    [
        {"poll_interval_s": 0.0},
        {"poll_interval_s": -1},
        {"poll_interval_s": float("nan")},
        {"poll_interval_s": True},
        {"poll_interval_s": "fast"},
        {"watch": "yes"},
        {"fsync": 1},
    ],
    ids=str,
)
def test_options_that_cannot_be_used_are_named(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"plugins\.localfs\.{next(iter(options))} = .*accepted"):
        TRANSPORT.open(context(TRANSPORT, folder=str(tmp_path), **options))


def test_a_sensors_folder_is_opened_but_never_made(tmp_path: Path) -> None:
    source = SENSORS.open(context(SENSORS, sensors_folder=str(tmp_path)))
    assert list(asyncio.run(source.sensors())) == []
    with pytest.raises(ProviderError, match="mkdir -p"):
        SENSORS.open(context(SENSORS, sensors_folder=str(tmp_path / "missing")))
    assert list(tmp_path.iterdir()) == []


def findings(provider: Provider[Any], **options: Any) -> list[tuple[bool, str, str]]:
    assert provider.check is not None
    return [(finding.ok, finding.text, finding.advice) for finding in provider.check(context(provider, **options))]


def test_a_good_folder_is_found_good(tmp_path: Path) -> None:
    found = findings(TRANSPORT, folder=str(tmp_path))
    assert [text for _, text, _ in found][:2] == [f"the shared folder {tmp_path} is there", f"{tmp_path} can be written to"]
    assert "GB are free" in found[2][1]
    assert all(ok for ok, _, _ in found[:2])
    assert findings(SENSORS, sensors_folder=str(tmp_path)) == [(True, f"the sensors' folder {tmp_path} is there", "")]


def test_checking_creates_nothing(tmp_path: Path) -> None:
    ((ok, text, _),) = findings(STORAGE, folder=str(tmp_path / "shared"))
    assert ok
    assert "will be made" in text
    ((ok, _, advice),) = findings(STORAGE, folder=str(tmp_path / "a" / "b"))
    assert (ok, advice) == (False, f"mkdir -p {tmp_path}/a/b")
    ((ok, _, advice),) = findings(SENSORS, sensors_folder=str(tmp_path / "missing"))
    assert (ok, advice) == (False, f"mkdir -p {tmp_path}/missing")
    (tmp_path / "file").touch()
    ((ok, _, _),) = findings(STORAGE, folder=str(tmp_path / "file"))
    assert not ok
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_what_may_not_be_written_or_has_no_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_000})())
    found = findings(STORAGE, folder=str(tmp_path))
    assert [ok for ok, _, _ in found] == [True, False, False]
    assert found[1][2] == f"chmod u+rwx {tmp_path}"
    assert [ok for ok, _, _ in findings(SENSORS, sensors_folder=str(tmp_path))] == [False]


def test_free_space_that_cannot_be_told_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.disk_usage", fail)
    assert "Input/output error" in findings(STORAGE, folder=str(tmp_path))[2][1]


def test_a_system_that_follows_every_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.O_NOFOLLOW")
    with pytest.raises(ProviderError, match="use WSL"):
        TRANSPORT.open(context(TRANSPORT, folder=str(tmp_path)))
