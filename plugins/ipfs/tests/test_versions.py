"""Which versions are taken, refused and tried."""

import asyncio
import re
from pathlib import Path

import learnae_ipfs.kubo.calls
import pytest
from kubo_rig import Daemons
from learnae_ipfs.daemon.versions import NEEDED, PUBSUB, is_untested, read_version, refuse_old, try_calls, warn_untested
from learnae_ipfs.kubo import Endpoint, Kubo

from learnae.errors import ProviderError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0.43.0", (0, 43)),
        ("v0.32.1", (0, 32)),
        ("0.44.0-rc1", (0, 44)),
        ("0.43.0-dev+abc", (0, 43)),
        (" 1.2\n", (1, 2)),
        ("0.43", (0, 43)),
        ("", None),
        ("latest", None),
        ("0", None),
        ("0.43;rm", None),
        ("99999.1", None),
        ("0.43." + "9" * 100, None),
    ],
)
def test_versions_are_read(text: str, numbers: tuple[int, int] | None) -> None:
    assert read_version(text) == numbers


@pytest.mark.parametrize("version", ["0.31.0", "0.4.23", "0.9.1"])
def test_old_ones_are_refused(version: str) -> None:
    with pytest.raises(ProviderError, match=rf"/usr/bin/ipfs is Kubo {version}, and 0\.32 is the oldest"):
        refuse_old(version, "/usr/bin/ipfs")


@pytest.mark.parametrize(
    ("version", "untested"),
    [("0.32.0", False), ("0.43.0", False), ("0.43.9-rc2", False), ("0.44.0", True), ("1.0.0", True), ("odd", True)],
)
def test_others_are_taken(version: str, untested: bool) -> None:
    refuse_old(version, "it")
    assert is_untested(version) is untested


def test_all_that_is_needed_is_there_in_real_ones(daemons: Daemons, any_kubo: Path) -> None:
    daemon = daemons.start(any_kubo)
    told: list[str] = []

    async def run() -> None:
        kubo = Kubo(Endpoint(daemon.api))
        assert await kubo.commands() >= NEEDED | PUBSUB
        assert await try_calls(kubo, pubsub=True) == []
        await warn_untested(kubo, await kubo.version(), "it", pubsub=True, tell=told.append)
        assert told == []
        await warn_untested(kubo, "0.99.0", "it", pubsub=True, tell=told.append)
        await kubo.aclose()

    asyncio.run(run())
    assert told == ["it is Kubo 0.99.0, and the newest that was tested is 0.43; all calls that are needed are there"]


def test_what_fails_is_said(daemons: Daemons, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = daemons.start(settings={"Pubsub.Enabled": False})
    told: list[str] = []

    async def run() -> None:
        kubo = Kubo(Endpoint(daemon.api))
        monkeypatch.setattr("learnae_ipfs.daemon.versions.NEEDED", NEEDED | {"files/sing"})
        await warn_untested(kubo, "0.99.0", "it", pubsub=True, tell=told.append)
        await kubo.aclose()

    asyncio.run(run())
    assert "what does not work there: it has no files/sing; pubsub/ls fails: " in told[0]


def test_a_newer_daemon_is_asked_for_exactly_the_calls_that_are_made() -> None:
    sources = [Path(learnae_ipfs.kubo.calls.__file__).with_name(name).read_text() for name in ("calls.py", "block_calls.py")]
    made = {call for source in sources for call in re.findall(r'"([a-z]+/[a-z/]+)"', source)} - {"swarm/addrs/autonat"}
    assert made == {call for call in NEEDED | PUBSUB if "/" in call}
    for call in NEEDED - made:
        assert any(f'"{call}"' in source for source in sources)
