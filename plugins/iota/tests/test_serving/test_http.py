"""The node as a neighbour on the network: sizes, floods, silence, other machines, web pages, and bytes that mean nothing."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.bundles.transactions import NULL_HASH
from learnae_iota.serving import application as application_module
from learnae_iota.serving import protocol as protocol_module
from learnae_iota.serving.api import Api
from learnae_iota.serving.application import Application
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.ledger import Ledger
from learnae_iota.serving.rates import MAX_ADDRESSES, Rates
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread
from learnae_iota.trinary.kernel import choose_kernel
from serving_rig import NOW_S, request, until

from learnae.errors import ConfigError

SMALL = NodeSettings(weight=1, max_body_bytes=10_000, max_requests_per_s=0)


@pytest.fixture(scope="module")
def small() -> Iterator[DevelopmentNode]:
    """A node that takes requests of 10,000 bytes, and any number of them."""
    with node_in_thread(settings=SMALL) as node:
        yield node


def connected(node: DevelopmentNode) -> socket.socket:
    place = urlsplit(node.url)
    return socket.create_connection((place.hostname, place.port), timeout=20)


def rest(line: socket.socket) -> bytes:
    """Read until the other end closes the connection."""
    parts = []
    try:
        while part := line.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"", "Input data was truncated", id="nothing"),
        pytest.param(b"{", "Input data was truncated", id="half"),
        pytest.param(b"[]", "Expected `object`, got `array`", id="array"),
        pytest.param(b'{"command":"\xff"}', "can't decode byte 0xff", id="no UTF-8"),
        pytest.param(b'{"command":' + b"[" * 9_000, "", id="deep"),
        pytest.param(b'{"command":"getTrytes","hashes":"A"}', "Expected `array | null`, got `str`", id="type"),
        pytest.param(b'{"command":"getTrytes","hashes":[1]}', "Expected `str`, got `int`", id="type within"),
        pytest.param(b'{"command":"attachToTangle"}', "missing required field `trunkTransaction`", id="missing"),
        pytest.param(b'{"command":"findTransactions","maxResults":1e400}', "", id="number"),
    ],
)
def test_what_cannot_be_read_is_declined(body: bytes, error: str, small: DevelopmentNode) -> None:
    status, answer, _ = request(small.url, "POST", "/", body)
    assert status == 400
    assert "the request cannot be read: " in json.loads(answer)["error"]
    assert error in json.loads(answer)["error"]


@pytest.mark.parametrize("command", [b"1", b"null", b'{"a":1}', b"[]"])
def test_a_command_is_a_name(command: bytes, small: DevelopmentNode) -> None:
    status, answer, _ = request(small.url, "POST", "/", b'{"command":' + command + b"}")
    assert (status, json.loads(answer)) == (400, {"error": "error parsing command"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {
            "command": st.sampled_from(
                [
                    "getTrytes",
                    "findTransactions",
                    "attachToTangle",
                    "broadcastTransactions",
                    "getBalances",
                    "getTransactionsToApprove",
                ]
            )
        },
        optional={
            name: st.one_of(
                st.none(),
                st.integers(),
                st.text(max_size=90),
                st.lists(st.one_of(st.none(), st.text(alphabet="9ABZaé\0", max_size=90), st.integers()), max_size=3),
            )
            for name in (
                "hashes",
                "tags",
                "addresses",
                "bundles",
                "approvees",
                "trytes",
                "reference",
                "trunkTransaction",
                "maxResults",
            )
        },
    )
)
def test_any_arguments_get_an_answer(small: DevelopmentNode, arguments: dict[str, Any]) -> None:
    status, answer, _ = request(small.url, "POST", "/", json.dumps(arguments).encode())
    assert status in {200, 400}
    assert ("error" in json.loads(answer)) == (status == 400)


def test_long_requests_are_declined_and_their_senders_told(small: DevelopmentNode) -> None:
    for length in (10_001, 40_000):
        status, answer, headers = request(small.url, "POST", "/", b" " * length)
        assert (status, json.loads(answer)) == (413, {"error": "a request of more than 10000 bytes"})
        assert headers["connection"] == "close"
    assert request(small.url, "POST", "/", b'{"command":"getTips"}'.ljust(10_000))[0] == 200


@pytest.mark.parametrize("length", ["40001", "9" * 19])
def test_much_too_long_requests_are_not_waited_for(length: str, small: DevelopmentNode) -> None:
    with connected(small) as line:
        line.sendall(f"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: {length}\r\n\r\n".encode())
        assert rest(line).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_who_sends_slowly_keeps_nobody_waiting_who_asks_something_short(small: DevelopmentNode) -> None:
    head = b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n\r\n"
    with contextlib.ExitStack() as slow:
        for number in range(2 * application_module.MAX_AT_ONCE):
            slow.enter_context(connected(small)).sendall(head % (100 if number % 2 else 500_000) + b"{")
        with connected(small) as line:
            line.sendall(head % 21 + b'{"command":"getTips"}')
            assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_a_stream_without_end_is_ended(small: DevelopmentNode) -> None:
    with connected(small) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
        with pytest.raises(ConnectionError):  # noqa: PT012  # it is told after some of them
            while True:
                line.sendall(chunk)


def test_who_does_not_finish_a_request_is_not_waited_for(small: DevelopmentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_module, "BODY_TIMEOUT_S", 0.05)
    with connected(small) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 100\r\n\r\nhalf")
        assert rest(line).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([], id="silent"),
        pytest.param([b"POST / HTT"], id="half a head"),
        pytest.param([b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n", b"GET"], id="half a second head"),
    ],
)
def test_who_does_not_begin_a_request_is_not_waited_for(
    sent: list[bytes], small: DevelopmentNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol_module, "HEAD_TIMEOUT_S", 0.05)
    with connected(small) as line:
        for part in sent:
            line.sendall(part)
            if part.endswith(b"\r\n\r\n"):
                assert line.recv(1000).startswith(b"HTTP/1.1 200")
        assert rest(line) == b""


def test_only_so_many_connections_are_held(small: DevelopmentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "MAX_CONNECTIONS", 3)
    lines = [connected(small) for _ in range(3)]
    for line in lines:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 200")
    with connected(small) as one_more:
        assert rest(one_more) == b""
    for line in lines:
        line.close()
    until(lambda: _works(small))


def _works(node: DevelopmentNode) -> bool:
    try:
        return request(node.url, "GET", "/healthz")[0] == 200
    except (ConnectionError, OSError):
        return False


def test_no_request_at_all_is_an_error_of_its_sender(small: DevelopmentNode) -> None:
    with connected(small) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n")
        assert rest(line).startswith(b"HTTP/1.1 400")
    assert _works(small)


def test_a_flood_is_held_back_and_the_node_lives() -> None:
    with node_in_thread(settings=NodeSettings(max_requests_per_s=1)) as node:
        statuses: list[int] = []

        def flood() -> None:
            statuses.extend(request(node.url, "POST", "/", b'{"command":"getTips"}')[0] for _ in range(20))

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 2
        until(lambda: request(node.url, "GET", "/healthz")[0] == 200)


def test_rates_are_counted_by_address_and_on_average() -> None:
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert [rates.allow("a") for _ in range(5)] == [True] * 4 + [False]
    assert rates.allow("b")
    now[0] = 1.0
    assert [rates.allow("a") for _ in range(3)] == [True, True, False]
    now[0] = 100.0
    assert [rates.allow("a") for _ in range(5)] == [True] * 4 + [False]
    for number in range(MAX_ADDRESSES):
        assert rates.allow(str(number))
    assert rates.allow("a")  # forgotten, and so at its beginning again
    assert all(Rates(0, lambda: 0.0).allow("a") for _ in range(9))


# What depends on where a request comes from is asked of the application itself: here is only one machine.

Message = MutableMapping[str, Any]


def ask_from(
    address: str | None,
    body: bytes,
    *,
    settings: NodeSettings = SMALL,
    method: str = "POST",
    headers: dict[bytes, bytes] | None = None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    async def scenario() -> list[Message]:
        ledger, kernel = Ledger.open(None), choose_kernel()
        api = Api(ledger, settings, kernel)
        sent: list[Message] = []
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            for part in parts:
                return part
            return await asyncio.Event().wait()  # type: ignore[return-value]  # it never does

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"method": method, "path": "/", "headers": list((headers or {}).items()), "client": address and (address, 4000)}
        await Application(api, settings)(scope, receive, send)
        await api.aclose()
        ledger.close()
        return sent

    start, end = asyncio.run(scenario())
    return start["status"], dict(start["headers"]), end["body"]


WORK = b'{"command":"attachToTangle","trunkTransaction":"","branchTransaction":"","trytes":[]}'


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_let_it_work(address: str) -> None:
    status, _, answer = ask_from(address, WORK)
    assert (status, json.loads(answer)["error"]) == (400, "invalid trunk transaction: ")


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "somewhere", None])
@pytest.mark.parametrize("command", ["attachToTangle", "interruptAttachingToTangle", "addNeighbors"])
def test_other_machines_may_only_if_they_are_let(address: str | None, command: str) -> None:
    body = json.dumps({**json.loads(WORK), "command": command}).encode()
    status, _, answer = ask_from(address, body)
    assert (status, json.loads(answer)) == (403, {"error": f"command [{command}] is protected"})
    assert ask_from(address, body, settings=NodeSettings(remote_work=True))[0] in {200, 400}


def test_says_to_each_whether_it_works_for_them() -> None:
    features: Callable[..., list[str]] = lambda *given, **more: json.loads(  # noqa: E731
        ask_from(*given, b'{"command":"getNodeInfo"}', **more)[2]
    )["features"]
    assert "RemotePOW" in features("127.0.0.1")
    assert "RemotePOW" not in features("10.0.0.1")
    assert "RemotePOW" in features("10.0.0.1", settings=NodeSettings(remote_work=True))


def test_web_pages_may_ask_unless_they_are_told_otherwise() -> None:
    origin = {b"origin": b"https://page.example"}
    status, headers, body = ask_from("127.0.0.1", b"", method="OPTIONS", headers=origin)
    assert (status, body) == (204, b"")
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"X-IOTA-API-Version" in headers[b"access-control-allow-headers"]
    assert ask_from("127.0.0.1", b'{"command":"getTips"}', headers=origin)[0] == 200
    closed = NodeSettings(cors=False)
    status, headers, _ = ask_from("127.0.0.1", b'{"command":"getTips"}', headers=origin, settings=closed)
    assert (status, b"access-control-allow-origin" in headers) == (403, False)
    assert ask_from("127.0.0.1", b'{"command":"getTips"}', settings=closed)[0] == 200


def test_only_so_many_long_requests_are_held_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_module, "MAX_LARGE", 1)

    async def scenario() -> None:
        ledger, kernel = Ledger.open(None), choose_kernel()
        api = Api(ledger, SMALL, kernel)
        application, finish = Application(api, SMALL), asyncio.Event()
        read: list[str] = []

        async def ask(name: str) -> None:
            async def receive() -> Message:
                if name in read:
                    await asyncio.Event().wait()
                read.append(name)
                await finish.wait()
                return {"type": "http.request", "body": b"{}", "more_body": False}

            async def send(message: Message) -> None:
                assert message.get("status") in {400, None}

            await application({"method": "POST", "path": "/", "headers": [], "client": ("127.0.0.1", 1)}, receive, send)

        asked = [asyncio.ensure_future(ask(name)) for name in ("one", "two")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert read == ["one"]
        finish.set()
        await asyncio.gather(*asked)
        assert read == ["one", "two"]
        await api.aclose()
        ledger.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [0, 1])
def test_who_goes_away_gets_no_answer_and_no_work(before: int) -> None:
    bundle = prepare_bundle([Posting("A" * 81, "")], NOW_S)
    asked = {"command": "attachToTangle", "trunkTransaction": NULL_HASH, "branchTransaction": NULL_HASH, "trytes": bundle.trytes}
    hopeless = NodeSettings(weight=20)

    async def scenario() -> None:
        ledger, kernel = Ledger.open(None), choose_kernel()
        api = Api(ledger, hopeless, kernel)
        parts: list[Message] = [{"type": "http.request", "body": json.dumps(asked).encode(), "more_body": False}][:before]
        parts.append({"type": "http.disconnect"})

        async def receive() -> Message:
            return parts.pop(0)

        async def send(_: Message) -> None:
            raise AssertionError("there is nobody to answer")

        scope = {"method": "POST", "path": "/", "headers": [], "client": ("127.0.0.1", 1)}
        await Application(api, hopeless)(scope, receive, send)
        await api.aclose()  # comes back: nothing is at work any more
        ledger.close()

    asyncio.run(scenario())


def test_a_ledger_that_cannot_be_used_is_said_to_be(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[int, bytes]:
        ledger, kernel = Ledger.open(None), choose_kernel()
        ledger.close()
        api = Api(ledger, SMALL, kernel)
        answer = await api.answer(b'{"command":"getTips"}', near=True)
        await api.aclose()
        return answer

    status, answer = asyncio.run(scenario())
    assert status == 503
    assert json.loads(answer)["error"].startswith("the ledger cannot be used: ")
    assert "the ledger cannot be used" in caplog.text


def test_a_bug_of_the_node_is_no_end_of_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with node_in_thread(settings=SMALL, clock=broken) as node:
        status, answer, _ = request(node.url, "POST", "/", b'{"command":"getNodeInfo"}')
        assert (status, json.loads(answer)) == (500, {"error": "internal error"})
        assert request(node.url, "GET", "/healthz")[0] == 200
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": 0},
        {"weight": 21},
        {"milestone_interval_s": 0},
        {"max_transactions": 0},
        {"max_body_bytes": 9},
        {"max_requests_per_s": -1},
    ],
)
def test_settings_have_their_ranges(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is accepted"):
        NodeSettings(**wrong)
