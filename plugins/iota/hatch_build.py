"""Builds ``curl.c`` into the wheel where there is a C compiler; where there is none, the wheel is made without it.

``CC``, ``CFLAGS`` and ``LDFLAGS`` are heeded. ``CC=none`` makes the pure wheel, which runs anywhere.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

SOURCE = "curl.c"
LIBRARY = "_curl.so"
FOLDER = "learnae_iota/trinary"
"""Where both lie."""

_FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-fvisibility=hidden")
_LONGEST_S = 300.0


class CurlBuildHook(BuildHookInterface[Any]):
    """Builds the library: beside its source for an editable installation, else into the wheel alone."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, and mark the wheel with the platform if there is one."""
        folder = Path(self.root) / FOLDER
        self._folder = tempfile.TemporaryDirectory(prefix="learnae-iota-build-")
        library = (folder if version == "editable" else Path(self._folder.name)) / LIBRARY
        trouble = build_library(folder / SOURCE, library)
        if trouble:
            self.app.display_warning(f"learnae-iota is built without its C library: {trouble}. It works, more slowly.")
            return
        platform = next(tag.platform for tag in sys_tags() if "manylinux" not in tag.platform and "musllinux" not in tag.platform)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        if version != "editable":
            build_data["force_include"][str(library)] = f"{FOLDER}/{LIBRARY}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  # hatchling's signature
        """Remove what only the building needed."""
        self._folder.cleanup()


def build_library(source: Path, library: Path) -> str:
    """Build the library anew.

    Returns:
        Why there is none; empty if there is.
    """
    trouble = _build(source, library)
    if trouble:
        library.unlink(missing_ok=True)  # an older one would be of another source
    return trouble


def _build(source: Path, library: Path) -> str:
    if sys.platform == "win32":
        return "on Windows it is not built"
    command = _compiler()
    if command is None:
        return "there is no C compiler"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    unfinished = library.with_name(f"{library.name}.{os.getpid()}")
    flags = [*_FLAGS, *shlex.split(os.environ.get("CFLAGS", "")), f'-DLEARNAE_SOURCE="{digest}"']
    line = [*command, *flags, "-o", str(unfinished), str(source), *shlex.split(os.environ.get("LDFLAGS", ""))]
    try:
        subprocess.run(line, check=True, capture_output=True, timeout=_LONGEST_S)
        unfinished.replace(library)  # whoever has the old one loaded keeps it
    except (OSError, subprocess.SubprocessError) as exc:
        return f"{command[0]} failed: {exc}"
    finally:
        unfinished.unlink(missing_ok=True)
    return ""


def _compiler() -> list[str] | None:
    wanted = os.environ.get("CC")
    for line in [wanted] if wanted else ["cc", "gcc", "clang"]:
        command = shlex.split(line)
        if shutil.which(command[0]):
            return command
    return None
