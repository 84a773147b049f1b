"""A program that runs for a short errand is bounded, and leaves nothing behind."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from kubo_rig import until
from learnae_ipfs.daemon.errands import MAX_OUTPUT_BYTES, Done, run_errand

from learnae.errors import UnavailableError


def _run(
    code: str, folder: Path, *, patience_s: float = 60.0, is_closing: Callable[[], bool] = lambda: False, complaints: bool = False
) -> Done:
    command = ["/bin/sh", "-c", code]
    return run_errand(
        command, environment=os.environ, folder=folder, patience_s=patience_s, is_closing=is_closing, complaints=complaints
    )


def _is_gone(file: Path) -> bool:
    try:
        return psutil.Process(int(file.read_text())).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_says_how_it_ended_and_what_it_said(tmp_path: Path) -> None:
    code = "echo one; echo two >&2; exit 3"
    assert _run(code, tmp_path) == Done(3, b"one\n")
    assert _run(code, tmp_path, complaints=True) == Done(3, b"one\ntwo\n")
    assert _run("exec >&-; exit 0", tmp_path) == Done(0, b"")


def test_only_the_end_of_much_talk_is_kept(tmp_path: Path) -> None:
    done = _run("head -c 3000000 /dev/zero; echo end", tmp_path)
    assert done.output == bytes(MAX_OUTPUT_BYTES - 4) + b"end\n"


@pytest.mark.parametrize("end", ["sleep 600", "yes", "exec >&-; sleep 600"])
def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    began = iter([0.0])  # what is asked first is when it begins, though the child may be there by then
    now = lambda: next(began, 100.0 if (tmp_path / "child").exists() else 0.0)  # noqa: E731
    monkeypatch.setattr("learnae_ipfs.daemon.errands.time", SimpleNamespace(monotonic=now))
    with pytest.raises(TimeoutError):
        _run(f"echo $$ > leader; sleep 600 & echo $! > new; mv new child; {end}", tmp_path)
    for name in ("leader", "child"):
        until(lambda name=name: _is_gone(tmp_path / name), "end of a process")


def test_one_that_nobody_waits_for_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(UnavailableError, match="the peer is ending"):
        _run("sleep 600 & echo $! > new; mv new child; wait", tmp_path, is_closing=child.exists)
    until(lambda: _is_gone(child), "end of a process")


def test_a_child_that_it_leaves_behind_is_ended_and_not_waited_for(tmp_path: Path) -> None:
    assert _run("sleep 600 & echo $! > child; echo done", tmp_path) == Done(0, b"done\n")
    until(lambda: _is_gone(tmp_path / "child"), "end of a process")
