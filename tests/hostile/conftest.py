"""The rig is a package beside these tests; what it found is printed as a table at the end of ``pytest -s``."""

import sys
from pathlib import Path

import pytest

# pytest's import mode knows no imports between test modules, and the rig is too large for one.
sys.path.insert(0, str(Path(__file__).parent))

TABLE = pytest.StashKey[list[tuple[str, str, str]]]()


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[tuple[str, str, str]]:
    """Collect rows of the table: what was tried, what came of it, who was charged."""
    return request.config.stash.setdefault(TABLE, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(TABLE, [])
    if not rows or config.getoption("capture") != "no":
        return
    terminalreporter.section(f"{len(rows)} hostile inputs")
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for number, (name, outcome, charged) in enumerate(rows, 1):
        terminalreporter.write_line(f"{number:3}  {name:{widths[0]}}  {outcome:{widths[1]}}  {charged}".rstrip())
