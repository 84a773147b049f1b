"""Every command that the documentation shows in a ``console`` block is typed as it stands, in the order of the page.

Those about IPFS run on a real daemon, of the program that ``KUBO_BINARY`` names.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from learnae.data.synthetic import synthetic_rows, write_csv

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("plugins/*/README.md")])
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^```(?:sh|bash|shell)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "make demo": "it is `learnae demo` after installing: tests/demo",
    "make test": "it is what runs this test",
    "pip install '.[jax,parquet,figures]' ./plugins/localfs ./plugins/ipfs ./plugins/iota": "in a fresh one: tests/packaging",
    "pip install . ./plugins/localfs": "in a fresh environment: tests/packaging",
    "pip install . ./plugins/iota": "in a fresh environment: tests/packaging",
    "pip install . ./plugins/ipfs": "in a fresh environment: tests/packaging",
}
IPFS = re.compile(r"--transport ipfs|--storage ipfs|learnae ipfs")
MANUALS = {ROOT / "docs/demo.md", ROOT / "docs/using-the-model.md"}
"""Their commands, in ``sh`` blocks, are run by tests/demo/test_docs.py, which makes the demos small."""


def commands(page: Path) -> list[str]:
    lines = (line for block in BLOCK.findall(page.read_text()) for line in block.splitlines())
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MANUALS], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_hides_in_a_block_that_is_not_run(page: Path) -> None:
    hidden = [line for block in SHELL.findall(page.read_text()) for line in block.splitlines() if "learnae " in line]
    assert not hidden, f"{page.name}: write ```console, so that these are run"


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_work_as_they_stand(page: Path, tmp_path: Path) -> None:
    columns, rows = synthetic_rows(600, 0)
    write_csv(tmp_path / "rows.csv", columns, rows[:400])
    write_csv(tmp_path / "new.csv", columns, rows[400:])
    scripts = Path(sys.executable).parent
    kubo = shutil.which(os.environ.get("KUBO_BINARY", ""))
    (tmp_path / "bin").mkdir()
    if kubo:
        (tmp_path / "bin" / "ipfs").symlink_to(Path(kubo).absolute())
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(tmp_path / "bin"), str(scripts), os.environ["PATH"]]),
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        # What a page leaves to the defaults is made quick here; nothing that it shows is changed.
        "LEARNAE_TRAINING__FRAMEWORK": "numpy",
        "LEARNAE_NETWORK__QUIET_PERIOD_S": "0.5",
        # And what it starts stays on this machine.
        "LEARNAE_PLUGINS__IPFS__LISTEN": "127.0.0.1",
        "LEARNAE_PLUGINS__IPFS__LOCAL_NETWORK": "false",
    }
    left_out = [command for command in commands(page) if IPFS.search(command) and not kubo]
    for command in commands(page):
        if command in ELSEWHERE or command in left_out:
            continue
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"
    if left_out:
        pytest.skip(f"KUBO_BINARY does not name a Kubo program; not run: {'; '.join(left_out)}")


def test_the_readme_loads_a_model_in_three_lines(tmp_path: Path) -> None:
    """The Python of the README is run by tests/applying on a real model; here it must be what that test runs."""
    block = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = [line for line in block[1].splitlines() if line.strip()]
    assert len(lines) == 3
    compile(block[1], "README.md", "exec")


@pytest.mark.slow
def test_the_page_on_simulation_runs_as_it_stands(tmp_path: Path) -> None:
    block = re.search(r"^```python\n(.*?)^```$", (ROOT / "docs/simulation.md").read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    told = [
        subprocess.run(
            [sys.executable, "-c", block[1]], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
        ).stdout
        for _ in range(2)
    ]
    assert [line.partition(":")[0] for line in told[0].splitlines()] == ["peer-0", "peer-1", "peer-2"]
    assert all(line.endswith("finished") for line in told[0].splitlines())
    assert told[0] == told[1], "equal arguments give equal results"
    learnae = [sys.executable, "-m", "learnae", "report", "simulated"]
    table = subprocess.run(learnae, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True).stdout
    assert table.count(" full ") == 3
