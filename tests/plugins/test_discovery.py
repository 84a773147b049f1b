"""Entry points, read from folders that look like installed distributions."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from learnae.interfaces.provider import Capability
from learnae.plugins import Plugins

GOOD = """
from learnae import Provider, hookimpl

@hookimpl
def learnae_storages():
    return [Provider("good", "Good.", lambda context: context)]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("stranger_")]:
        del sys.modules[name]


def distribution(folder: Path, name: str, entry_points: str, module: str | None = None, metadata: str | None = None) -> None:
    information = folder / f"{name.replace('-', '_')}-1.5.dist-info"
    information.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n" if metadata is None else metadata
    information.joinpath("METADATA").write_text(text)
    information.joinpath("entry_points.txt").write_text(entry_points)
    if module is not None:
        folder.joinpath(f"{name.replace('-', '_')}.py").write_text(module)


def found(plugins: Plugins) -> dict[str, str]:
    return {each.provider.name: str(each.source) for each in plugins.providers(Capability.STORAGE)}


def strangers_failures(plugins: Plugins) -> list[tuple[str, str]]:
    return [
        (str(each.source), each.error) for each in plugins.failures if not (each.source.distribution or "").startswith("learnae")
    ]


def test_built_in_ones_come_through_the_same_door() -> None:
    assert found(Plugins.discover())["memory"].startswith("learnae ")


def test_a_strangers_distribution_is_found(install: Path) -> None:
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n", GOOD)
    plugins = Plugins.discover()
    assert found(plugins)["good"] == "stranger-one 1.5"
    assert strangers_failures(plugins) == []


@pytest.mark.parametrize(
    ("entry", "module", "error"),
    [
        pytest.param("stranger_bad", "import no_such_module_anywhere", "ModuleNotFoundError", id="import"),
        pytest.param("stranger_bad", "import sys\nsys.exit('bye')", "SystemExit: bye", id="exit"),
        pytest.param("stranger_bad", "1 +", "SyntaxError", id="syntax"),
        pytest.param("stranger_bad:missing", "", "AttributeError", id="attribute"),
        pytest.param("stranger bad !", "", "", id="entry-point"),
    ],
)
def test_one_that_cannot_be_imported_is_recorded_and_the_others_work(install: Path, entry: str, module: str, error: str) -> None:
    distribution(install, "stranger-bad", f"[learnae]\nbad = {entry}\n", module)
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n", GOOD)
    plugins = Plugins.discover()
    assert found(plugins)["good"] == "stranger-one 1.5"
    [(source, text)] = strangers_failures(plugins)
    assert source == "stranger-bad 1.5"
    assert error in text


def test_a_broken_list_of_entry_points_breaks_nothing_else(install: Path) -> None:
    distribution(install, "stranger-bad", "[learnae]\nno equals sign\n")
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n[other]\nx = y\n", GOOD)
    plugins = Plugins.discover()
    assert found(plugins)["good"] == "stranger-one 1.5"
    [(source, text)] = strangers_failures(plugins)
    assert source == "stranger-bad 1.5"
    assert "its list of entry points cannot be read" in text


def test_incomplete_metadata_is_no_reason_to_fail(install: Path) -> None:
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n", GOOD, metadata="")
    assert found(Plugins.discover())["good"] == "unknown unknown"


def test_two_distributions_that_clash_are_both_named(install: Path) -> None:
    distribution(install, "stranger-one", "[learnae]\nsame = stranger_one\n", GOOD)
    distribution(install, "stranger-two", "[learnae]\nsame = stranger_two\n", GOOD)
    plugins = Plugins.discover()
    [clash] = [clash for clash in plugins.clashes() if clash.name == "good"]
    assert [str(source) for source in clash.sources] == ["stranger-one 1.5", "stranger-two 1.5"]


def test_of_two_installations_of_one_distribution_the_first_counts(install: Path) -> None:
    later = install / "later"
    later.mkdir()
    sys.path.append(str(later))  # the fixture's monkeypatch puts the path back
    distribution(install, "stranger-bad", "[learnae]\nno equals sign\n")
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n", GOOD)
    distribution(later, "stranger-one", "[learnae]\nold = stranger_old\n")
    plugins = Plugins.discover()
    assert found(plugins)["good"] == "stranger-one 1.5"
    assert [source for source, _ in strangers_failures(plugins)] == ["stranger-bad 1.5"]


def test_metadata_that_is_no_text_is_no_reason_to_fail(install: Path) -> None:
    distribution(install, "stranger-one", "[learnae]\nstranger = stranger_one\n", GOOD)
    (install / "stranger_one-1.5.dist-info" / "METADATA").write_bytes(b"Name: \xff\xfe\n")
    assert "good" in found(Plugins.discover())
