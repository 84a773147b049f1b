"""HTTP to one node: bounded in time and size, interruptible, and never more than what was asked for."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from learnae_iota.nodes import connection
from learnae_iota.nodes.connection import MAX_REPLY_BYTES
from learnae_iota.nodes.exchange import Exchange, RefusedError
from learnae_iota.stopping import Stop, StoppedError
from tangle_rig import Answer, ScriptedNode

from learnae.errors import ConfigError, TooLargeError, UnavailableError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def exchange(scripted: ScriptedNode) -> Iterator[Exchange]:
    made = Exchange(scripted.url, timeout_s=10)
    yield made
    made.close()


def test_a_body_goes_and_one_comes(scripted: ScriptedNode, exchange: Exchange) -> None:
    scripted.answer = lambda request: Answer(request.body[::-1])
    assert exchange.ask(b"hello") == b"olleh"
    assert exchange.ask(b"again") == b"niaga"
    headers = scripted.requests[0].headers
    assert headers["x-iota-api-version"] == "1"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert "authorization" not in headers
    assert {request.connection for request in scripted.requests} == {1}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(CHUNKED + b"3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\n\r\n", id="chunks"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nabcdef", id="until the end"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", id="continue"),
    ],
)
def test_http_has_several_ways_to_end(scripted: ScriptedNode, exchange: Exchange, raw: bytes) -> None:
    scripted.answer = lambda _: Answer(raw=raw, closes=True)
    assert exchange.ask(b"{}") == b"abcdef"
    assert exchange.ask(b"{}") == b"abcdef"  # over a new connection: the node closed the old one


def test_a_connection_that_the_node_closed_meanwhile_is_replaced(scripted: ScriptedNode, exchange: Exchange) -> None:
    scripted.answer = lambda _: Answer(closes=True)  # without saying so
    for _ in range(3):
        assert exchange.ask(b"{}") == b"{}"
    assert len({request.connection for request in scripted.requests}) == 3


def test_many_threads_use_it(scripted: ScriptedNode, exchange: Exchange) -> None:
    scripted.answer = lambda request: Answer(request.body)
    results: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda n=n: results.update({n: exchange.ask(str(n).encode())}), daemon=True) for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: str(n).encode() for n in range(40)}


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        pytest.param(Answer(b'{"error": "node not synced"}', "400 Bad Request"), RefusedError, "node not synced", id="error"),
        pytest.param(Answer(b'{"exception": "boom"}', "500 Oops"), RefusedError, r"HTTP status 500\): boom", id="exception"),
        pytest.param(Answer(b"\x1b[2J<html>\n", "502 Bad Gateway"), RefusedError, r"502\): \[2J<html>$", id="no JSON"),
        pytest.param(Answer(b"", "503 Busy"), RefusedError, "it does not say why", id="nothing said"),
        pytest.param(Answer(b"[" * 8000, "400 Bad Request"), RefusedError, "400", id="deep"),
        pytest.param(Answer(b"x" * 9000, "404 Not Found"), RefusedError, "x{300}$", id="long complaint"),
        pytest.param(Answer(status="302 Found", headers=("Location: /x",)), RefusedError, "302", id="redirect"),
        pytest.param(Answer(b" " * (MAX_REPLY_BYTES + 1)), TooLargeError, "more than 4194304 bytes", id="too large"),
        pytest.param(Answer(raw=CHUNKED + b"FFFFFFFF\r\n" + b" " * 5_000_000, closes=True), TooLargeError, "more", id="chunk"),
        pytest.param(Answer(length=10, closes=True), UnavailableError, "does not answer", id="cut off"),
        pytest.param(Answer(raw=CHUNKED + b"5\r\nab", closes=True), UnavailableError, "does not answer", id="cut off chunk"),
        pytest.param(Answer(raw=CHUNKED + b"zz\r\nab\r\n", closes=True), UnavailableError, "does not answer", id="no chunk"),
        pytest.param(Answer(raw=b"SSH-2.0-x\r\n", closes=True), UnavailableError, "does not answer", id="no HTTP"),
        pytest.param(Answer(raw=b"", closes=True), UnavailableError, "does not answer", id="nothing"),
        pytest.param(Answer(headers=("Content-Encoding: gzip",)), UnavailableError, "a compressed body", id="compressed"),
        pytest.param(Answer(headers=("X: y",) * 200), UnavailableError, "does not answer", id="headers"),
    ],
)
def test_what_a_node_does_wrong_has_a_sentence(
    scripted: ScriptedNode, exchange: Exchange, answer: Answer, error: type[Exception], sentence: str
) -> None:
    scripted.answer = lambda _: answer
    with pytest.raises(error, match=sentence) as caught:
        exchange.ask(b"{}")
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"the node at {scripted.url} ")
    assert str(caught.value).isprintable()
    scripted.answer = lambda _: Answer(b"fine")
    assert exchange.ask(b"{}") == b"fine"


@pytest.mark.parametrize("answer", [Answer(hangs=True), Answer(b" " * 1000, drips=True)], ids=["hangs", "drips"])
def test_the_whole_of_it_has_an_end(scripted: ScriptedNode, exchange: Exchange, answer: Answer) -> None:
    scripted.answer = lambda _: answer
    with pytest.raises(UnavailableError, match="does not answer in time"):
        exchange.ask(b"{}", timeout_s=0.3)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_it_ends_from_another_thread(scripted: ScriptedNode, exchange: Exchange, end: str) -> None:
    asked, stop = threading.Event(), Stop()

    def hang(_: object) -> Answer:
        asked.set()
        return Answer(hangs=True)

    scripted.answer = hang

    def ends() -> None:
        asked.wait()
        stop.ask() if end == "stop" else exchange.close()

    threading.Thread(target=ends).start()
    began = time.monotonic()
    with pytest.raises(StoppedError if end == "stop" else UnavailableError, match="stopped" if end == "stop" else "was closed"):
        exchange.ask(b"{}", stop=stop)
    assert time.monotonic() - began < 9
    with pytest.raises((StoppedError, UnavailableError)):
        exchange.ask(b"{}", stop=stop)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    with pytest.raises(UnavailableError, match="refused"):
        Exchange(f"http://127.0.0.1:{port}").ask(b"{}")


def test_nobody_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as line:
        fillers = []
        for _ in range(4):  # until the queue is full
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(line.getsockname())
            fillers.append(filler)
        with pytest.raises(UnavailableError, match="in time"):
            Exchange(f"http://127.0.0.1:{line.getsockname()[1]}").ask(b"{}")
        for filler in fillers:
            filler.close()


def test_a_password_is_sent_and_never_shown(scripted: ScriptedNode) -> None:
    url = scripted.url.replace("//", "//me:se%40cret@") + "/iota"
    node = Exchange(url)
    node.ask(b"{}")
    assert scripted.requests[0].headers["authorization"] == "Basic bWU6c2VAY3JldA=="
    assert node.name == f"the node at {scripted.url}/iota"
    node.close()
    with pytest.raises(ConfigError) as caught:
        Exchange("ftp://me:secret@host")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:14265",
        "127.0.0.1",
        "ftp://host",
        "http://",
        "http://:14265",
        "http://host:0",
        "http://host:99999",
        "http://host:x",
        "http://host/?query",
        "http://host/#part",
        "http://ho st",
        "http://höst",
        "http://host\n",
        "http://[::1",
        "http://-host",
        "http://a..b",
        "http://" + "a" * 300,
    ],
)
def test_a_url_that_cannot_be_used_is_the_operators_fault(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used: accepted are http://HOST:PORT"):
        Exchange(url)


@pytest.mark.parametrize("url", ["http://[::1]:14265", "https://node.example", "http://localhost", "http://10.0.0.1:1/a/b"])
def test_a_url_that_can_be_used(url: str) -> None:
    assert Exchange(url).name == f"the node at {url}"


def test_a_secure_node_needs_a_certificate(scripted: ScriptedNode) -> None:
    with pytest.raises(UnavailableError):
        Exchange(scripted.url.replace("http:", "https:"), timeout_s=0.5).ask(b"{}")


def test_a_request_may_be_large(scripted: ScriptedNode, exchange: Exchange) -> None:
    scripted.answer = lambda request: Answer(json.dumps(len(request.body)).encode())
    assert exchange.ask(b" " * 3_000_000) == b"3000000"


def test_a_name_that_is_not_found_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver knows no deadline: it is left to itself."""
    released = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        released.wait(60)
        raise socket.gaierror("too late")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    exchange = Exchange("http://node.example:14265", timeout_s=0.2)
    with pytest.raises(UnavailableError, match="does not answer in time"):
        exchange.ask(b"{}")
    stop = Stop()
    threading.Timer(0.1, stop.ask).start()
    with pytest.raises(StoppedError):
        exchange.ask(b"{}", stop=stop, timeout_s=60)
    threading.Timer(0.1, exchange.close).start()
    with pytest.raises(UnavailableError, match="was closed"):
        exchange.ask(b"{}", timeout_s=60)
    released.set()


def test_a_stop_ends_the_wait_for_a_connection() -> None:
    """A listener whose queue is full accepts nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        exchange, stop = Exchange(f"http://127.0.0.1:{address[1]}"), Stop()
        timer = threading.Timer(0.2, stop.ask)
        timer.start()
        with pytest.raises(StoppedError):
            exchange.ask(b"{}", stop=stop, timeout_s=60)
        timer.join()
        exchange.close()
        for each in waiting:
            each.close()
