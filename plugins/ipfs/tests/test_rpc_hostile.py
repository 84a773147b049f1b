"""What answers at an RPC address may be broken, or somebody else: every reading is bounded, and every failure one of ours."""

import asyncio
import datetime
import gc
import gzip
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from exchanges.cases import CASES, outcome
from exchanges.replaying import recording
from learnae_ipfs.kubo import Endpoint, Kubo, calls, rpc, wire
from learnae_ipfs.kubo import client as kubo
from learnae_ipfs.kubo.answers import RefusedError
from learnae_ipfs.kubo.rpc import MAX_ERROR_BYTES
from scripted_daemon import Script, ScriptedDaemon, Visit

from learnae.errors import ConfigError, DamagedError, NotFoundError, TooLargeError, UnavailableError, WorldError

CID = wire.raw_cid(b"some file")
BUFFERED = 24 * 2**20
"""What the system may hold of what was sent and never read."""

MEBIBYTE = b"x" * 2**20


def ask(daemon: ScriptedDaemon, call: Callable[[Kubo], Any], *, timeout_s: float = 5.0, authorization: str | None = None) -> Any:
    """Make a call of a scripted daemon."""

    async def run() -> Any:
        client = Kubo(Endpoint(daemon.address, authorization), timeout_s=timeout_s)
        try:
            return await call(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


def cat(client: Kubo) -> Any:
    return client.cat(CID, max_bytes=1000, patience_s=0.2)


def version(client: Kubo) -> Any:
    return client.version()


BODIES = {
    "nothing": b"",
    "half": b'{"Version": "0.4',
    "null": b"null",
    "list": b"[]",
    "text": b'"text"',
    "number": b"-1e999",
    "empty object": b"{}",
    "nulls": b'{"Version":null,"ID":null,"Hash":null,"Key":null,"Size":null,"Type":null,"Keys":null,"Path":null}',
    "wrong types": b'{"Version":1,"ID":[],"Addresses":{},"Hash":{},"Key":5,"Size":"5","Type":7,"Keys":{"a":1},"Path":[]}',
    "negative": b'{"Size":-1,"Hash":"x","Type":"file","Key":"x","RepoSize":-1,"TotalIn":-1,"TotalOut":-5,"DataSent":-1}',
    "huge number": b'{"RepoSize":' + b"9" * 5000 + b',"Size":1e400}',
    "deep": b"[" * 100_000,
    "deep object": b'{"Name":"","Subcommands":[' * 20_000,
    "no UTF-8": b'{"Version":"\xff\xfe"}',
    "surrogate": rb'{"Version":"\ud800","ID":"\ud800","Name":"\ud800"}',
    "many lines": b"{}\n" * 1000,
    "no JSON lines": b"\x00\n\xff\n{\n",
    "wrong ids": b'{"ID":"../etc","Hash":"bafy","Key":"k51","Path":"/ipfs/../x","Keys":[{"Name":"a","Id":"b"}],"Version":"new"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_no_answer_makes_any_call_fail_otherwise_than_it_may(name: str) -> None:
    known = recording("newest")["known"]
    with ScriptedDaemon(lambda visit: visit.answer(BODIES[name])) as daemon:
        for title, case in CASES.items():
            found = ask(daemon, lambda client, case=case: outcome(case, client, known))
            if isinstance(found, type):
                assert issubclass(found, WorldError), title
            if (
                title in {"version", "identity", "keys", "add", "size", "put block", "repository bytes", "name resolve"}
                and name != "empty"
            ):
                assert found is not None, title
            if title in {"version", "add", "name resolve"}:
                assert isinstance(found, type), f"{title}: {found}"


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "400 Bad Request", "204 No Content", "302 Found"])
def test_what_is_no_kubo_says_nothing_about_content(status: str) -> None:
    with ScriptedDaemon(lambda visit: visit.answer(b"404 page not found\n", status=status)) as daemon:
        for call in (
            cat,
            lambda client: client.has_block(CID),
            lambda client: client.is_pinned(CID),
            lambda client: client.unpin(CID),
            lambda client: client.size(CID),
            lambda client: client.mfs_list("/x"),
            lambda client: client.name_resolve(wire.name_of_seed(b"1" * 32)),
        ):
            with pytest.raises(UnavailableError):
                ask(daemon, call)


