"""What an operator can do wrong: one line on stderr, exit status 2, no traceback."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

ROWS = "[peer]\ndata = 'mine.csv'\n"

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def learnae(inside: Run) -> Run:
    """Run it in this process, which is quicker; test_run.py makes a few mistakes in processes of their own."""
    return inside


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """Check how it ended and return the one line."""
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert ended.stderr.startswith("learnae: ")
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--config", "no.toml"], ["no.toml: there is no such file", "learnae init"], id="no-file"),
        pytest.param(["--data", "no.csv"], ["no.csv"], id="no-data"),
        pytest.param(["--session", "no.json"], ["no.json: there is no such session"], id="no-manifest"),
        pytest.param(["--session", "mine.csv"], ["mine.csv: "], id="no-manifest-at-all"),
        pytest.param(["--set", "network.transprot=x"], ["'network.transprot'", "did you mean 'transport'?"], id="unknown-key"),
        pytest.param(["--set", "transport"], ["--set KEY=VALUE"], id="no-value"),
        pytest.param(
            ["--epochs", "many"], ["--epochs: training.epochs = 'many'", "a whole number from 1 to 100000"], id="wrong-type"
        ),
        pytest.param(["--role", "boss"], ["--role", "full, trainer or feeder"], id="wrong-choice"),
        pytest.param(["--until", "soon"], ["--until", "converged, forever, or a duration"], id="wrong-duration"),
        pytest.param(["--learning-rate", "nan"], ["--learning-rate"], id="not-finite"),
        pytest.param(["--optimiser-options", "b1="], ["--optimiser-options"], id="no-table"),
        pytest.param(["--transport", "localfz"], ["localfz", "installed: iota, ipfs, localfs, memory"], id="unknown-transport"),
        pytest.param(
            ["--transport", "localfz", "--storage", "localfs"],
            ["no transport named 'localfz'", "did you mean 'localfs'?"],
            id="did-you-mean",
        ),
        pytest.param(["--framework", "nunpy"], ["nunpy", "did you mean 'numpy'?"], id="unknown-framework"),
        pytest.param(["--set", "plugins.localfs.foldr=x"], ["foldr", "did you mean 'folder'?"], id="plugin-key"),
        pytest.param(["--set", "plugins.nobody.x=1"], ["there is no plugin of that name"], id="no-plugin"),
        pytest.param(["--secret-file", "mine.csv"], ["this session has no secret"], id="no-secret-wanted"),
        pytest.param(["--role", "trainer"], ["a trainer has no rows of its own"], id="trainer-with-rows"),
        pytest.param(["--role", "feeder"], ["needs a session in which rows are shared"], id="nothing-to-feed"),
        pytest.param(["--state", "mine.csv/a"], ["mine.csv/a: cannot be used as a state folder"], id="state-in-a-file"),
        pytest.param(["--folder", "no/such/folder"], ["mkdir -p"], id="no-shared-folder"),
        pytest.param(["--optimiser", "adm"], ["training.optimiser", "did you mean adam"], id="unknown-optimiser"),
    ],
)
def test_options(learnae: Run, options: list[str], words: list[str]) -> None:
    line = refused(learnae("run", "--quiet", "--folder", "shared", "--state", "a", *options))
    for each in words:
        assert each in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[peer\n", ["learnae.toml: not TOML"], id="not-toml"),
        pytest.param("[network]\ntransprot = 'x'\n", ["learnae.toml", "transprot", "'transport'?"], id="unknown-key"),
        pytest.param("[training]\nepochs = 'x'\n", ["learnae.toml: training.epochs = 'x'", "a whole number"], id="wrong-type"),
        pytest.param(
            "[peer]\ndata = 'mine.csv'\n[plugins.localfs]\nfolder = 3\n",
            ["plugins.localfs.folder = 3", "a text"],
            id="wrong-type-of-a-plugin",
        ),
        pytest.param("epochs = 3\n", ["learnae.toml", "did you mean 'training.epochs'?"], id="no-section"),
    ],
)
def test_the_file(learnae: Run, folder: Path, text: str, words: list[str]) -> None:
    (folder / "learnae.toml").write_text(text)
    line = refused(learnae("run"))
    for each in words:
        assert each in line


def test_the_environment(learnae: Run) -> None:
    line = refused(learnae("run", env={"LEARNAE_NETWORK__RETRY_S": "x"}))
    assert "LEARNAE_NETWORK__RETRY_S: network.retry_s = 'x' cannot be used" in line


def test_a_bad_row_is_named_by_file_line_and_column(learnae: Run, folder: Path) -> None:
    lines = (folder / "theirs.csv").read_text().splitlines()
    cells = lines[6].split(",")
    cells[4] = "x"
    lines[6] = ",".join(cells)
    (folder / "theirs.csv").write_text("\n".join(lines) + "\n")
    line = refused(learnae("run", "--folder", "shared", "--state", "a", "--data", "theirs.csv", "--quiet"))
    assert "theirs.csv:7: column 'f3': 'x' is not a finite number; --skip-bad-rows leaves such rows out" in line


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[: len(text) // 2], id="half"),
        pytest.param(lambda text: text.replace('"passes": 2', '"passes": 0'), id="impossible"),
        pytest.param(lambda text: text.replace('"seed"', '"sead"'), id="unknown-key"),
        pytest.param(lambda text: text.replace('"seed": 0', '"seed": 1'), id="another-model"),
    ],
)
def test_a_damaged_manifest(learnae: Run, folder: Path, damage: Callable[[str], str]) -> None:
    manifest = folder / "session.json"
    text = damage(manifest.read_text())
    assert text != manifest.read_text()
    manifest.write_text(text)
    refused(learnae("run", "--folder", "shared", "--state", "a", "--quiet"))


@pytest.fixture
def without_power() -> Iterator[None]:
    """Heed permissions, also where the tests run as the superuser, whom Linux lets write everywhere (capabilities(7))."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    before, overrides = sets[0], 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    sets[0] = before & ~overrides
    assert libc.capset(head, sets) == 0
    yield
    sets[0] = before
    assert libc.capset(head, sets) == 0


