"""What the tests of the frameworks share: contexts, and compiled programs in a temporary folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from learnae.interfaces.provider import Context
from learnae.values.ids import PeerId, SessionId
from learnae.values.manifest import Manifest

MakeContext = Callable[..., Context]


@pytest.fixture
def make_context(tmp_path: Path) -> MakeContext:
    """Write the context with which a framework is opened; programs are not kept unless the test says so."""

    def make(manifest: Manifest, **fields: Any) -> Context:
        return Context(
            manifest=manifest,
            session=SessionId("0" * 64),
            rendezvous="0" * 64,
            peer=PeerId("0" * 64),
            owner="0" * 64,
            state=tmp_path,
            **{"options": {"compilation_cache": "off"}, **fields},
        )

    return make


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where JAX keeps programs for this run: many tests, also of several modules, compile the same ones."""
    return tmp_path_factory.mktemp("jax")


@pytest.fixture(scope="module")
def compiled_once(programs: Path) -> Iterator[None]:
    """Let JAX keep the programs of one module's tests."""
    from learnae.builtins.jax_framework.compilation_cache import switch_compilation_cache

    switch_compilation_cache(str(programs))
    yield
    switch_compilation_cache("off")
