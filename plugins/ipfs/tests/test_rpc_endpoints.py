"""What an operator types for a daemon's RPC address, and for authentication."""

import pytest
from learnae_ipfs.endpoints import read_authorization, read_endpoint
from learnae_ipfs.kubo import Endpoint, Kubo
from learnae_ipfs.kubo.calls import Calls

from learnae.errors import ConfigError


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("/ip4/127.0.0.1/tcp/5001", "/ip4/127.0.0.1/tcp/5001"),
        ("/ip4/127.0.0.1/tcp/5001/http", "/ip4/127.0.0.1/tcp/5001"),
        ("/ip6/::1/tcp/5001", "/ip6/::1/tcp/5001"),
        ("/dns/ipfs.example/tcp/443/https", "/dns/ipfs.example/tcp/443/https"),
        ("/dns4/ipfs.example/tcp/443/tls/http", "/dns4/ipfs.example/tcp/443/https"),
        ("/dns6/node-1/tcp/5001", "/dns6/node-1/tcp/5001"),
        ("http://127.0.0.1:5001", "/ip4/127.0.0.1/tcp/5001"),
        ("http://127.0.0.1:5001/", "/ip4/127.0.0.1/tcp/5001"),
        ("http://127.0.0.1:5001/api/v0", "/ip4/127.0.0.1/tcp/5001"),
        ("http://[::1]:5001", "/ip6/::1/tcp/5001"),
        ("http://localhost", "/dns/localhost/tcp/80"),
        ("https://ipfs.example", "/dns/ipfs.example/tcp/443/https"),
        ("https://ipfs.example:8443", "/dns/ipfs.example/tcp/8443/https"),
        ("/unix/run/ipfs.sock", "/unix/run/ipfs.sock"),
        ("unix:///run/ipfs.sock", "/unix/run/ipfs.sock"),
        ("unix:///run/with%20space.sock", "/unix/run/with space.sock"),
    ],
)
def test_addresses(typed: str, address: str) -> None:
    endpoint = read_endpoint(typed)
    assert endpoint == Endpoint(address)
    Calls(endpoint, timeout_s=1.0).close()  # the client takes it as well


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "127.0.0.1:5001",
        "localhost",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/tcp",
        "/ip4/127.0.0.1/tcp/",
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/127.0.0.1/tcp/65536",
        "/ip4/127.0.0.1/tcp/\u0665\u0660\u0660\u0661",
        "/ip4/127.0.0.1/tcp/5001/p2p/12D3KooW",
        "/ip4/127.0.0.1/tcp/5001/",
        "/ip4/127.0.0.1/udp/5001/quic-v1",
        "/ip4/::1/tcp/5001",
        "/ip6/127.0.0.1/tcp/5001",
        "/ip6/fe80::1%eth0/tcp/5001",
        "/ip4/127.0.0.999/tcp/5001",
        "/dns/a b/tcp/5001",
        "/dns//tcp/5001",
        "/dns/node_1/tcp/5001",
        "/dns/a..b/tcp/5001",
        "/dnsaddr/bootstrap.libp2p.io",
        "ftp://127.0.0.1:5001",
        "http://",
        "http://:5001",
        "http://127.0.0.1:port",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:5001/some/where",
        "http://127.0.0.1:5001/?a=b",
        "http://127.0.0.1:5001/#a",
        "http://ex\nample:5001",
        "http://bücher.example:5001",
        "http://127.0.0.999:5001",
        "unix://relative.sock",
        "unix://",
        "/unix/",
        "/unix/" + "x" * 200,
        "/unix/a\x00b",
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_endpoint(typed)
    assert "accepted are" in str(caught.value) or "at most" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="--ipfs-auth-file") as caught:
        read_endpoint("https://user:secret@ipfs.example")
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        read_endpoint("ftp://user:secret@ipfs.example")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "header"),
    [
        ("bearer:abc.DEF-123", "Bearer abc.DEF-123"),
        ("basic:user:pass:word", "Basic dXNlcjpwYXNzOndvcmQ="),
        ("basic:user:", "Basic dXNlcjo="),
        ("basic:bücher:pässword", "Basic YsO8Y2hlcjpww6Rzc3dvcmQ="),
        ("basic:dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
    ],
)
def test_authorizations(typed: str, header: str) -> None:
    assert read_authorization(typed) == header
    assert read_endpoint("http://127.0.0.1:5001", typed).authorization == header


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "token",
        "Bearer s3cret",
        "bearer:",
        "bearer:s3c ret",
        "bearer:s3cret\r\nX: y",
        "basic:",
        "basic::s3cret",
        "basic:a:s3cret\n",
    ],
)
def test_what_is_no_authorization_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(ConfigError, match="bearer:TOKEN") as caught:
        read_authorization(typed)
    assert "s3c" not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    assert "abc" not in repr(read_endpoint("http://127.0.0.1:5001", "bearer:abc"))


@pytest.mark.parametrize("address", ["", "nonsense", "/ip4/127.0.0.1", "/ip4/127.0.0.1/udp/5001", "/onion3/abc:1"])
def test_a_client_refuses_what_it_cannot_use(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        Kubo(Endpoint(address))
