"""The vectors, made with the deployed libraries, the kernels that are there, and nodes.

``HORNET_BINARY`` names a HORNET 0.5.6; without it, what needs one is skipped.
"""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from learnae_iota.settings import TangleSettings
from learnae_iota.tangle.tangle import Tangle, open_tangle
from learnae_iota.trinary import compiled
from learnae_iota.trinary.compiled import LIBRARY, SOURCE, load_compiled
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.pure import PureKernel

# pytest's import mode knows no imports between test modules.
sys.path.insert(0, str(Path(__file__).parent))

from ledger_rig import development_tangle
from tangle_rig import Hornet, ScriptedNode

PLUGIN = Path(__file__).parents[1]
VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "mam-v0.json").read_text())


def build_library() -> Callable[[Path, Path], str]:
    """The build's own function."""
    spec = importlib.util.spec_from_file_location("learnae_iota_build", PLUGIN / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    built: Callable[[Path, Path], str] = module.build_library
    return built


def _kernels() -> Iterator[Kernel]:
    """Pure, and compiled from the source as it is now, wherever there is a compiler."""
    yield PureKernel()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / SOURCE).write_bytes(Path(compiled.__file__).with_name(SOURCE).read_bytes())
        build_library()(folder / SOURCE, folder / LIBRARY)
        built = load_compiled(folder)
    if built is not None:
        yield built


KERNELS = list(_kernels())


@pytest.fixture(params=[pytest.param(kernel, id=kernel.name) for kernel in KERNELS])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    chosen: Kernel = request.param
    return chosen


@pytest.fixture(scope="session")
def kernels() -> list[Kernel]:
    return KERNELS


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    return VECTORS


@pytest.fixture(scope="session")
def build() -> Callable[[Path, Path], str]:
    return build_library()


@pytest.fixture
def scripted() -> Iterator[ScriptedNode]:
    """A node that answers as the test says."""
    node = ScriptedNode()
    yield node
    node.close()


@pytest.fixture(scope="session")
def hornet_program() -> Path:
    """HORNET 0.5.6."""
    named = os.environ.get("HORNET_BINARY")
    if not named:
        pytest.skip("HORNET_BINARY does not name a HORNET 0.5.6")
    found = shutil.which(named)
    if found is None:
        pytest.skip(f"HORNET_BINARY names {named}, and that is no program")
    return Path(found).absolute()


@pytest.fixture(scope="module")
def hornet(hornet_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hornet]:
    """A real node and its coordinator: a private tangle of weight magnitude 3, for as long as a module: it lives 17 minutes."""
    node = Hornet(hornet_program, tmp_path_factory.mktemp("hornet"))
    yield node
    node.close()


@pytest.fixture
def settings() -> Iterator[TangleSettings]:
    """How a development node is reached."""
    with development_tangle() as told:
        yield told


@pytest.fixture
def tangle(settings: TangleSettings) -> Iterator[Tangle]:
    """The same, as a client."""
    opened = open_tangle(settings.nodes, weight=settings.weight)
    yield opened
    opened.close()
