from pathlib import Path

import pytest

from learnae.config.resolve import MAX_FILE_BYTES, Origin, load_settings
from learnae.config.schema import every_setting
from learnae.config.settings import PeerSettings, state_folder
from learnae.errors import ConfigError
from learnae.values.choices import Averaging, Role
from learnae.values.ids import SessionId


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "learnae.toml"


def test_nothing_given_gives_the_defaults() -> None:
    resolved = load_settings()
    assert resolved.settings == PeerSettings()
    assert {origin.source for origin in resolved.origins.values()} == {"default"}
    assert list(resolved.origins) == [setting.key for setting in every_setting()]


def test_options_win_over_the_environment_over_the_file_over_defaults(file: Path) -> None:
    file.write_text("[training]\nepochs = 2\nbatch_size = 2\nslices_per_cycle = 2\n")
    environment = {"LEARNAE_TRAINING__EPOCHS": "3", "LEARNAE_TRAINING__BATCH_SIZE": "3", "PATH": "/bin"}
    resolved = load_settings(file, {"training.epochs": 4}, environment, flags={"training.epochs": "--epochs"})
    assert resolved.origins["training.epochs"] == Origin(4, "--epochs")
    assert resolved.origins["training.batch_size"] == Origin(3, "LEARNAE_TRAINING__BATCH_SIZE")
    assert resolved.origins["training.slices_per_cycle"] == Origin(2, str(file))
    assert resolved.origins["training.optimiser"] == Origin("adam", "default")
    training = resolved.settings.training
    assert (training.epochs, training.batch_size, training.slices_per_cycle) == (4, 3, 2)


def test_text_is_converted_to_what_the_setting_is() -> None:
    ids = ["a" * 64, "b" * 64]
    settings = load_settings(
        None,
        {"peer.allow": ", ".join(ids), "network.sensors": "", "peer.data": "rows.csv", "network.retry_s": "3"},
        {
            "LEARNAE_PEER__ROLE": "trainer",
            "LEARNAE_PEER__PRIVATE": "true",
            "LEARNAE_PEER__SECRET_FILE": "",
            "LEARNAE_AVERAGING__POLICY": "soup",
            "LEARNAE_TRAINING__OPTIMISER_OPTIONS": "{ b1 = 0.8, nesterov = true }",
            "LEARNAE_TRAINING__SCHEDULE_OPTIONS": "",
            "LEARNAE_TRAINING__MODEL": "mine:build",
        },
    ).settings
    assert settings.peer.allow == tuple(ids)
    assert settings.network.sensors == ()
    assert settings.peer.data == Path("rows.csv")
    assert settings.network.retry_s == 3.0
    assert settings.peer.role is Role.TRAINER
    assert settings.peer.private is True
    assert settings.peer.secret_file is None
    assert settings.averaging.policy is Averaging.SOUP
    assert settings.training.model == "mine:build"
    assert settings.training.for_framework() == {
        "optimiser": "adam",
        "learning_rate": 0.001,
        "optimiser_options": {"b1": 0.8, "nesterov": True},
        "schedule": None,
        "schedule_options": {},
    }


def test_paths_in_a_file_refer_to_its_folder_and_others_stay_as_typed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file.write_text('[peer]\ndata = "rows.csv"\nsecret_file = "~/secret"\n[plugins.localfs]\nfolder = "shared"\npoll = 2\n')
    paths = {"plugins.localfs.folder", "plugins.other.folder"}
    settings = load_settings(file, {"peer.state": "here", "plugins.other.folder": "there"}, paths=paths).settings
    assert settings.peer.session == tmp_path / "session.json"
    assert settings.peer.data == tmp_path / "rows.csv"
    assert settings.peer.secret_file == tmp_path / "home" / "secret"
    assert settings.peer.state == Path("here")
    assert settings.plugins == {"localfs": {"folder": str(tmp_path / "shared"), "poll": 2}, "other": {"folder": "there"}}


def test_a_home_folder_of_a_stranger_stays_as_typed() -> None:
    assert load_settings(None, {"peer.data": "~nobody-of-that-name/x"}).settings.peer.data == Path("~nobody-of-that-name/x")


