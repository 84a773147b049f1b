"""Finds the program ``ipfs``, and says how to get it where there is none. Nothing here contacts anybody."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from learnae.errors import ProviderError
from learnae.interfaces.provider import Finding
from learnae_ipfs.daemon.environment import clean_environment
from learnae_ipfs.daemon.errands import run_errand
from learnae_ipfs.daemon.versions import NEWEST, is_untested, read_version, refuse_old, written
from learnae_ipfs.settings import IpfsSettings

OFFICIAL = "https://dist.ipfs.tech/#kubo"
_NO_REPOSITORY = "/nonexistent/learnae"
_PATIENCE_S = 20.0
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "riscv64": "riscv64"}


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can run a daemon.

    Attributes:
        path: Absolute.
        version: Such as ``0.43.0``.
        repository: The version of the repositories that it works with, such as 18.
    """

    path: Path
    version: str
    repository: int


def find_program(name: str, *, is_closing: Callable[[], bool] = lambda: False) -> Program:
    """Find the program by path or by name, and ask it for its version.

    Args:
        name: With a slash in it, a path; else a name that is looked up in ``PATH``.
        is_closing: Says whether nobody waits for the answer any more.

    Raises:
        ProviderError: It is not there, is none, or is too old; the message says what to do.
        UnavailableError: Nobody waits for the answer any more.
    """
    program = _ask(path_of_program(name), is_closing)
    refuse_old(program.version, str(program.path))
    return program


def path_of_program(name: str) -> Path:
    """Find the program without starting it.

    Args:
        name: As for ``find_program``.

    Raises:
        ProviderError: It is not there; the message says what to do.
    """
    path = shutil.which(Path(name).expanduser().absolute()) if os.sep in name else shutil.which(name)
    if path is None:
        raise ProviderError(f"there is no program {name!r} on this machine to run an IPFS daemon with; {how_to_get_it()}")
    return Path(path).absolute()


def _ask(path: Path, is_closing: Callable[[], bool]) -> Program:
    command = [str(path), "version", "--enc=json"]
    # A repository of the operator's own, with its plugins, is none of our business.
    environment = clean_environment() | {"IPFS_PATH": _NO_REPOSITORY}
    try:
        done = run_errand(command, environment=environment, patience_s=_PATIENCE_S, is_closing=is_closing)
    except TimeoutError as exc:
        raise ProviderError(f"{path} does not say its version within {_PATIENCE_S:.0f} s; {how_to_get_it()}") from exc
    except OSError as exc:
        raise ProviderError(f"{path} cannot be started: {exc.strerror}; {how_to_get_it()}") from exc
    try:
        said = json.loads(done.output)
        version, repository = said["Version"], int(said["Repo"])
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise ProviderError(f"{path} is not Kubo: it does not say its version as Kubo does; {how_to_get_it()}") from exc
    if not isinstance(version, str) or not 0 < len(version) <= 100 or not version.isprintable():
        raise ProviderError(f"{path} is not Kubo: it does not say its version as Kubo does; {how_to_get_it()}")
    return Program(path, version, repository)


def how_to_get_it(system: str = sys.platform, machine: str | None = None) -> str:
    """Say how to get the program on this system, in one sentence.

    Args:
        system: As ``sys.platform`` names it.
        machine: As ``platform.machine()`` names it; ``None`` for this one.
    """
    architecture = _ARCHITECTURES.get((machine or platform.machine()).lower())
    later = "or name one with --ipfs-program"
    if system == "darwin":
        archive = f"kubo_..._darwin-{architecture or 'arm64'}.tar.gz"
        return f"to get it, type `brew install ipfs`, or unpack {archive} from {OFFICIAL}, {later}"
    if system.startswith("linux"):
        if architecture is None:
            processor = machine or platform.machine()
            return f"there is none to download for this processor ({processor}): build it as {OFFICIAL} says, {later}"
        unpack = f"unpack kubo_..._linux-{architecture}.tar.gz from {OFFICIAL} and run its install.sh"
        snap = ", or type `sudo snap install ipfs`" if shutil.which("snap") else ""
        return f"to get it, {unpack}{snap}, {later}"
    return f"to get it, see {OFFICIAL}, {later}"


def look_at_program(settings: IpfsSettings) -> Sequence[Finding]:
    """Say for ``learnae check`` whether the program is there and of which version; changes nothing."""
    try:
        program = find_program(settings.program)
    except ProviderError as exc:
        what, _, advice = str(exc).partition("; ")
        return [Finding(False, what, advice)]
    findings = [Finding(True, f"{program.path} is Kubo {program.version}")]
    if is_untested(program.version):
        newest = written(NEWEST)
        unknown = read_version(program.version) is None
        text = f"Kubo {program.version} is {'of an unknown kind' if unknown else 'newer than any that was tested'} ({newest})"
        findings.append(Finding(True, text))
    return findings
