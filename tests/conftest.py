"""What every test gets: no test writes into the real home folder. And in CI: a test that was skipped is a test that failed."""

import os
import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point the folders where a user's files go by default into a temporary one; caches stay where they are."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for variable, name in (("XDG_STATE_HOME", "state"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data")):
            patch.setenv(variable, str(folder / name))
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let programs under test feel Ctrl-C: a run in the background of a shell has it ignored, and they would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail where tests were skipped and ``LEARNAE_NO_SKIPS`` is set: what CI did not test did not pass."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("LEARNAE_NO_SKIPS", "0") == "0":
        return
    if reporter.getreports("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which."""
    skipped = terminalreporter.getreports("skipped")
    if skipped and os.environ.get("LEARNAE_NO_SKIPS", "0") != "0":
        terminalreporter.section("skipped, and LEARNAE_NO_SKIPS is set: the run fails", red=True)
        for report in skipped:
            terminalreporter.line(report.nodeid)
