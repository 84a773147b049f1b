"""The help, the manual, and how quick both are."""

import re
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import learnae_iota
import learnae_ipfs
import learnae_localfs
import pytest
import typer.main

from learnae.builtins import jax_framework, memory, numpy_framework
from learnae.cli.program import make_app
from learnae.cli.reference import reference
from learnae.cli.settings_options import NAMES, setting_options
from learnae.config.schema import every_setting
from learnae.plugins.facade import Plugins

Run = Callable[..., subprocess.CompletedProcess[str]]
MANUAL = Path(__file__).parents[2] / "docs" / "cli.md"
OURS = Plugins.of(learnae_iota, learnae_ipfs, learnae_localfs, memory, jax_framework, numpy_framework)
GROUP: Any = typer.main.get_group(make_app(OURS))
COMMANDS = tuple(
    f"{name} {below}".strip() for name, command in GROUP.commands.items() for below in getattr(command, "commands", [""])
)
FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


def options_of(help_text: str) -> set[str]:
    """Find the options that a help lists: what begins its indented lines."""
    listed = [line.partition("   ")[0] if "   " in line.strip() else line for line in map(str.strip, help_text.splitlines())]
    return {flag for line in listed if line.startswith("-") for flag in FLAG.findall(line)}


def section_of(command: str) -> str:
    """Find what the manual's reference says of a command."""
    _, _, rest = MANUAL.read_text(encoding="utf-8").partition(f"### learnae {command}\n")
    return rest.partition("\n### ")[0]


def test_the_manual_has_the_reference_of_this_program() -> None:
    assert reference(OURS) in MANUAL.read_text(encoding="utf-8"), f"put this into {MANUAL.name}:\n\n{reference(OURS)}"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manual_has_the_options_of_the_real_help(command: str, learnae: Run) -> None:
    section = section_of(command)
    written = {flag for row in re.findall(r"^\| `(-.*?)` \|", section, re.MULTILINE) for flag in FLAG.findall(row)}
    also = re.search(r"^And these of \[`learnae run`\]\(#learnae-run\): (.*)\.$", section, re.MULTILINE)
    for heading in also[1].split(", ") if also else ():
        _, _, table = section_of("run").partition(f"| {heading} | |\n")
        rows = re.findall(r"^\| `(-.*?)` \|", table.partition("\n\n")[0], re.MULTILINE)
        assert rows, heading
        written |= {flag for row in rows for flag in FLAG.findall(row)}
    asked = learnae(*command.split(), "--help")
    assert asked.returncode == 0
    assert options_of(asked.stdout) == written
    assert written


def test_the_manual_names_every_command(learnae: Run) -> None:
    asked = learnae("--help").stdout
    for command in COMMANDS:
        assert f"| `learnae {command}` |" in MANUAL.read_text(encoding="utf-8")
        assert re.search(rf"^  {command.split()[0]} ", asked, re.MULTILINE)


def test_exit_statuses_are_in_the_help(learnae: Run) -> None:
    asked = " ".join(learnae("-h").stdout.split())
    assert "Exit status: 0 done; 1 `learnae check` found something missing" in asked


def test_every_setting_has_one_option() -> None:
    options = setting_options(OURS)
    keys = [key for option in options for key in option.keys]
    assert {setting.key for setting in every_setting()} <= set(keys)
    flags = [flag for option in options for flag in option.flag.split("/")]
    assert len(flags) == len(set(flags))
    assert set(NAMES) <= set(keys)


def test_help_is_quick(learnae: Run) -> None:
    """The promise is 0.4 s on a machine that does nothing else, so the processor's time is what counts here."""

    def measured() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        learnae("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(measured() for _ in range(3)) < 0.4


def test_help_imports_nothing_heavy(folder: Path) -> None:
    code = """
        import sys
        from learnae.cli.program import make_app
        from learnae.plugins.facade import Plugins

        make_app(Plugins.discover())
        print(*sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    loaded = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "rich", "jax", "matplotlib", "sqlite3", "cryptography"} & set(loaded)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_and_installed(shell: str, learnae: Run, folder: Path) -> None:
    env = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(folder / "home")}
    shown = learnae("--show-completion", shell, env=env)
    assert shown.returncode == 0, shown.stderr
    assert f"_LEARNAE_COMPLETE=complete_{shell}" in shown.stdout
    installed = learnae("--install-completion", shell, env=env)
    assert installed.returncode == 0, installed.stderr
    assert any(path.is_file() for path in (folder / "home").rglob("*"))


def test_completion_completes(learnae: Run) -> None:
    asked = learnae(env={"_LEARNAE_COMPLETE": "complete_bash", "COMP_WORDS": "learnae re", "COMP_CWORD": "1"})
    assert asked.stdout.split() == ["report"]


def test_the_version(inside: Run) -> None:
    assert inside("--version").stdout == f"learnae {version('learnae')}\n"