def test_an_endless_answer_is_read_to_its_bound() -> None:
    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked")
        visit.for_ever(b"100000\r\n" + MEBIBYTE + b"\r\n")

    with ScriptedDaemon(script) as daemon:
        with pytest.raises(UnavailableError, match="more than it can be"):
            ask(daemon, version)
        assert daemon.sent < 4 * 2**20 + BUFFERED
        with pytest.raises(UnavailableError, match="more than it can be"):
            ask(daemon, lambda client: client.find_providers(CID, at_most=5))


def test_an_endless_file_is_read_to_its_bound() -> None:
    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked")
        visit.for_ever(b"100000\r\n" + MEBIBYTE + b"\r\n")

    with ScriptedDaemon(script) as daemon:
        with pytest.raises(TooLargeError):
            ask(daemon, cat)
        with pytest.raises(TooLargeError):
            ask(daemon, lambda client: client.block(CID, max_bytes=1000))
        assert daemon.sent < 2 * BUFFERED


def test_an_endless_error_is_read_to_its_bound() -> None:
    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked", status="500 Internal Server Error")
        visit.for_ever(b"100000\r\n" + MEBIBYTE + b"\r\n")

    with ScriptedDaemon(script) as daemon:
        with pytest.raises(UnavailableError) as caught:
            ask(daemon, version)
        assert daemon.sent < BUFFERED
        assert len(str(caught.value)) < MAX_ERROR_BYTES


def test_an_error_cannot_move_the_cursor() -> None:
    def script(visit: Visit) -> None:
        visit.answer(
            b'{"Message":"\\u001b[2Jgone\\n\\u0007 \\u202e","Code":0,"Type":"error"}', status="500 Internal Server Error"
        )

    with ScriptedDaemon(script) as daemon, pytest.raises(UnavailableError) as caught:
        ask(daemon, version)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_who_is_not_let_in_is_told_what_to_give(status: str) -> None:
    with ScriptedDaemon(lambda visit: visit.answer(b"go away", status=status)) as daemon:
        with pytest.raises(ConfigError, match="give --ipfs-auth-file"):
            ask(daemon, version)
        with pytest.raises(ConfigError, match="--ipfs-auth-file says is not accepted") as caught:
            ask(daemon, cat, authorization="Bearer s3cret")
    assert "s3cret" not in str(caught.value)
    assert daemon.requests[0].header("authorization") == ""
    assert daemon.requests[1].header("authorization") == "Bearer s3cret"


