"""A conversation with a node, the same each time: what was recorded once is replayed to both clients.

``python plugins/iota/tests/tangle_rig/conversation.py HORNET`` records it anew, with a HORNET 0.5.6.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from learnae_iota.bundles.attaching import Tips, attach_bundle
from learnae_iota.bundles.bundles import Posting, prepare_bundle
from learnae_iota.nodes.client import PlainClient
from learnae_iota.nodes.exchange import Exchange
from learnae_iota.nodes.node import Node
from learnae_iota.trinary.kernel import choose_kernel

from learnae.errors import LearnaeError

RECORD = Path(__file__).parents[1] / "exchanges" / "hornet-0.5.6.json"
WEIGHT = 3
ADDRESS = "RECORDED".ljust(81, "Z")
TAG = "LEARNAE".ljust(27, "9")
NOW_MS = 1_795_404_363_000
"""When it was recorded; a node refuses what is far ahead of its clock."""


def converse(node: Node) -> dict[str, Any]:
    """Ask a node everything that is ever asked, and return what it answers."""
    found: dict[str, Any] = {}

    def say(name: str, call: Callable[[], Any]) -> Any:
        try:
            found[name] = call()
        except LearnaeError as exc:
            found[name] = (type(exc).__name__, str(exc).removeprefix(node.name))
        return found[name]

    prepared = prepare_bundle([Posting(ADDRESS, "MESSAGE" * 400, "LEARNAE")], NOW_MS // 1000)
    say("info", node.info)
    tips: Tips = say("tips", node.tips)
    bundle = attach_bundle(prepared, tips, WEIGHT, clock=lambda: NOW_MS)
    say("broadcast", lambda: node.broadcast(bundle.trytes))
    say("broadcast again", lambda: node.broadcast(bundle.trytes))
    say("store", lambda: node.store(bundle.trytes[:1]))
    for kind, value in {"addresses": ADDRESS, "tags": TAG, "bundles": bundle.hash, "approvees": tips.branch}.items():
        say(f"find {kind}", lambda kind=kind, value=value: node.find(**{kind: [value]}))
    say("find nothing", lambda: node.find(addresses=["NOTHING".ljust(81, "9")]))
    say("find both", lambda: node.find(addresses=[ADDRESS], tags=["OTHER".ljust(27, "9")]))
    say("transactions", lambda: node.transactions([*bundle.hashes, "X" * 81]))
    say("confirmed", lambda: node.confirmed([tips.trunk, bundle.tail, "X" * 81]))
    say("consistent", lambda: node.consistent([bundle.tail]))
    say("attach", lambda: node.attach(prepared, tips, WEIGHT))
    say("attach with another weight", lambda: node.attach(prepared, tips, WEIGHT + 1))
    say("broadcast without work", lambda: node.broadcast(prepared.trytes))
    future = attach_bundle(prepared, tips, WEIGHT, clock=lambda: NOW_MS * 2)
    say("broadcast from the future", lambda: node.broadcast(future.trytes))
    say("transactions of no hash", lambda: node.confirmed(["X" * 80]))
    return found


class Recording(Exchange):
    """Keeps what goes and comes."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.exchanges: list[dict[str, Any]] = []

    def ask(self, body: bytes, **options: Any) -> bytes:
        self.exchanges.append({"request": json.loads(body)})
        return super().ask(body, **options)

    def _read(self, status: int, data: bytes) -> bytes:
        self.exchanges[-1] |= {"status": status, "reply": data.decode()}
        return super()._read(status, data)


def record(program: Path) -> None:
    """Record the conversation."""
    from tangle_rig import Hornet

    with tempfile.TemporaryDirectory() as folder:
        hornet = Hornet(program, Path(folder), weight=WEIGHT)
        try:
            client = PlainClient(hornet.url)
            client._exchange = exchange = Recording(hornet.url)
            for name, answer in converse(Node(client, choose_kernel())).items():
                print(name, str(answer)[:150])
            client.close()
        finally:
            hornet.close()
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(exchange.exchanges, indent=0) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    record(Path(sys.argv[1]).absolute())