def test_the_environment_names_plugins_with_underscores_for_hyphens() -> None:
    resolved = load_settings(None, None, {"LEARNAE_PLUGINS__MY_LEDGER__POLL_S": "5", "LEARNAE_HOME": "/x", "X__Y": "1"})
    assert resolved.settings.plugins == {"my-ledger": {"poll_s": "5"}}
    assert resolved.origins["plugins.my-ledger.poll_s"] == Origin("5", "LEARNAE_PLUGINS__MY_LEDGER__POLL_S")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param({"network.transprt": 1}, "no setting 'network.transprt'; did you mean 'transport'", id="slip-in-a-key"),
        pytest.param(
            {"training.transport": 1}, "no setting 'training.transport'; did you mean 'network.transport'", id="other-section"
        ),
        pytest.param({"transport": 1}, "no section 'transport'; did you mean 'network.transport'", id="no-section"),
        pytest.param({"netwrk.retry": 1}, "no section 'netwrk'; did you mean 'network'", id="slip-in-a-section"),
        pytest.param({"averaging.zzz": 1}, "there are: policy, soup_size, train_probability", id="nothing-alike"),
        pytest.param({"zzz.y": 1}, "there are: peer, training, averaging, network, keeping, plugins", id="no-section-alike"),
        pytest.param(
            {"training.epochs": 0}, "training.epochs = 0 cannot be used; accepted: a whole number from 1", id="too-small"
        ),
        pytest.param({"training.epochs": "5x"}, "training.epochs = '5x'", id="not-a-number"),
        pytest.param({"training.epochs": True}, "training.epochs = True", id="a-truth-value-is-no-number"),
        pytest.param({"training.epochs": 1.5}, "training.epochs = 1.5", id="a-fraction-is-no-whole-number"),
        pytest.param({"training.learning_rate": float("nan")}, "learning_rate = nan", id="not-finite"),
        pytest.param({"training.learning_rate": 0}, "accepted: a number above 0, up to 1000000", id="open-end"),
        pytest.param({"training.optimiser_options": "{ b1 = inf }"}, "optimiser_options", id="not-finite-within"),
        pytest.param({"training.optimiser_options": "b1"}, "accepted: a table", id="not-a-table"),
        pytest.param({"training.optimiser_options": {"b1": [1]}}, "accepted: a table", id="nested-table"),
        pytest.param({"training.model": "mine"}, 'accepted: module:function, or "" for none', id="no-function"),
        pytest.param({"peer.role": "ful"}, "accepted: full, trainer or feeder", id="no-role"),
        pytest.param({"peer.allow": "abc"}, "64 small hexadecimal digits", id="no-peer-id"),
        pytest.param({"peer.until": "soon"}, "accepted: converged, forever, or a duration", id="no-duration"),
        pytest.param({"peer.data": 3}, "accepted: a path", id="no-path"),
        pytest.param({"peer.session": ""}, "accepted: a path", id="empty-path"),
        pytest.param({"peer.data": "a\0b"}, "accepted: a path", id="no-path-with-a-null"),
        pytest.param({"network.transport": "../x"}, "accepted: a name of small letters", id="no-name"),
        pytest.param({"plugins.x": 1}, "options of plugins are named plugins.NAME.KEY", id="plugin-without-key"),
        pytest.param({"plugins.X.y": 1}, "options of plugins are named plugins.NAME.KEY", id="plugin-of-no-name"),
        pytest.param({"plugins.x.y": [1]}, "accepted: a text, a number, true or false", id="list-for-a-plugin"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_is_accepted(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, overrides)
    assert words in str(caught.value)
    assert str(caught.value).startswith("--set ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"[peer\n", "not TOML", id="not-toml"),
        pytest.param(b"\xff", "not TOML", id="not-utf-8"),
        pytest.param(b"x = " + b"[" * 20_000, "not TOML", id="too-deep"),
        pytest.param(b"#" * (MAX_FILE_BYTES + 1), "larger than 1048576 bytes", id="too-large"),
        pytest.param(b"peer = 1", "peer = 1 is no section; write [peer]", id="value-for-a-section"),
        pytest.param(b"epochs = 1", "did you mean 'training.epochs'", id="no-section"),
        pytest.param(b"[plugins]\nlocalfs = 1", "plugins.localfs = 1 is no section", id="value-for-a-plugin"),
        pytest.param(b"[training]\nepochs = 0", "training.epochs = 0 cannot be used", id="bad-value"),
        pytest.param(b"[training]\nepoch = 1", "did you mean 'epochs'", id="unknown-key"),
    ],
)
def test_an_error_in_a_file_names_the_file(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; `learnae init` writes one"):
        load_settings(file)
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(file.parent)


def test_a_file_that_cannot_be_opened_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # permissions do not stop a test that runs as root
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load_settings(file)


def test_an_error_in_the_environment_names_the_variable() -> None:
    with pytest.raises(
        ConfigError, match=r"^LEARNAE_NETWORK__RETRY: there is no setting 'network.retry'; did you mean 'retry_s'"
    ):
        load_settings(None, None, {"LEARNAE_NETWORK__RETRY": "1"})


@pytest.mark.parametrize(("until", "seconds"), [("converged", None), ("forever", None), ("1h30m", 5400.0)])
def test_until_is_a_state_or_a_time(until: str, seconds: float | None) -> None:
    assert load_settings(None, {"peer.until": until}).settings.peer.stop_after_s == seconds


def test_the_state_folder_is_the_operators_or_one_for_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    session = SessionId("c" * 64)
    assert state_folder(load_settings(None, {"peer.state": "here"}).settings, session) == Path("here")
    folder = state_folder(PeerSettings(), session)
    assert folder.name == "c" * 16
    assert tmp_path in folder.parents
    assert not folder.exists()
