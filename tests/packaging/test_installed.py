"""LEARNAE as others get it: built wheels in fresh environments, with strangers' plugins beside it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """
    from learnae import Option, Provider, hookimpl

    def open_pigeons(context):
        return context.options["lofts"]

    @hookimpl
    def learnae_transports():
        return [Provider("pigeons", "Messages on the legs of birds.", open_pigeons, (Option("lofts", 3, "How many."),))]
"""
BROKEN = "import a_module_that_nobody_has"
SAME = """
    from learnae import Provider, hookimpl

    @hookimpl
    def learnae_storages():
        return [Provider("cellar", "Files on a shelf.", lambda context: context)]
"""
CLASH = "2 plugins provide a storage named 'cellar': learnae-cellar 2.5 and learnae-vault 2.5; uninstall all but one"
ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def ask(code: str) -> str:
    """Wrap code so that it runs with ``plugins`` and ``context`` at hand, and prints what ``open`` or ``get`` refuse."""
    return textwrap.dedent("""
        from pathlib import Path
        from learnae import Capability, Context, ProviderError
        from learnae.plugins import Plugins
        from learnae.testing.rows import toy_manifest

        plugins = Plugins.discover()
        context = Context(toy_manifest(), "a" * 64, "b" * 64, "c" * 64, "d" * 64, Path("."))
        try:
            print(CODE)
        except ProviderError as error:
            print("ProviderError:", error)
    """).replace("CODE", code)


@pytest.fixture(scope="session")
def programs(wheels: dict[str, Path], make_venv: Callable[..., Path], stranger: Callable[[str, str], Path]) -> Path:
    """An environment without JAX, and with strangers' plugins: one good, one broken, two that clash."""
    strangers = [
        stranger("learnae-pigeons", GOOD),
        stranger("learnae-broken", BROKEN),
        stranger("learnae-cellar", SAME),
        stranger("learnae-vault", SAME),
    ]
    return make_venv(wheels["learnae"], wheels["learnae-localfs"], *strangers)


@pytest.fixture(scope="session")
def listing(programs: Path, run: Run) -> dict[str, list[dict[str, object]]]:
    listed: dict[str, list[dict[str, object]]] = json.loads(run(programs / "learnae", "plugins", "--json").stdout)
    return listed


@pytest.fixture
def founded(programs: Path, run: Run, tmp_path: Path) -> tuple[str | Path, ...]:
    """A session, and the options of a peer of it that ends at once."""
    (tmp_path / "rows.csv").write_text("\n".join(["label,x", *(f"{row % 2},{row / 7:.3f}" for row in range(60))]) + "\n")
    run(
        *(programs / "learnae", "init", "--data", tmp_path / "rows.csv", "--label", "label", "--hidden", "4"),
        *("--framework", "numpy", "--out", tmp_path),
    )
    (tmp_path / "shared").mkdir()
    return ("--config", tmp_path / "learnae.toml", "--folder", tmp_path / "shared", "--state", tmp_path / "state")


def names(listing: dict[str, list[dict[str, object]]], capability: str) -> list[object]:
    return [each["name"] for each in listing["providers"] if each["capability"] == capability]


def test_a_strangers_plugin_is_listed_with_where_it_comes_from(listing: dict[str, list[dict[str, object]]]) -> None:
    [pigeons] = [each for each in listing["providers"] if each["name"] == "pigeons"]
    assert pigeons["source"] == {"plugin": "pigeons", "distribution": "learnae-pigeons", "version": "2.5"}
    assert pigeons["options"] == [{"name": "lofts", "default": 3, "summary": "How many.", "flag": None}]


def test_ours_are_listed_beside_it(listing: dict[str, list[dict[str, object]]]) -> None:
    assert names(listing, "transport") == ["localfs", "memory", "pigeons"]
    assert names(listing, "storage") == ["cellar", "cellar", "localfs", "memory"]
    assert names(listing, "framework") == ["jax", "numpy"]
    assert names(listing, "sensors") == ["localfs"]


def test_the_one_that_cannot_be_imported_is_a_failure_with_a_reason(
    listing: dict[str, list[dict[str, object]]], programs: Path, run: Run
) -> None:
    [failure] = listing["failures"]
    assert failure["source"] == {"plugin": "broken", "distribution": "learnae-broken", "version": "2.5"}
    assert failure["error"] == "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"
    told = run(programs / "learnae", "plugins")
    assert "broken of learnae-broken 2.5: ModuleNotFoundError: No module named 'a_module_that_nobody_has'" in told.stdout


def test_a_strangers_provider_opens_with_its_options(programs: Path, run: Run) -> None:
    assert run(programs / "python", "-c", ask("plugins.open(Capability.TRANSPORT, 'pigeons', context)")).stdout == "3\n"


def test_two_that_clash_are_listed(listing: dict[str, list[dict[str, object]]], programs: Path, run: Run) -> None:
    [clash] = listing["clashes"]
    assert (clash["capability"], clash["name"]) == ("storage", "cellar")
    assert [each["distribution"] for each in clash["sources"]] == ["learnae-cellar", "learnae-vault"]  # type: ignore[attr-defined]  # JSON
    assert CLASH in run(programs / "learnae", "plugins").stdout


