"""Every command of the two manuals, as it stands there; demos are made small."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from learnae.data.synthetic import synthetic_rows

DOCS = Path(__file__).parents[2] / "docs"
Learnae = Callable[..., CompletedProcess[str]]


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)


def _run_all(name: str, learnae: Learnae, small: tuple[str, ...]) -> None:
    for line in "".join(_blocks(name, "sh")).splitlines():
        program, command, *arguments = shlex.split(line)
        assert program == "learnae"
        told = learnae(command, *arguments, *(small if command == "demo" else ()))
        assert told.returncode == 0, f"{line}\n{told.stderr}"
        assert told.stdout or "--out" in arguments, line


@pytest.fixture
def rows(tmp_path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    columns, raw = synthetic_rows(500, 4)
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("# " + ",".join(columns) + ",mass\n")
        file.writelines(",".join(f"{value:.6g}" for value in row) + ",1\n" for row in raw.tolist())
    return raw[:, 1:]


@pytest.mark.slow
def test_the_manual_of_the_demo(
    learnae: Learnae, small: tuple[str, ...], rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]], tmp_path: Path
) -> None:
    assert len(rows) == 500
    _run_all("demo.md", learnae, (*small, "--peers", "2"))
    assert (tmp_path / "another-demo" / "comparison.png").exists()
    for name in re.findall(r"^\| `([a-z][^`]*)` \|", (DOCS / "demo.md").read_text().partition("in the folder")[2], re.MULTILINE):
        assert (tmp_path / "learnae-demo" / name).exists(), name


@pytest.mark.slow
def test_the_manual_of_using_the_model(
    learnae: Learnae,
    small: tuple[str, ...],
    rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert learnae("demo", *small, "--peers", "2").returncode == 0
    _run_all("using-the-model.md", learnae, small)
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 501
    monkeypatch.chdir(tmp_path)
    for block in _blocks("using-the-model.md", "python"):
        names: dict[str, object] = {"rows": rows}
        exec(compile(block, "using-the-model.md", "exec"), names)  # noqa: S102 - our own manual
        assert names.keys() & {"model", "manifest"}
