import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.config.resolve import load_settings
from learnae.config.schema import every_setting
from learnae.config.settings import AveragingSection, NetworkSection, PeerSection, PeerSettings
from learnae.config.template import commented_toml, settings_table, toml_value
from learnae.config.training import TrainingSection
from learnae.values.choices import Averaging, Role
from learnae.values.ids import PeerId

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

CHANGED = PeerSettings(
    peer=PeerSection(
        session=Path("/s/a session.json"),
        data=Path('/data/"rows" \\ ü.csv'),
        role=Role.TRAINER,
        private=False,
        skip_bad_rows=True,
        allow=(PeerId("a" * 64), PeerId("b" * 64)),
        until="1h30m",
    ),
    training=TrainingSection(model="mine:build", learning_rate=1e-5, optimiser_options={"b1": 0.8, "a key": "x", "on": True}),
    averaging=AveragingSection(policy=Averaging.SOUP, train_probability=1.0),
    network=NetworkSection(storage="other", sensors=("one", "two"), expect_peers=3),
    plugins={"my-ledger": {"folder": "/x", "poll_s": 0.5, "on": True, "many": 3}},
)


@dataclass(frozen=True)
class Known:
    default: object
    summary: str


@pytest.mark.parametrize("settings", [pytest.param(PeerSettings(), id="defaults"), pytest.param(CHANGED, id="changed")])
def test_what_is_written_loads_as_the_same_settings(settings: PeerSettings, tmp_path: Path) -> None:
    file = tmp_path / "learnae.toml"
    file.write_text(commented_toml(settings), encoding="utf-8")
    loaded = load_settings(file).settings
    if settings.peer.session == PeerSection().session:
        settings = msgspec.structs.replace(
            settings, peer=msgspec.structs.replace(settings.peer, session=tmp_path / settings.peer.session)
        )
    assert loaded == settings


def test_every_setting_is_there_with_its_help_and_its_default_behind_a_hash(tmp_path: Path) -> None:
    text = commented_toml(PeerSettings())
    for setting in every_setting():
        assert setting.summary
        assert f"# {setting.summary}\n# Accepted: {setting.accepted}.\n#{setting.name} = {toml_value(setting.default)}\n" in text
    assert not any(tomllib.loads(text).values())


def test_taking_the_hashes_away_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "learnae.toml"
    lines = commented_toml(PeerSettings()).splitlines()
    file.write_text("\n".join(line.removeprefix("#") if not line.startswith("# ") else line for line in lines))
    resolved = load_settings(file)
    assert {origin.source for origin in resolved.origins.values()} == {str(file)}
    assert msgspec.structs.replace(resolved.settings, peer=PeerSection()) == PeerSettings()


def test_options_of_plugins_are_there_with_their_help() -> None:
    known = {"plugins.localfs.folder": Known(None, "Where it is."), "plugins.my-ledger.poll_s": Known(2.0, "How often.")}
    text = commented_toml(CHANGED, known)
    assert '[plugins.localfs]\n# Where it is.\n#folder = ""\n' in text
    assert "# How often.\npoll_s = 0.5\n" in text
    assert tomllib.loads(text)["plugins"] == {"localfs": {}, **CHANGED.plugins}


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_survives(text: str) -> None:
    assert tomllib.loads(f"a = {toml_value(text)}") == {"a": text}
    assert tomllib.loads(f"a = {toml_value({text: [text]})}") == {"a": {text: [text]}}


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_any_number_survives(number: float) -> None:
    found = tomllib.loads(f"a = {toml_value(number)}")["a"]
    assert found == number
    assert type(found) is type(number)


def test_what_toml_cannot_hold_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError):
        toml_value(object())


def test_the_manual_has_the_table_of_all_settings() -> None:
    assert settings_table() in DOCUMENT.read_text(encoding="utf-8"), f"put this into {DOCUMENT.name}:\n\n{settings_table()}"
