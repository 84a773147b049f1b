"""Real Kubo daemons. ``KUBO_BINARY`` and ``KUBO_OLDEST_BINARY`` name the programs; CI makes both be there (``.ci/kubo``)."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# pytest's import mode knows no imports between test modules, and benchmarks start daemons as well.
sys.path.insert(0, str(Path(__file__).parent))

from kubo_rig import Daemon, Daemons


def _program(variable: str) -> Path:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} does not name a Kubo program")
    found = shutil.which(named)
    if found is None:
        pytest.skip(f"{variable} names {named}, and that is no program")
    return Path(found).absolute()


@pytest.fixture(scope="session")
def kubo_binary() -> Path:
    """The newest Kubo that is supported."""
    return _program("KUBO_BINARY")


@pytest.fixture(scope="session")
def kubo_oldest_binary() -> Path:
    """The oldest Kubo that is supported."""
    return _program("KUBO_OLDEST_BINARY")


@pytest.fixture(scope="session", params=["newest", "oldest"])
def any_kubo(request: pytest.FixtureRequest) -> Path:
    """Each Kubo in turn."""
    found: Path = request.getfixturevalue("kubo_binary" if request.param == "newest" else "kubo_oldest_binary")
    return found


@pytest.fixture
def daemons(kubo_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Start daemons for one test; give ``program=`` for another than the newest."""
    with Daemons(kubo_binary, tmp_path_factory.mktemp("kubo")) as started:
        yield started


@pytest.fixture(scope="module")
def module_daemons(kubo_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Start daemons for all tests of one module."""
    with Daemons(kubo_binary, tmp_path_factory.mktemp("kubo")) as started:
        yield started


@pytest.fixture(scope="module")
def swarm(module_daemons: Daemons) -> Callable[..., list[Daemon]]:
    """Get the first ``n`` daemons of a private swarm that all tests of the module share: ``swarm(3)``, ``swarm(2, any_kubo)``.

    No test may end or reconfigure one: ``daemons.swarm(n)`` has some for that.
    """
    return module_daemons.shared