@pytest.mark.usefixtures("without_power")
def test_no_permission(learnae: Run, folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o500)
    line = refused(learnae("run", "--folder", "shared", "--state", "closed/a"))
    assert "closed/a: cannot be used as a state folder: Permission denied" in line
    ended = learnae("init", "--data", "mine.csv", "--label", "label", "--out", "closed/b")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == "learnae: closed/b: the folder cannot be made: Permission denied"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--label", "lable"], ["there is no column 'lable'", "did you mean 'label'?"], id="no-label"),
        pytest.param(["--label", "label", "--features", "f0,f99"], ["there is no column 'f99'"], id="no-feature"),
        pytest.param(["--label", "label", "--hidden", "64,x"], ["--hidden 64,x"], id="no-width"),
        pytest.param(["--label", "label", "--hidden", "99999999"], ["at most 16 layers"], id="too-wide"),
        pytest.param(["--label", "label", "--activation", "relo"], ["relu or tanh"], id="no-activation"),
        pytest.param(["--label", "label", "--validation-share", "1"], ["above 0 and below 1"], id="no-share"),
        pytest.param(["--label", "label", "--judge", "loss", "--min-gain", "0"], ["min_gain"], id="no-gain"),
        pytest.param(["--label", "label", "--name", "a/b"], ["name"], id="no-name"),
        pytest.param(["--label", "label", "--model", "mine:build"], ["--model needs --custom-label"], id="no-custom-label"),
        pytest.param(["--label", "label", "--out", "mine.csv"], ["mine.csv: the folder cannot be made"], id="out-is-a-file"),
        pytest.param(["--label", "label", "--hidden", "9"], ["are not overwritten", "learnae.toml"], id="another-is-there"),
    ],
)
def test_init(learnae: Run, folder: Path, options: list[str], words: list[str]) -> None:
    ended = learnae("init", "--data", "mine.csv", *options)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    for each in words:
        assert each in ended.stderr.splitlines()[-1]
