"""A port is chosen once, kept, and only changed if it must be."""

import socket
from pathlib import Path

import pytest
from learnae_ipfs.daemon.ports import CHOICE, choose_port, is_address_of_ours, is_free

from learnae.errors import UnavailableError

HERE = "127.0.0.1"


def test_a_port_is_chosen_once_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "port"
    port, sentence = choose_port(0, file, HERE)
    assert port in CHOICE
    assert sentence is None
    assert choose_port(0, file, HERE) == (port, None)
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_one_that_is_taken_is_no_more_used(tmp_path: Path, kind: socket.SocketKind) -> None:
    file = tmp_path / "port"
    port, _ = choose_port(0, file, HERE)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HERE, port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        assert not is_free(port, HERE)
        other, sentence = choose_port(0, file, HERE)
        assert other != port
        assert f"from now on it is {other}" in (sentence or "")
        with pytest.raises(UnavailableError, match=rf"port {port} is used by another program"):
            choose_port(port, file, HERE)
    assert choose_port(0, file, HERE) == (other, None)
    assert choose_port(port, file, HERE) == (port, None)
    assert choose_port(0, file, HERE) == (port, None)


@pytest.mark.parametrize("content", [b"", b"junk", b"0", b"70000", b"-1", b"1" * 50, b"\xff"])
def test_junk_in_the_file_is_as_good_as_nothing(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "port"
    file.write_bytes(content)
    port, sentence = choose_port(0, file, HERE)
    assert port in CHOICE
    assert sentence is None


def test_an_address_must_be_this_machines(tmp_path: Path) -> None:
    assert is_address_of_ours(HERE)
    assert is_address_of_ours("::1") or not socket.has_ipv6
    assert not is_address_of_ours("192.0.2.1")
    with pytest.raises(UnavailableError, match=r"192\.0\.2\.1 is no IP address of this machine"):
        choose_port(0, tmp_path / "port", "192.0.2.1")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be written"):
        choose_port(0, tmp_path / "gone" / "port", HERE)
