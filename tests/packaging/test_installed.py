"""LEARNAE as others get it: built wheels in fresh environments, with strangers' plugins beside it."""

import json
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
LISTING = "import msgspec; from learnae.plugins import Plugins; print(msgspec.json.encode(Plugins.discover().listing()).decode())"


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
    listed: dict[str, list[dict[str, object]]] = json.loads(run(programs / "python", "-c", LISTING).stdout)
    return listed


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
    assert "learnae-broken 2.5" in run(programs / "python", "-c", LISTING).stderr


def test_a_strangers_provider_opens_with_its_options(programs: Path, run: Run) -> None:
    assert run(programs / "python", "-c", ask("plugins.open(Capability.TRANSPORT, 'pigeons', context)")).stdout == "3\n"


def test_two_that_clash_are_both_named_and_only_where_they_are_wanted(programs: Path, run: Run) -> None:
    said = run(programs / "python", "-c", ask("plugins.get(Capability.STORAGE, 'cellar')")).stdout
    assert "2 plugins provide a storage named 'cellar': learnae-cellar 2.5 and learnae-vault 2.5; uninstall all but one" in said


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
    listed = json.loads(run(python, "-c", LISTING).stdout)
    assert names(listed, "transport") == ["localfs", "memory"]
    assert listed["failures"] == []
