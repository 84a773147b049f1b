"""Which versions of Kubo this plugin works with, and what is said of the others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from learnae.errors import LearnaeError, ProviderError
from learnae_ipfs.kubo import Kubo

OLDEST = (0, 32)
"""Older ones are refused: their content routing and PubSub speak otherwise."""

NEWEST = (0, 43)
"""The newest that the tests run with; later ones are tried with a warning."""

MENDED_PUBSUB = (0, 43)
"""Before it, whoever may speak on a PubSub topic can use up the daemon's memory (CVE-2026-46679)."""

SOUND_QUIC = (0, 43)
"""Before it, programs that were built with a Go of later than theirs crash at the first QUIC connection; those use TCP alone."""

NEEDED = frozenset(
    {
        "add",
        "bitswap/stat",
        "bitswap/wantlist",
        "block/get",
        "block/put",
        "block/rm",
        "block/stat",
        "cat",
        "files/cp",
        "files/ls",
        "files/rm",
        "files/stat",
        "id",
        "key/import",
        "key/list",
        "key/rm",
        "name/publish",
        "name/resolve",
        "pin/add",
        "pin/ls",
        "pin/rm",
        "ping",
        "repo/gc",
        "repo/stat",
        "routing/findprovs",
        "routing/provide",
        "shutdown",
        "stats/bw",
        "swarm/connect",
        "swarm/disconnect",
        "swarm/peers",
        "version",
    }
)
"""The RPC calls without which something does not work."""

PUBSUB = frozenset({"pubsub/ls", "pubsub/pub", "pubsub/sub"})

_TRIAL_S = 10.0
_NUMBERS = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:[.+-].{0,80})?")


def read_version(text: str) -> tuple[int, int] | None:
    """Return major and minor number of a version such as ``0.43.0`` or ``0.44.0-rc1``; ``None`` for anything else."""
    found = _NUMBERS.fullmatch(text.strip())
    return (int(found[1]), int(found[2])) if found else None


def refuse_old(version: str, whose: str) -> None:
    """Refuse a daemon that is too old.

    Args:
        version: What it says of itself.
        whose: What it is, for the sentence: ``/usr/bin/ipfs``, ``the daemon at /ip4/…``.

    Raises:
        ProviderError: It is older than the oldest that is supported.
    """
    numbers = read_version(version)
    if numbers is not None and numbers < OLDEST:
        raise ProviderError(
            f"{whose} is Kubo {version}, and {written(OLDEST)} is the oldest that LEARNAE works with; install a newer one: "
            "https://docs.ipfs.tech/install/command-line/"
        )


def is_untested(version: str) -> bool:
    """Say whether a daemon is newer than any that was tested, or of an unknown kind."""
    numbers = read_version(version)
    return numbers is None or numbers > NEWEST


def written(numbers: tuple[int, int]) -> str:
    """Write a version."""
    return ".".join(map(str, numbers))


async def try_calls(kubo: Kubo, *, pubsub: bool) -> list[str]:
    """Try what is needed of a daemon and changes nothing there; return what fails, as sentences without a full stop.

    Raises:
        UnavailableError: It does not answer at all.
    """
    known = await kubo.commands()
    missing = sorted((NEEDED | (PUBSUB if pubsub else frozenset())) - known)
    trials: dict[str, Callable[[], Awaitable[object]]] = {
        "id": kubo.identity,
        "swarm/peers": kubo.neighbours,
        "stats/bw": kubo.counters,
        "repo/stat": kubo.repository_bytes,
        "key/list": kubo.keys,
        "files/ls": lambda: kubo.mfs_list("/"),
    }
    if pubsub:
        trials["pubsub/ls"] = kubo.topics
    failures = await asyncio.gather(*(_trial(name, call) for name, call in trials.items() if name not in missing))
    return [f"it has no {name}" for name in missing] + [failure for failure in failures if failure]


async def _trial(name: str, call: Callable[[], Awaitable[object]]) -> str | None:
    try:
        async with asyncio.timeout(_TRIAL_S):
            await call()
    except (LearnaeError, TimeoutError) as exc:
        return f"{name} fails: {str(exc) or 'no answer'}"
    return None


async def warn_untested(kubo: Kubo, version: str, whose: str, *, pubsub: bool, tell: Callable[[str], None]) -> None:
    """Say that a daemon is newer than what was tested, and which of the calls that are needed fail there; go on in any case.

    Raises:
        UnavailableError: It does not answer.
    """
    if not is_untested(version):
        return
    failing = await try_calls(kubo, pubsub=pubsub)
    found = "all calls that are needed are there" if not failing else "what does not work there: " + "; ".join(failing)
    tell(f"{whose} is Kubo {version}, and the newest that was tested is {written(NEWEST)}; {found}")