HEADS: dict[str, Script] = {
    "nothing": lambda visit: visit.close(),
    "reset": lambda visit: visit.reset(),
    "no HTTP": lambda visit: visit.answer(b"", status="") or visit.for_ever(b"SSH-2.0-OpenSSH\r\n"),
    "garbage": lambda visit: visit.for_ever(bytes(range(256)) * 100),
    "endless line": lambda visit: visit.for_ever(b"H" * 65_536),
    "endless headers": lambda visit: visit.head("X: y") or visit.close(),
    "many headers": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\n") or visit.for_ever(b"X-Header: value\r\n" * 1000),
    "long header": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nX: ") or visit.for_ever(b"y" * 65_536),
    "half a head": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nContent-") or visit.close(),
    "wrong length": lambda visit: visit.head("Content-Length: many") or visit.close(),
    "negative length": lambda visit: visit.head("Content-Length: -5") or visit.close(),
    "too short": lambda visit: visit.head("Content-Length: 500") or visit.send(b"{}") or visit.close(),
    "reset in the middle": lambda visit: visit.head("Content-Length: 500") or visit.send(b"{}") or visit.reset(),
    "no chunk": lambda visit: (
        visit.head("Transfer-Encoding: chunked") or visit.send(b"hello\r\n{}\r\n0\r\n\r\n") or visit.close()
    ),
    "negative chunk": lambda visit: (
        visit.head("Transfer-Encoding: chunked") or visit.send(b"-2\r\n{}\r\n0\r\n\r\n") or visit.close()
    ),
    "huge chunk": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.for_ever(b"fffffffffffffff\r\n"),
    "signed chunk": lambda visit: (
        visit.head("Transfer-Encoding: chunked") or visit.send(b"+2\r\n{}\r\n0\r\n\r\n") or visit.close()
    ),
    "long chunk line": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.for_ever(b"2;" + b"x" * 65_536),
    "chunk too long": lambda visit: (
        visit.head("Transfer-Encoding: chunked") or visit.send(b"2\r\n{}{}\r\n0\r\n\r\n") or visit.close()
    ),
    "chunk cut": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.send(b"2\r\n{") or visit.close(),
    "no last chunk": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.send(b"2\r\n{}\r\n") or visit.close(),
    "endless trailer": lambda visit: (
        visit.head("Transfer-Encoding: chunked") or visit.send(b"2\r\n{}\r\n0\r\n") or visit.for_ever(b"X: y\r\n" * 1000)
    ),
    "compressed": lambda visit: visit.answer(gzip.compress(b'{"Version":"0.43.0"}'), "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_is_no_proper_answer_is_a_daemon_that_does_not_answer(name: str) -> None:
    with ScriptedDaemon(HEADS[name]) as daemon:
        with pytest.raises(UnavailableError, match="the IPFS daemon at /ip4/"):
            ask(daemon, version)
        with pytest.raises(UnavailableError):
            ask(daemon, lambda client: client.add(MEBIBYTE))
        assert daemon.sent < 2 * BUFFERED


TRICKLES: dict[str, Script] = {
    "a head": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nX: ") or visit.for_ever(b"y", every_s=0.02),
    "head after head": lambda visit: visit.for_ever(b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.02),
    "an answer": lambda visit: visit.head("Content-Length: 100000") or visit.for_ever(b"y", every_s=0.02),
    "chunks": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.for_ever(b"1\r\ny\r\n", every_s=0.02),
    "a chunk's length": lambda visit: visit.head("Transfer-Encoding: chunked") or visit.for_ever(b"0", every_s=0.02),
    "an error": lambda visit: visit.head("Content-Length: 5000", status="500 No") or visit.for_ever(b"y", every_s=0.02),
}


@pytest.mark.parametrize("name", TRICKLES)
def test_a_trickle_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubo, "SLACK_S", 0.1)
    monkeypatch.setattr(kubo, "SLOWEST", 2**20)
    with ScriptedDaemon(TRICKLES[name]) as daemon:
        for call in (version, cat, lambda client: client.add(b"x")):
            with pytest.raises(UnavailableError, match="not over after"):
                ask(daemon, call, timeout_s=0.2)
    assert not threads()


def test_a_daemon_that_hangs_is_not_content_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MARGIN_S", 0.1)
    with ScriptedDaemon(lambda visit: visit.hang()) as daemon, pytest.raises(UnavailableError, match="version in time"):
        ask(daemon, cat, timeout_s=0.2)


def test_content_that_nobody_has_is_not_a_daemon_that_hangs() -> None:
    def script(visit: Visit) -> None:
        if "/version" in visit.request.first:
            visit.answer(b'{"Version":"0.43.0"}')
        else:
            visit.hang()

    with ScriptedDaemon(script) as daemon, pytest.raises(NotFoundError):
        ask(daemon, cat, timeout_s=2.0)


@pytest.mark.parametrize(
    ("body", "headers", "trailer", "error"),
    [
        pytest.param(b"abc", "X-Content-Length: 3", "", None, id="right"),
        pytest.param(b"abc", "X-Content-Length: three", "", None, id="no number"),
        pytest.param(b"abc", "X-Content-Length: 5", "", DamagedError, id="too short"),
        pytest.param(b"abc", "X-Content-Length: 2", "", DamagedError, id="too long"),
        pytest.param(b"abc", "X-Content-Length: 1001", "", TooLargeError, id="said to be too large"),
        pytest.param(b"x" * 1000, "A: b", "", None, id="just so large"),
        pytest.param(b"x" * 1001, "A: b", "", TooLargeError, id="too large"),
        pytest.param(b"x" * 1001, "X-Content-Length: 10", "", TooLargeError, id="larger than said"),
        pytest.param(b"abc", "A: b", "X-Stream-Error: context deadline exceeded\r\n", NotFoundError, id="gave up"),
        pytest.param(b"abc", "A: b", "x-stream-error: unexpected EOF\r\n", DamagedError, id="broken"),
        pytest.param(b"abc", "A: b", "X-Stream-Error:\r\n", DamagedError, id="failed for no reason"),
        pytest.param(b"abc", "A: b", "X-Stream-Error: no space left on device\r\n", UnavailableError, id="disk full"),
        pytest.param(b"abc", "A: b", "X-Other: no\r\n", None, id="another trailer"),
    ],
)
def test_a_file_is_whole_or_an_error(body: bytes, headers: str, trailer: str, error: type[Exception] | None) -> None:
    with ScriptedDaemon(lambda visit: visit.chunks([body[:2], body[2:]], headers, trailer=trailer)) as daemon:
        if error is None:
            assert ask(daemon, cat) == body
        else:
            with pytest.raises(error):
                ask(daemon, cat)


def test_an_answer_until_the_connection_ends_is_read() -> None:
    def script(visit: Visit) -> None:
        visit.head("Connection: close")
        visit.send(b'{"Version":"0.43.0"}')
        visit.close()

    with ScriptedDaemon(script) as daemon:
        assert ask(daemon, version) == "0.43.0"


def test_a_redirection_is_not_followed() -> None:
    with ScriptedDaemon(lambda visit: visit.answer(b'{"Version":"0.43.0"}')) as other:
        port = other.address.rpartition("/")[2]

        def script(visit: Visit) -> None:
            visit.answer(b"", f"Location: http://127.0.0.1:{port}/api/v0/version", status="307 Temporary Redirect")

        with ScriptedDaemon(script) as daemon, pytest.raises(UnavailableError, match="307"):
            ask(daemon, version, authorization="Bearer s3cret")
        assert other.connections == 0


def test_no_cookie_is_kept() -> None:
    def script(visit: Visit) -> None:
        visit.answer(b'{"Version":"0.43.0"}', "Set-Cookie: session=1; Path=/")

    async def twice(client: Kubo) -> None:
        await client.version()
        await client.version()

    with ScriptedDaemon(script) as daemon:
        ask(daemon, twice)
    assert [request.header("cookie") for request in daemon.requests] == ["", ""]


def test_a_connection_is_kept_and_replaced_when_it_is_gone() -> None:
    answered = threading.Semaphore(0)

    def script(visit: Visit) -> None:
        visit.answer(b'{"Version":"0.43.0"}')
        if len(daemon.requests) == 3:
            visit.close()
        answered.release()

    async def often(client: Kubo) -> None:
        for _ in range(6):
            await client.version()
            await asyncio.to_thread(answered.acquire)

    with ScriptedDaemon(script) as daemon:
        ask(daemon, often)
    assert (len(daemon.requests), daemon.connections) == (6, 2)


def test_an_answer_left_unread_ends_the_connection() -> None:
    async def twice(client: Kubo) -> None:
        for _ in range(2):
            with pytest.raises(TooLargeError):
                await client.cat(CID, max_bytes=5)

    with ScriptedDaemon(lambda visit: visit.answer(b"x" * 100_000)) as daemon:
        ask(daemon, twice)
    assert daemon.connections == 2


def test_nobody_there(tmp_path: Path) -> None:
    with ScriptedDaemon(lambda visit: visit.close()) as daemon:
        pass
    with pytest.raises(UnavailableError, match="Connection refused"):
        ask(daemon, version)
    daemon.address = f"/unix{tmp_path}/none.sock"
    with pytest.raises(UnavailableError, match="No such file"):
        ask(daemon, version)
    daemon.address = "/dns/host.invalid/tcp/5001"
    with pytest.raises(UnavailableError, match=r"host.invalid"):
        ask(daemon, version)


def proxied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.mark.parametrize("where", ["ip4", "ip6", "localhost", "unix"])
def test_neither_proxy_nor_netrc_is_used(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proxied(monkeypatch, tmp_path)
    unix, host = tmp_path / "rpc 1.sock" if where == "unix" else None, "::1" if where == "ip6" else "127.0.0.1"
    with ScriptedDaemon(lambda visit: visit.answer(b'{"Version":"0.43.0"}'), unix=unix, host=host) as daemon:
        if where == "localhost":
            daemon.address = daemon.address.replace("/ip4/127.0.0.1", "/dns/localhost")
        assert ask(daemon, version, authorization="Bearer ours") == "0.43.0"
        assert ask(daemon, version) == "0.43.0"
    assert [request.header("authorization") for request in daemon.requests] == ["Bearer ours", ""]


def certificate(folder: Path) -> Path:
    """Make a key and a certificate of its own authority for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem"


def test_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trusted = certificate(tmp_path)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, tmp_path / "key.pem")

    def script(visit: Visit) -> None:
        if "cat" in visit.request.first:
            visit.hang()
        visit.answer(b'{"Version":"0.43.0"}')

    async def cancelled(client: Kubo) -> None:
        waiting = asyncio.create_task(client.cat(CID, max_bytes=10))
        await until(lambda: any("cat" in request.first for request in daemon.requests))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with ScriptedDaemon(script, tls=context) as daemon:
        with pytest.raises(UnavailableError, match=r"(?i)certificate"):
            ask(daemon, version)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert ask(daemon, version) == "0.43.0"
        ask(daemon, cancelled)
    assert not threads()


def line(data: bytes, *, sender: str = "12D3KooWQKPpsroq4k4Ss9aF12ugkpgmJvBBLuKGeMhW5qUwxUyb") -> bytes:
    return f'{{"from":"{sender}","data":"{wire.write_multibase(data)}","seqno":"uAAA","topicIDs":["uYQ"]}}\n'.encode()


def test_a_subscription_survives_what_is_no_message() -> None:
    good = [line(b"1"), line(b"2" * 1_000_000), line(b"3")]

    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked")
        bad = [
            b"\n",
            b"{}\n",
            b"\xff\n",
            b"[" * 1000 + b"\n",
            line(b"x", sender="root"),
            line(b"x").replace(b'"u', b'"m'),
            line(b"y" * 1_000_001),
        ]
        too_long = b"z" * 5_000_000 + b"\n"
        for piece in (bad[0], good[0], *bad, good[1][:500_000], good[1][500_000:], too_long, good[2]):
            visit.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        visit.hang()

    async def hear(client: Kubo) -> list[bytes]:
        subscription = client.subscribe("a")
        return [(await anext(subscription)).data for _ in good]

    with ScriptedDaemon(script) as daemon:
        assert ask(daemon, hear) == [b"1", b"2" * 1_000_000, b"3"]
    assert not threads()


def test_an_endless_line_ends_a_subscription() -> None:
    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked")
        visit.for_ever(b"100000\r\n" + MEBIBYTE + b"\r\n")

    async def hear(client: Kubo) -> None:
        subscription = client.subscribe("a")
        for _ in range(2):
            with pytest.raises(UnavailableError, match="more than it can be"):
                await anext(subscription)

    with ScriptedDaemon(script) as daemon:
        ask(daemon, hear)
        assert daemon.sent < 17 * calls.MAX_MESSAGE_LINE_BYTES + BUFFERED


def test_a_flood_of_messages_waits_with_the_daemon() -> None:
    def script(visit: Visit) -> None:
        visit.head("Transfer-Encoding: chunked")
        message = line(b"x" * 100_000)
        visit.for_ever(b"%x\r\n%b\r\n" % (len(message), message))

    async def hear(client: Kubo) -> None:
        subscription = client.subscribe("a")
        await anext(subscription)
        before = -1
        while daemon.sent != before:  # nobody takes any: soon nothing more is taken from the daemon
            before = daemon.sent
            await asyncio.sleep(0.3)
        assert daemon.sent < 40 * 150_000 + 2 * BUFFERED
        for _ in range(100):
            await anext(subscription)

    with ScriptedDaemon(script) as daemon:
        ask(daemon, hear)
    assert not threads()


@pytest.mark.parametrize("ending", ["end", "error", "reset", "refused"])
def test_a_subscription_that_the_daemon_ends_says_so(ending: str) -> None:
    def script(visit: Visit) -> None:
        if ending == "refused":
            visit.answer(b'{"Message":"experimental pubsub feature not enabled"}', status="500 Internal Server Error")
            return
        if ending == "reset":
            visit.head("Transfer-Encoding: chunked")
            visit.reset()
            return
        visit.chunks([], trailer="X-Stream-Error: the sky fell\r\n" if ending == "error" else "")

    said = {"end": "does not say why", "error": "the sky fell", "reset": "daemon", "refused": "pubsub"}[ending]

    async def hear(client: Kubo) -> None:
        subscription = client.subscribe("a")
        if ending == "refused":
            with pytest.raises(UnavailableError, match=said):
                await subscription.opened()
        with pytest.raises(UnavailableError, match=said):
            await anext(subscription)
        await subscription.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)

    with ScriptedDaemon(script) as daemon:
        ask(daemon, hear)


def test_a_refusal_says_what_the_daemon_said() -> None:
    with ScriptedDaemon(lambda visit: visit.answer(b'{"Message":"no"}', status="500 Internal Server Error")) as daemon:
        with pytest.raises(RefusedError, match="refuses version: no") as caught:
            ask(daemon, version)
        assert (caught.value.status, caught.value.reason) == (500, "no")


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def threads() -> list[str]:
    """Return the client's threads that are left, after a moment in which they may end."""
    gc.collect()
    deadline = time.monotonic() + 10.0
    while (left := [t.name for t in threading.enumerate() if t.name.startswith("learnae-ipfs")]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
