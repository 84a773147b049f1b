"""PyOTA is imported on today's Python, and what is wrong with it is said."""

import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest
from learnae_iota.nodes import pyota
from learnae_iota.nodes.pyota import PyotaClient, import_pyota

from learnae.errors import ProviderError, UsageError

INSTALL = "pip install --no-deps pyota==2.1.0"


def test_it_is_imported_and_leaves_no_trace() -> None:
    script = """
import sys, warnings
warnings.simplefilter("error")
before = dict(sys.modules)
from learnae_iota.nodes.pyota import import_pyota
iota = import_pyota()
assert iota.__version__ == "2.1.0"
assert iota is import_pyota()
assert "pkg_resources" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_real_pkg_resources_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    real = object()
    monkeypatch.setitem(sys.modules, "pkg_resources", real)
    for name in [name for name in sys.modules if name == "iota" or name.startswith("iota.")]:
        monkeypatch.delitem(sys.modules, name)
    assert import_pyota().__version__ == "2.1.0"
    assert sys.modules["pkg_resources"] is real


def test_the_plain_client_needs_nothing_of_it() -> None:
    unwanted = "{'iota', 'requests', 'urllib3', 'learnae_iota.nodes.pyota'}"
    script = f"import learnae_iota.tangle.tangle, sys; assert not {unwanted} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_missing_one_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(pyota.metadata, "version", missing)
    with pytest.raises(ProviderError, match="PyOTA is not installed; type: pip install ") as caught:
        PyotaClient("http://127.0.0.1:14265")
    assert INSTALL in str(caught.value)


def test_another_version_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyota.metadata, "version", lambda _: "3.1.0b1")
    with pytest.raises(ProviderError, match=r"PyOTA 3\.1\.0b1 is installed, and 2\.1\.0 is needed") as caught:
        import_pyota()
    assert INSTALL in str(caught.value)


def test_one_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "iota" or name.startswith("iota.")]:
        monkeypatch.delitem(sys.modules, name)

    def broken(_: str) -> Any:
        raise ImportError("No module named 'sha3'")

    monkeypatch.setattr(pyota.importlib, "import_module", broken)
    with pytest.raises(ProviderError, match=r"cannot be imported \(No module named 'sha3'\); type: pip install") as caught:
        import_pyota()
    assert INSTALL in str(caught.value)


def test_it_knows_its_commands() -> None:
    client = PyotaClient("http://127.0.0.1:14265")
    with pytest.raises(UsageError, match="no command 'getEverything'"):
        client.ask("getEverything", {})
    client.close()
