"""Ctrl-C in the first moments of the program, at the very moment at which a module of it is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from learnae.values.manifest import Manifest

INTERRUPT_WHILE_LOADING = """
import os, signal, sys

asked = sys.argv[1]
sys.argv[:] = ["learnae", "run", "--folder", "shared", "--state", "a"]

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == asked:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.default_int_handler)
from learnae.cli import main
main()
"""


@pytest.mark.parametrize(
    "module",
    [
        pytest.param("learnae.cli.program", id="the-commands"),
        pytest.param("learnae_localfs", id="a-plugin"),
        pytest.param("learnae.runtime.running", id="a-peer"),
    ],
)
def test_while_the_program_is_loaded_it_ends_without_a_word(folder: Path, session: Manifest, module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPT_WHILE_LOADING, module],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_while_a_provider_is_opened_it_ends_when_that_is_done(folder: Path, session: Manifest) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPT_WHILE_LOADING, "learnae_localfs.storage"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.startswith("Interrupted before it had begun; nothing is lost. To go on: learnae run ")
    assert ended.stderr.count("\n") == 1
