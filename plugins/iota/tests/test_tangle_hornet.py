"""A real HORNET 0.5.6, which is its own coordinator."""

import asyncio
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from learnae_iota import Channel, Mode, Reader, create, decode_bytes, encode_bytes
from learnae_iota.bundles.bundles import Bundle, Posting, prepare_bundle
from learnae_iota.nodes.client import ClientName
from learnae_iota.tangle.concurrent import AsyncTangle
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import Tangle, open_tangle
from learnae_iota.trinary.kernel import Kernel
from learnae_iota.trinary.trytes import ALPHABET
from tangle_rig import Hornet

from learnae.errors import UnavailableError

PATIENCE_S = 20.0
ATTACHMENTS = 4


def fresh(count: int = 81) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


@pytest.fixture(params=list(ClientName))
def tangle(request: pytest.FixtureRequest, hornet: Hornet) -> Iterator[Tangle]:
    opened = open_tangle(["http://127.0.0.1:9", hornet.url], weight=hornet.weight, client=request.param)
    yield opened
    opened.close()


def confirmed(tangle: Tangle, *attachments: Bundle) -> bool:
    """Wait until one is; what is not is attached again: HORNET's tips grow old."""
    tails = [bundle.tail for bundle in attachments]
    for _ in range(ATTACHMENTS):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if tangle.is_confirmed(tails):
                return True
            time.sleep(0.1)  # between two looks, not in the hope of anything
        tails.append(tangle.attach(attachments[0]).tail)
    return False


def test_a_packet_of_a_sensor_goes_and_comes(tangle: Tangle, kernel: Kernel) -> None:
    readings = json.dumps([[index / 7] * 28 for index in range(50)]).encode()
    channel = Channel(fresh(), Mode.RESTRICTED, "OUR9SECRET")
    signed = create(channel, encode_bytes(readings), kernel=kernel)
    bundle = tangle.send([Posting(signed.address, signed.payload, "LEARNAE9TEST")])
    assert len(bundle.transactions) > 20
    fetched = tangle.fetch(Query(addresses=(signed.address,)))
    assert fetched.bundles == (bundle,)
    assert not fetched.cut
    reader = Reader(signed.root, Mode.RESTRICTED, "OUR9SECRET")
    [message] = reader.gather(posting.trytes for found in fetched.bundles for posting in found.postings)
    assert decode_bytes(message.trytes) == readings
    assert confirmed(tangle, bundle)


def test_what_is_attached_again_is_one_message_and_confirmed(tangle: Tangle) -> None:
    address = fresh()
    once = tangle.send([Posting(address, "A" * 5000)])
    again = tangle.attach(once)
    assert (again.hash, again.postings) == (once.hash, once.postings)
    assert again.tail != once.tail
    fetched = tangle.fetch(Query(addresses=(address,)))
    assert len(fetched.bundles) == 1
    assert len(fetched.seen) == 6
    assert confirmed(tangle, once, again)
    assert not tangle.is_confirmed([fresh()])


def test_the_node_works_for_us(hornet: Hornet) -> None:
    tangle = open_tangle([hornet.url], weight=hornet.weight, work_on_nodes=True)
    bundle = tangle.send([Posting(fresh(), "A" * 5000)])
    assert tangle.fetch(Query(bundles=(bundle.hash,))).bundles == (bundle,)
    assert confirmed(tangle, bundle)
    tangle.close()


def test_a_full_answer_is_told_and_its_bundles_are_found_whole(hornet: Hornet) -> None:
    tangle = open_tangle([hornet.url], weight=hornet.weight)
    address = fresh()
    sent = {tangle.send([Posting(address, letter * 2187 * 100)]).hash for letter in "ABCDEFGHIJK"}
    fetched = tangle.fetch(Query(addresses=(address,)))
    assert fetched.cut
    assert {bundle.hash for bundle in fetched.bundles} == sent
    tangle.close()


def test_a_wrong_weight_is_refused_with_the_nodes_words(hornet: Hornet) -> None:
    tangle = open_tangle([hornet.url], weight=0)
    with pytest.raises(UnavailableError, match="invalid transaction hash"):
        tangle.send([Posting(fresh(), "A" * 2187 * 10)])  # of one transaction no work would be enough now and then
    tangle.close()


def test_peers_use_it_from_their_event_loop(hornet: Hornet) -> None:
    async def run() -> None:
        tangle = AsyncTangle(open_tangle([hornet.url], weight=hornet.weight))
        address = fresh()
        sent = await asyncio.gather(*(tangle.send([Posting(address, letter * 100)]) for letter in "ABCDEF"))
        fetched = await tangle.fetch(Query(addresses=(address,)))
        assert {bundle.hash for bundle in fetched.bundles} == {bundle.hash for bundle in sent}
        await tangle.aclose()

    asyncio.run(run())


def test_the_hash_of_a_bundle_is_the_nodes(hornet: Hornet) -> None:
    """Also where an address ends in a trit that does not count, and without an M-free hash: the node confirms it."""
    with closing(open_tangle([hornet.url], weight=hornet.weight)) as tangle:
        attached = []
        for last in "AJMZ":
            prepared = prepare_bundle([Posting(fresh(80) + last, "A", "T")], int(time.time()))
            attached.append(tangle.attach(prepared))
        assert all(confirmed(tangle, bundle) for bundle in attached)
