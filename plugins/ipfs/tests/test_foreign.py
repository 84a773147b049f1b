"""Daemons that somebody else runs are used, looked at once, and never ended; on real Kubo, and on fakes of others."""

import asyncio
import json
import os
import secrets
from pathlib import Path

import pytest
from kubo_rig import Daemons
from learnae_ipfs.daemon.foreign import ForeignDaemon
from learnae_ipfs.settings import IpfsSettings
from scripted_daemon import ScriptedDaemon, Visit

from learnae.errors import ConfigError, ProviderError, UnavailableError

CVE = "CVE-2026-46679"


def test_it_is_used_and_left_as_it_is(daemons: Daemons, any_kubo: Path, kubo_oldest_binary: Path, tmp_path: Path) -> None:
    daemon = daemons.start(any_kubo, token=secrets.token_hex(8))
    before = (daemon.repo / "config").read_bytes()
    told: list[str] = []

    async def run() -> None:
        settings = IpfsSettings(api=daemon.api, api_auth=f"bearer:{daemon.token}")
        one, other = (ForeignDaemon(settings, tmp_path, told.append) for _ in range(2))
        assert not one.is_own
        first, second = await asyncio.gather(one.kubo(), other.kubo())
        assert (await first.identity()).peer == (await second.identity()).peer == daemon.peer
        await one.failed()
        assert await one.kubo() is first
        await one.aclose()
        await one.aclose()
        with pytest.raises(UnavailableError, match="not used any more"):
            await one.kubo()
        assert await (await other.kubo()).version()
        await other.aclose()

    asyncio.run(run())
    assert daemon.call("id")["ID"] == daemon.peer
    assert (daemon.repo / "config").read_bytes() == before
    assert [CVE in text for text in told] == ([True] if any_kubo == kubo_oldest_binary else [])


def test_one_without_pubsub_is_used_and_said_once(daemons: Daemons, tmp_path: Path) -> None:
    daemon = daemons.start(settings={"Pubsub.Enabled": False})
    told: list[str] = []

    async def run() -> None:
        for _ in range(2):
            access = ForeignDaemon(IpfsSettings(api=daemon.api), tmp_path, told.append)
            assert await (await access.kubo()).version()
            await access.aclose()
        quiet = ForeignDaemon(IpfsSettings(api=daemon.api, pubsub=False), tmp_path / "other", told.append)
        await quiet.kubo()
        await quiet.aclose()

    asyncio.run(run())
    assert len(told) == 1
    assert "has no PubSub" in told[0]
    assert "ipfs config --json Pubsub.Enabled true" in told[0]
    note = json.loads((tmp_path / "said.json").read_text())
    (tmp_path / "said.json").write_text(json.dumps(note | {"process": os.getppid()}))
    asyncio.run(run())  # another run says it again
    assert len(told) == 2


def test_one_that_went_away_is_used_again_when_it_is_back(daemons: Daemons, tmp_path: Path) -> None:
    daemon = daemons.start()

    async def run() -> None:
        access = ForeignDaemon(IpfsSettings(api=daemon.api), tmp_path, lambda _: None)
        kubo = await access.kubo()
        daemon.kill()
        with pytest.raises(UnavailableError):
            await kubo.identity()
        await access.failed()
        with pytest.raises(UnavailableError, match=r"the IPFS daemon at /ip4/127\.0\.0\.1/tcp/\d+ does not answer"):
            await access.kubo()
        daemon.start()
        assert (await (await access.kubo()).identity()).peer == daemon.peer
        await access.aclose()

    asyncio.run(run())


def test_a_wrong_token_is_said(daemons: Daemons, tmp_path: Path) -> None:
    daemon = daemons.start(token="right")

    async def run() -> None:
        access = ForeignDaemon(IpfsSettings(api=daemon.api, api_auth="bearer:wrong"), tmp_path, lambda _: None)
        with pytest.raises(ConfigError, match="--ipfs-auth-file") as refused:
            await access.kubo()
        assert "wrong" not in str(refused.value)
        await access.aclose()

    asyncio.run(run())


def _answers(version: str, commands: dict[str, object]) -> dict[str, bytes]:
    return {
        "version": json.dumps({"Version": version, "Commit": "", "Repo": "99"}).encode(),
        "commands": json.dumps(commands).encode(),
    }


def _fake(version: str) -> ScriptedDaemon:
    known = _answers(version, {"Name": "ipfs", "Subcommands": [{"Name": "version", "Subcommands": [], "Options": []}]})

    def script(visit: Visit) -> None:
        call = visit.request.first.split()[1].partition("?")[0].removeprefix("/api/v0/")
        if call in known:
            visit.answer(known[call], "Content-Type: application/json")
        else:
            visit.answer(b"404 page not found", status="404 Not Found")

    return ScriptedDaemon(script)


def test_one_that_is_too_old_is_refused(tmp_path: Path) -> None:
    async def run(api: str) -> None:
        access = ForeignDaemon(IpfsSettings(api=api), tmp_path, lambda _: None)
        with pytest.raises(ProviderError, match=r"is Kubo 0\.31\.9, and 0\.32 is the oldest that LEARNAE works with"):
            await access.kubo()
        await access.aclose()

    with _fake("0.31.9") as daemon:
        asyncio.run(run(daemon.address))


def test_one_that_is_too_new_is_used_and_what_it_lacks_is_said(tmp_path: Path) -> None:
    told: list[str] = []

    async def run(api: str) -> None:
        for _ in range(2):
            access = ForeignDaemon(IpfsSettings(api=api, pubsub=False), tmp_path, told.append)
            assert await (await access.kubo()).version() == "0.99.0"
            await access.failed()
            await access.kubo()
            await access.aclose()

    with _fake("0.99.0") as daemon:
        asyncio.run(run(daemon.address))
    assert len(told) == 1
    assert "is Kubo 0.99.0, and the newest that was tested is 0.43; what does not work there: it has no add" in told[0]


def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        ForeignDaemon(IpfsSettings(api="nowhere"), tmp_path, lambda _: None)