def test_who_wants_one_of_two_that_clash_is_told_both(programs: Path, run: Run, founded: tuple[str | Path, ...]) -> None:
    wanted = (*founded, "--transport", "localfs", "--storage", "cellar")
    ended = run(programs / "learnae", "run", *wanted, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert CLASH in ended.stderr.splitlines()[-1]
    checked = run(programs / "learnae", "check", *wanted, check=False)
    assert checked.returncode == 1, "something is not as it should be"
    assert CLASH in checked.stdout


def test_who_wants_neither_is_a_peer_beside_them(programs: Path, run: Run, founded: tuple[str | Path, ...]) -> None:
    run(programs / "learnae", "check", *founded)
    ended = run(programs / "learnae", "run", *founded, "--until", "converged", "--quiet-period", "0.2", "--json")
    assert json.loads(ended.stdout)["reason"] == "converged"


@pytest.mark.parametrize("page", ["README.md", "plugins/localfs/README.md", "plugins/ipfs/README.md", "plugins/iota/README.md"])
def test_what_a_page_says_about_installing_works_in_a_clone(
    page: str, uv: str, make_venv: Callable[..., Path], constraints: Path, tmp_path: Path
) -> None:
    """With uv in the place of pip, which is quicker; pip itself installs the wheels below."""
    programs, shims = make_venv(), tmp_path / "shims"
    shims.mkdir()
    pip = shims / "pip"
    start = shlex.join([uv, "pip", "install", "--quiet", "--python", str(programs / "python"), "--constraints", str(constraints)])
    pip.write_text(f'#!/bin/sh\n[ "$1" = install ] && shift && exec {start} "$@"\n')
    pip.chmod(0o755)
    lines = [line for block in BLOCK.findall((ROOT / page).read_text()) for line in block.splitlines()]
    [command] = [line for line in lines if line.startswith("pip install ")]
    environment = {**os.environ, "PATH": os.pathsep.join([str(shims), str(programs), os.environ["PATH"]])}
    subprocess.run([shutil.which("bash") or "bash", "-ec", command], cwd=ROOT, env=environment, check=True, timeout=300)
    told = subprocess.run([programs / "learnae", "plugins", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    listed = json.loads(told.stdout)
    assert names(listed, "transport") == sorted(["memory", *re.findall(r"\./plugins/(\w+)", command)])
    assert listed["failures"] == []
    for wanted in re.findall(r"jax|parquet|figures", command):
        module = {"parquet": "pyarrow", "figures": "matplotlib"}.get(wanted, wanted)
        subprocess.run([programs / "python", "-c", f"import {module}"], cwd=tmp_path, check=True)


def test_an_unknown_name_lists_what_is_installed(programs: Path, run: Run) -> None:
    said = run(programs / "python", "-c", ask("plugins.get(Capability.TRANSPORT, 'pigeon')")).stdout
    assert said.startswith(
        "ProviderError: no transport named 'pigeon'; installed: localfs, memory, pigeons; did you mean 'pigeons'?"
    )
    assert "failed to load: broken" in said


def test_without_jax_its_framework_says_what_to_type(programs: Path, run: Run) -> None:
    said = run(programs / "python", "-c", ask("plugins.open(Capability.FRAMEWORK, 'jax', context)")).stdout
    assert said.startswith("ProviderError: ")
    assert "pip install 'learnae[jax]'" in said


def test_without_jax_numpy_trains(programs: Path, run: Run) -> None:
    code = "sorted(plugins.open(Capability.FRAMEWORK, 'numpy', context).initial_weights())[0]"
    assert run(programs / "python", "-c", ask(code)).stdout == "dense0/bias\n"


def test_plain_venv_and_pip_will_do(wheels: dict[str, Path], constraints: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "venv"
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(
        *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraints),
        *(wheels["learnae"], wheels["learnae-localfs"]),
    )
    listed = json.loads(run(folder / "bin" / "learnae", "plugins", "--json").stdout)
    assert names(listed, "transport") == ["localfs", "memory"]
    assert listed["failures"] == []


def test_the_plugin_for_ipfs_is_enough_of_a_ledger(
    wheels: dict[str, Path], make_venv: Callable[..., Path], run: Run, tmp_path: Path
) -> None:
    programs = make_venv(wheels["learnae"], wheels["learnae-ipfs"])
    listed = json.loads(run(programs / "learnae", "plugins", "--json").stdout)
    assert names(listed, "transport") == names(listed, "storage") == ["ipfs", "memory"]
    assert listed["failures"] == []
    assert "learnae ipfs address" in run(programs / "learnae", "ipfs", "address", "--help").stdout
    loaded = run(programs / "python", "-c", "import sys, learnae.cli.program, learnae_ipfs; print(*sys.modules)").stdout.split()
    assert not {"ipfshttpclient", "requests", "urllib3", "multiaddr"} & set(loaded)

    (tmp_path / "rows.csv").write_text("\n".join(["label,x", *(f"{row % 2},{row / 7:.3f}" for row in range(60))]) + "\n")
    run(
        *(programs / "learnae", "init", "--data", tmp_path / "rows.csv", "--label", "label", "--hidden", "4"),
        *("--framework", "numpy", "--out", tmp_path),
    )
    peer = ("--config", tmp_path / "learnae.toml", "--state", tmp_path / "state", "--transport", "ipfs")
    checked = run(programs / "learnae", "check", *peer, "--ipfs-program", tmp_path / "nowhere", check=False)
    assert checked.returncode == 1
    assert f"there is no program '{tmp_path}/nowhere' on this machine to run an IPFS daemon with" in checked.stdout
    assert not (tmp_path / "state").exists()
