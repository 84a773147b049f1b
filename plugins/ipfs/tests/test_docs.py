"""The manual says what is so: every option, every command, the versions that are supported."""

import re
from pathlib import Path

from learnae_ipfs.daemon.versions import NEWEST, OLDEST, written
from learnae_ipfs.settings import OPTIONS

ROOT = Path(__file__).parents[3]
MANUAL = (ROOT / "docs" / "ipfs.md").read_text(encoding="utf-8")


def test_every_option_is_in_the_manual_as_the_program_has_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (?:`(--[\w-]+)`)? \| (.*) \|$", MANUAL, re.MULTILINE)
    assert [name for name, *_ in rows] == [option.name for option in OPTIONS]
    for (name, default, flag, summary), option in zip(rows, OPTIONS, strict=True):
        shown = default.strip("`").strip('"')
        wanted = "none" if option.default is None else str(option.default)
        assert shown == (wanted.lower() if isinstance(option.default, bool) else wanted), name
        assert flag == (option.flag or ""), name
        assert summary == option.summary, name


def test_the_versions_are_those_of_the_program() -> None:
    oldest, newest = written(OLDEST), written(NEWEST)
    assert f"Tested with Kubo {oldest} and {newest}, the oldest and the newest that are supported." in MANUAL
    for page in (ROOT / "README.md", ROOT / "plugins" / "ipfs" / "README.md"):
        assert re.search(rf"\b{re.escape(oldest)} to\s+{re.escape(newest)}\b", page.read_text(encoding="utf-8")), page


def test_continuous_integration_has_the_oldest_and_the_newest() -> None:
    script = (ROOT / ".ci" / "kubo").read_text(encoding="utf-8")
    assert re.search(rf"newest\) version=v{re.escape(written(NEWEST))}\.\d+ ;;", script)
    assert re.search(rf"oldest\) version=v{re.escape(written(OLDEST))}\.\d+ ;;", script)
