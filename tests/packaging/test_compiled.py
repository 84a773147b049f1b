"""The plugin with a part in C, as others get it: with a compiler, and without one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STREAM = """
from learnae_iota import Channel, Reader, choose_kernel, create, decode_bytes, encode_bytes
signed = create(Channel("A" * 81), encode_bytes(b"21.5"))
print(choose_kernel().name, decode_bytes(Reader(signed.root).parse(signed.payload).trytes).decode())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("compiler", ["", "none"])
def test_messages_pass_with_a_compiler_and_without_one(
    compiler: str, wheels: dict[str, Path], make_venv: Callable[..., Path], uv: str, run: Run, tmp_path: Path
) -> None:
    wheel = wheels["learnae-iota"]
    if compiler:
        shutil.copytree(ROOT / "plugins" / "iota", tmp_path / "iota")  # a folder that an editable installation may have built in
        run("env", f"CC={compiler}", uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, tmp_path / "iota")
        (wheel,) = tmp_path.glob("*.whl")
        assert wheel.name.endswith("-py3-none-any.whl")
    programs = make_venv(wheels["learnae"], wheel)
    kernel = "pure" if compiler or wheel.name.endswith("-any.whl") else "compiled"
    assert run(programs / "python", "-W", "error", "-c", STREAM).stdout == f"{kernel} 21.5\n"


def test_a_sensor_needs_nothing_else(wheels: dict[str, Path], make_venv: Callable[..., Path], run: Run) -> None:
    programs = make_venv(wheels["learnae"], wheels["learnae-iota"])
    assert "Stream readings." in run(programs / "learnae", "sensor", "stream", "--help").stdout
    listing = "import importlib.metadata as found; print(*(each.name for each in found.distributions()))"
    installed = run(programs / "python", "-c", listing).stdout.split()
    assert not {"jax", "pyota", "requests", "ipfshttpclient", "learnae-ipfs"} & set(installed)
    missing = "from learnae_iota.nodes.client import open_client; open_client('http://127.0.0.1:9', 'pyota')"
    said = run(programs / "python", "-c", missing, check=False).stderr
    assert "ProviderError" in said
    assert "pip install --no-deps pyota==2.1.0" in said
