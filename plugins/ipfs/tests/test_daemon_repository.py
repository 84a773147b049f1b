"""Repositories of other versions, damaged ones, and those that somebody else uses; on real Kubo."""

import asyncio
import fcntl
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from learnae_ipfs.kubo import Kubo
from private_daemons import Home, end_all, processes_of

from learnae.errors import ProviderError, UnavailableError


@pytest.fixture
def home(kubo_binary: Path, tmp_path: Path) -> Iterator[Home]:
    yield Home(kubo_binary, tmp_path)
    end_all(tmp_path)


async def _peer(kubo: Kubo) -> str:
    return (await kubo.identity()).peer


def test_a_repository_of_the_oldest_is_taken_over_with_all_that_is_in_it(home: Home, kubo_oldest_binary: Path) -> None:
    async def fill(kubo: Kubo) -> tuple[str, str, str, str, str]:
        cid = await kubo.add(b"held" * 100_000, pin=True)
        await kubo.mfs_link(cid, "/learnae/x/y/z")
        key = await kubo.import_key("learnae", bytes(range(32)))
        identity = await kubo.identity()
        return await kubo.version(), cid, key, identity.peer, identity.addresses[0]

    async def look(kubo: Kubo) -> tuple[str, str, str, str, str]:
        assert await kubo.is_pinned(cid)
        assert list(await kubo.mfs_list("/learnae/x/y")) == ["z"]
        assert await kubo.cat(cid, max_bytes=1_000_000) == b"held" * 100_000
        identity = await kubo.identity()
        return await kubo.version(), cid, (await kubo.keys())["learnae"], identity.peer, identity.addresses[0]

    newest, home.program = home.program, kubo_oldest_binary
    old = home.use(fill)
    cid = old[1]
    home.program = newest
    new = home.use(look)
    assert new[1:] == old[1:]
    assert home.record.version == new[0] != old[0]
    told = home.told.pop()
    assert f"which was used by Kubo {old[0]}, was brought from version 16 to 18 for Kubo {new[0]}" in told
    assert home.told == []
    assert home.use(look) == new
    assert home.told == []
    config = json.loads((home.repo / "config").read_text())
    assert config["Bootstrap"] == []
    assert config["AutoConf"] == {"Enabled": False}

    home.program = kubo_oldest_binary
    with pytest.raises(ProviderError) as refused:
        home.use(_peer)
    assert f"was used by Kubo {new[0]} and is of version 18" in str(refused.value)
    assert f"is Kubo {old[0]}, which knows those up to version 16" in str(refused.value)
    assert "--ipfs-program" in str(refused.value)
    home.program = newest
    assert home.use(look) == new


def test_a_new_program_takes_effect_on_a_daemon_that_was_left_running(home: Home, kubo_oldest_binary: Path) -> None:
    newest, home.program = home.program, kubo_oldest_binary

    async def leave() -> str:
        access = home.access()
        kubo = await access.kubo()
        peer = await _peer(kubo)
        await kubo.aclose()
        access._lease.close()
        return peer

    peer = asyncio.run(leave())
    assert home.runs()
    home.program = newest
    assert home.use(_peer) == peer
    assert home.record.program == str(newest)
    assert processes_of(home.folder) == []


@pytest.mark.parametrize("damage", ["config", "no config", "half a config", "no identity", "version", "no version"])
def test_a_damaged_repository_is_said_in_one_sentence(home: Home, damage: str) -> None:
    home.use(_peer)
    config, version = home.repo / "config", home.repo / "version"
    match damage:
        case "config":
            config.write_bytes(b"\xff\x00")
        case "no config":
            config.unlink()
        case "half a config":
            config.write_bytes(config.read_bytes()[:-100])
        case "no identity":
            config.write_text(json.dumps(json.loads(config.read_text()) | {"Identity": {}}))
        case "version":
            version.write_text("new")
        case "no version":
            version.unlink()
    with pytest.raises(ProviderError, match=r"is damaged: .* move that folder away, and a new one is made") as damaged:
        home.use(_peer)
    assert str(home.repo) in str(damaged.value)
    home.repo.rename(home.folder / "away")
    assert home.use(_peer)


