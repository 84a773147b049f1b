"""The compiled kernel is built where there is a compiler, and left out where there is none."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from learnae_iota import KernelName, choose_kernel
from learnae_iota.trinary import compiled
from learnae_iota.trinary.compiled import LIBRARY, SOURCE, load_compiled
from learnae_iota.trinary.pure import PureKernel

from learnae.errors import UsageError

ORIGIN = Path(compiled.__file__).with_name(SOURCE)
Build = Callable[[Path, Path], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ORIGIN, tmp_path)
    return tmp_path


def test_with_a_compiler_there_is_a_library(folder: Path, build: Build) -> None:
    trouble = build(folder / SOURCE, folder / LIBRARY)
    kernel = load_compiled(folder)
    assert (kernel is not None) == (trouble == "")
    assert kernel is None or kernel.name == "compiled"
    assert {path.name for path in folder.iterdir()} <= {SOURCE, LIBRARY}


@pytest.mark.parametrize(("compiler", "trouble"), [("none", "no C compiler"), ("false", "false failed")])
def test_without_one_an_old_library_goes(
    folder: Path, build: Build, monkeypatch: pytest.MonkeyPatch, compiler: str, trouble: str
) -> None:
    (folder / LIBRARY).write_bytes(b"of another source")
    monkeypatch.setenv("CC", compiler)
    assert trouble in build(folder / SOURCE, folder / LIBRARY)
    assert [path.name for path in folder.iterdir()] == [SOURCE]


def test_a_library_of_another_source_is_not_used(folder: Path, build: Build) -> None:
    build(folder / SOURCE, folder / LIBRARY)
    with (folder / SOURCE).open("a") as source:
        source.write("\n")
    assert load_compiled(folder) is None


def test_what_is_no_library_is_not_used(folder: Path) -> None:
    assert load_compiled(folder) is None
    (folder / LIBRARY).write_bytes(b"no library")
    assert load_compiled(folder) is None


def test_the_choice_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_kernel("pure").name == "pure"
    assert choose_kernel().name == ("pure" if load_compiled() is None else "compiled")
    with pytest.raises(UsageError, match="no kernel named 'quick'; there are: auto, pure, compiled"):
        choose_kernel("quick")
    monkeypatch.setattr(compiled, "load_compiled", lambda: None)
    assert isinstance(choose_kernel(KernelName.AUTO), PureKernel)
    with pytest.raises(UsageError, match="the compiled kernel was not built"):
        choose_kernel(KernelName.COMPILED)
