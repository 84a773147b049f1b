"""Real distributions in fresh environments: built wheels, and strangers' plugins."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "COVERAGE_PROCESS_START"}
PROJECT = """
[build-system]
requires = ["hatchling>=1.27,<2"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "2.5"
dependencies = ["learnae"]

[project.entry-points.learnae]
{entry} = "{module}"
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program outside the checkout, so that only what is installed is found: ``run(program, *arguments, check=True)``."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}

    def start(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            [str(part) for part in command],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and finished.returncode:
            pytest.fail(f"{command} exited with {finished.returncode}:\n{finished.stdout}\n{finished.stderr}")
        return finished

    return start


@pytest.fixture(scope="session")
def uv() -> str:
    """The uv that runs these tests, or the one on the path."""
    found = os.environ.get("UV") or shutil.which("uv")
    assert found, "uv is needed: run the tests with `make test`"
    return found


@pytest.fixture(scope="session")
def wheels(uv: str, run: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of the workspace's distributions, by name."""
    folder = tmp_path_factory.mktemp("wheels")
    run(uv, "build", "--quiet", "--wheel", "--all-packages", "--out-dir", folder, ROOT)
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in folder.glob("*.whl")}


@pytest.fixture(scope="session")
def constraints(uv: str, run: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of ``uv.lock``, so that fresh environments get what was tested."""
    file = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    run(
        *(uv, "export", "--quiet", "--frozen", "--project", ROOT, "--all-extras", "--all-packages", "--no-dev"),
        *("--no-hashes", "--no-emit-workspace", "--no-annotate", "--output-file", file),
    )
    return file


@pytest.fixture(scope="session")
def make_venv(
    uv: str, run: Callable[..., object], constraints: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Make a fresh environment with these requirements: ``make_venv(wheel, folder, ...)`` is the folder of its programs."""

    def make(*requirements: str | Path) -> Path:
        folder = tmp_path_factory.mktemp("venv") / "venv"
        programs = folder / ("Scripts" if os.name == "nt" else "bin")
        run(uv, "venv", "--quiet", "--python", sys.executable, folder)
        if requirements:
            run(uv, "pip", "install", "--quiet", "--python", programs / "python", "--constraints", constraints, *requirements)
        return programs

    return make


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Write a stranger's plugin: ``stranger("learnae-x", code)`` is a project to install; its entry point is called ``x``."""

    def write(name: str, code: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        module = name.replace("-", "_")
        (folder / "pyproject.toml").write_text(PROJECT.format(name=name, entry=name.removeprefix("learnae-"), module=module))
        (folder / module).mkdir()
        (folder / module / "__init__.py").write_text(textwrap.dedent(code))
        return folder

    return write