def test_a_damaged_datastore_is_said_in_one_sentence(home: Home) -> None:
    home.use(_peer)
    (home.repo / "blocks" / "SHARDING").write_text("not what it was")
    with pytest.raises(UnavailableError, match=r"did not start: .*its log is .*daemon\.log") as damaged:
        home.use(_peer)
    assert f"its repository {home.repo} is damaged; move that folder away" in str(damaged.value)


def test_a_repository_too_old_to_be_ours_is_refused(home: Home) -> None:
    home.use(_peer)
    (home.repo / "version").write_text("11\n")
    with pytest.raises(ProviderError, match="is of version 11, and those before 16 cannot be taken over"):
        home.use(_peer)


def test_a_repository_that_somebody_else_uses_is_said_in_one_sentence(home: Home) -> None:
    home.use(_peer)
    with (home.repo / "repo.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="another program that is not LEARNAE uses its repository") as taken:
            home.use(_peer)
    assert str(home.repo) in str(taken.value)
    assert str(home.folder / "daemon.log") in str(taken.value)
    assert home.use(_peer)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        pytest.param("Error: write /x/blocks: no space left on device", "the disk is full", id="full disk"),
        pytest.param("Error: open /x/blocks: permission denied", "belong to somebody else", id="foreign files"),
    ],
)
@pytest.mark.parametrize("when", ["init", "daemon"])
def test_what_a_program_complains_of_is_understood(home: Home, when: str, words: str, meaning: str) -> None:
    program, real = home.folder / "ipfs", home.program
    program.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            if [ "$1" = {when} ]; then echo "{words}" >&2; exit 1; fi
            exec '{real}' "$@"
        """)
    )
    program.chmod(0o755)
    home.program = program
    with pytest.raises(UnavailableError, match=meaning):
        home.use(_peer)
    home.program = real
    assert home.use(_peer)


def test_a_repository_is_made_whole_or_not_at_all(home: Home) -> None:
    program = home.folder / "ipfs"
    program.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            if [ "$1" = init ]; then mkdir -p "$IPFS_PATH/blocks"; echo 18 > "$IPFS_PATH/version"; kill -9 $$; fi
            exec '{home.program}' "$@"
        """)
    )
    program.chmod(0o755)
    real, home.program = home.program, program
    with pytest.raises(UnavailableError, match="could not make its repository"):
        home.use(_peer)
    assert not home.repo.exists()
    home.program = real
    assert home.use(_peer)
    assert not (home.folder / "repo.new").exists()


def test_a_large_log_is_put_aside(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.use(_peer)
    log = home.folder / "daemon.log"
    first = log.read_text()
    home.use(_peer)
    assert log.read_text().startswith(first)
    assert not (home.folder / "daemon.log.1").exists()
    monkeypatch.setattr("learnae_ipfs.daemon.log.MAX_LOG_BYTES", 100)
    before = log.read_bytes()
    home.use(_peer)
    assert (home.folder / "daemon.log.1").read_bytes() == before[-100:]
    assert log.read_text().count("Daemon is ready") == 1


@pytest.mark.parametrize("odd", ["a symbolic link", "no folder"])
def test_what_lies_in_place_of_a_repository_is_said_in_one_sentence(home: Home, odd: str) -> None:
    if odd == "no folder":
        os.mkfifo(home.repo)
    else:
        (home.folder / "elsewhere").mkdir()
        home.repo.symlink_to(home.folder / "elsewhere")
    with pytest.raises(ProviderError, match=rf"{home.repo}, where .* is {odd}; move it away, and a new one is made"):
        home.use(_peer)
    assert processes_of(home.folder) == []


def test_pipes_and_links_among_its_files_neither_hang_nor_mislead_it(home: Home) -> None:
    target = home.folder / "target"
    target.write_text("of somebody else")
    for name in ("token", "daemon.json", "port", "said.json"):
        os.mkfifo(home.folder / name)
    (home.folder / "addresses.json").symlink_to(target)
    log = home.folder / "daemon.log"
    log.symlink_to(target)
    with pytest.raises(UnavailableError, match=rf"cannot be started: {log}: it is no regular file"):
        home.use(_peer)
    log.unlink()
    assert home.use(_peer)
    assert target.read_text() == "of somebody else"
    assert all((home.folder / name).is_file() for name in ("token", "daemon.json", "port"))
