"""The program is found and asked, and what to do is said where there is none."""

import textwrap
from pathlib import Path

import pytest
from learnae_ipfs.daemon.environment import clean_environment, daemon_environment
from learnae_ipfs.daemon.program import find_program, how_to_get_it, look_at_program, path_of_program
from learnae_ipfs.settings import IpfsSettings

from learnae.errors import ProviderError


def _script(folder: Path, body: str) -> Path:
    program = folder / "ipfs"
    program.write_text("#!/bin/sh\n" + textwrap.dedent(body))
    program.chmod(0o755)
    return program


def test_real_ones_are_found_by_path_and_by_name(any_kubo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = find_program(str(any_kubo))
    assert program.path == any_kubo
    assert program.repository in {16, 18}
    (tmp_path / "my-ipfs").symlink_to(any_kubo)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert find_program("my-ipfs").path == tmp_path / "my-ipfs"
    assert find_program("my-ipfs").version == program.version


def test_the_operators_own_repository_is_let_alone(any_kubo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("this is no configuration")
    monkeypatch.setenv("IPFS_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_program(str(any_kubo)).version
    assert [file.name for file in tmp_path.iterdir()] == ["config"]


@pytest.mark.parametrize("name", ["no-such-ipfs", "/no/such/ipfs", "./ipfs"])
def test_none_is_said_with_the_way_to_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for find in (find_program, path_of_program):
        with pytest.raises(ProviderError, match=rf"there is no program '{name}' on this machine.*; to get it.*--ipfs-program"):
            find(name)


@pytest.mark.parametrize(
    "body",
    [
        "exit 1",
        "echo hello",
        "echo '{}'",
        "echo '[]'",
        """echo '{"Version": 1, "Repo": "18"}'""",
        """echo '{"Version": "0.43.0", "Repo": "many"}'""",
        """printf '{"Version": "a\\\\nb", "Repo": "18"}'""",
        "head -c 1000000 /dev/zero",
    ],
)
def test_other_programs_are_none(tmp_path: Path, body: str) -> None:
    with pytest.raises(ProviderError, match="is not Kubo: it does not say its version as Kubo does"):
        find_program(str(_script(tmp_path, body)))


def test_one_that_hangs_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnae_ipfs.daemon.program._PATIENCE_S", 0.2)
    with pytest.raises(ProviderError, match="does not say its version within"):
        find_program(str(_script(tmp_path, "exec sleep 60")))


def test_one_for_another_machine_is_none(tmp_path: Path) -> None:
    program = tmp_path / "ipfs"
    program.write_bytes(b"\x7fELF" + bytes(100))
    program.chmod(0o755)
    with pytest.raises(ProviderError, match="cannot be started: Exec format error"):
        find_program(str(program))


def test_an_old_one_is_refused(tmp_path: Path) -> None:
    program = _script(tmp_path, """echo '{"Version": "0.20.0", "Repo": "13"}'""")
    with pytest.raises(ProviderError, match=rf"{program} is Kubo 0\.20\.0, and 0\.32 is the oldest"):
        find_program(str(program))


def test_what_check_says(tmp_path: Path) -> None:
    program = _script(tmp_path, """echo '{"Version": "0.43.0", "Repo": "18"}'""")
    assert [(each.ok, each.text) for each in look_at_program(IpfsSettings(program=str(program)))] == [
        (True, f"{program} is Kubo 0.43.0")
    ]
    _script(tmp_path, """echo '{"Version": "0.99.0", "Repo": "99"}'""")
    assert [each.ok for each in look_at_program(IpfsSettings(program=str(program)))] == [True, True]
    _script(tmp_path, """echo '{"Version": "0.2.0", "Repo": "1"}'""")
    (old,) = look_at_program(IpfsSettings(program=str(program)))
    assert not old.ok
    assert "install a newer one" in old.advice
    (none,) = look_at_program(IpfsSettings(program="no-ipfs"))
    assert not none.ok
    assert none.text == "there is no program 'no-ipfs' on this machine to run an IPFS daemon with"
    assert none.advice.startswith("to get it")


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "linux-amd64.tar.gz"),
        ("linux", "aarch64", "linux-arm64.tar.gz"),
        ("linux", "armv6l", "none to download for this processor (armv6l)"),
        ("darwin", "arm64", "brew install ipfs"),
        ("darwin", "x86_64", "darwin-amd64.tar.gz"),
        ("freebsd14", "amd64", "https://dist.ipfs.tech"),
    ],
)
def test_the_way_to_one_is_this_systems(system: str, machine: str, expected: str) -> None:
    sentence = how_to_get_it(system, machine)
    assert expected in sentence
    assert "https://dist.ipfs.tech/#kubo" in sentence
    assert sentence.endswith("or name one with --ipfs-program")


def test_what_was_set_for_other_daemons_does_not_reach_ours(tmp_path: Path) -> None:
    theirs = {
        "IPFS_PATH": "/home/me/.ipfs",
        "IPFS_HTTP_ROUTERS": "https://delegated.example",
        "LIBP2P_FORCE_PNET": "1",
        "GOLOG_LOG_LEVEL": "debug",
        "OTEL_TRACES_EXPORTER": "otlp",
        "LISTEN_FDS": "3",
        "API_ORIGIN": "*",
    }
    ours = {"PATH": "/bin", "LANG": "C", "GOMAXPROCS": "2"}
    assert clean_environment(theirs | ours) == ours | {"IPFS_TELEMETRY": "off"}
    keyed, open_to_all = (daemon_environment(tmp_path, keyed=keyed, memory_mib=100) for keyed in (True, False))
    assert keyed["LIBP2P_FORCE_PNET"] == "1"
    assert "LIBP2P_FORCE_PNET" not in open_to_all
    assert (keyed["IPFS_PATH"], keyed["GOMEMLIMIT"]) == (str(tmp_path), "100MiB")
