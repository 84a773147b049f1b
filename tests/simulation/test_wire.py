"""What crosses the ledger: in privacy mode a closed list, in a sealed session nothing that can be read."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from learnae.codec.boards import decode_board
from learnae.codec.manifests import session_id
from learnae.codec.messages import decode_message
from learnae.codec.seal import Seal, secret_check
from learnae.codec.slices import decode_slice
from learnae.codec.weights import decode_weights
from learnae.errors import BadContentError, ForgedError
from learnae.simulation.network import Crossing
from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.simulation import Simulation
from learnae.values.announcements import Content, ModelOffer, Presence
from learnae.values.manifest import Manifest

SECRET = b"a secret of some thirty-two bytes"


def file_kind(data: bytes, manifest: Manifest) -> str:
    """Decode a file as what it is; anything that is neither model nor board is a failure of the test."""
    session = session_id(manifest)
    readers: dict[str, Callable[[bytes], object]] = {
        "model": partial(decode_weights, manifest=manifest),
        "board": partial(decode_board, session=session, limits=manifest.limits),
    }
    for kind, read in readers.items():
        try:
            read(data)
        except BadContentError:
            continue
        return kind
    return "something else"


def private_rows(peers: list[SimulatedPeer]) -> list[bytes]:
    return [row[:-1].tobytes() for single in peers if single.rows is not None for row in single.rows]


@pytest.mark.parametrize("is_allowed", [pytest.param(False, id="by manifest"), pytest.param(True, id="by operator")])
def test_privacy_mode_lets_out_only_presence_models_and_boards(
    terms: Callable[..., Manifest],
    peer: Callable[..., SimulatedPeer],
    settings: Callable[..., Any],
    simulate: Callable[..., Simulation],
    is_allowed: bool,
) -> None:
    manifest = terms(sharing=is_allowed)
    plain = settings()
    chosen = msgspec.structs.replace(plain, peer=msgspec.structs.replace(plain.peer, private=True)) if is_allowed else plain
    peers = [peer(number, settings=chosen) for number in range(5)]
    crossed: list[Crossing] = []
    with simulate(manifest, peers, tap=crossed.append) as simulation:
        assert simulation.run().finished
    seal = Seal(session_id(manifest), None)
    said: set[type[Content]] = set()
    kinds: set[str] = set()
    for crossing in crossed:
        if crossing.kind == "message":
            signed = decode_message(crossing.data, seal, session=session_id(manifest), limits=manifest.limits)
            said.add(type(signed.announcement.content))
        else:
            kinds.add(file_kind(crossing.data, manifest))
            if file_kind(crossing.data, manifest) == "board":
                entries = decode_board(crossing.data, session=session_id(manifest), limits=manifest.limits)
                assert {type(entry.announcement.content) for entry in entries} <= {ModelOffer}
    assert said == {Presence, ModelOffer}
    assert kinds == {"model", "board"}
    everything = b"".join(crossing.data for crossing in crossed)
    assert not any(row in everything for row in private_rows(peers))


def test_the_same_test_sees_rows_where_they_are_shared(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    manifest = terms(sharing=True)
    peers = [peer(number) for number in range(2)]
    crossed: list[Crossing] = []
    with simulate(manifest, peers, tap=crossed.append) as simulation:
        assert simulation.run().finished
    slices = []
    for crossing in crossed:
        if crossing.kind == "file" and file_kind(crossing.data, manifest) == "something else":
            try:
                slices.append(decode_slice(crossing.data, manifest))
            except BadContentError:
                continue  # a hashlist
    everything = b"".join(crossing.data for crossing in crossed)
    assert sum(len(rows) for rows in slices) == sum(len(single.rows) for single in peers if single.rows is not None)
    assert all(row in everything for row in private_rows(peers))


def test_a_sealed_session_is_repeatable_and_says_nothing(
    terms: Callable[..., Manifest], peer: Callable[..., SimulatedPeer], simulate: Callable[..., Simulation]
) -> None:
    manifest = terms(secret_check=secret_check(SECRET))
    peers = [peer(number) for number in range(4)]

    def run(seed: int) -> tuple[bytes, list[Crossing]]:
        crossed: list[Crossing] = []
        with simulate(manifest, peers, secret=SECRET, seed=seed, loss=0.1, tap=crossed.append) as simulation:
            result = simulation.run()
        assert result.finished
        return result.journal(), crossed

    journal, crossed = run(5)
    assert (journal, crossed) == run(5)
    assert journal != run(6)[0]
    session = session_id(manifest)
    outsider, insider = Seal(session, b"another secret of many bytes"), Seal(session, SECRET)
    for crossing in crossed:
        if crossing.kind == "message":
            with pytest.raises(ForgedError):
                decode_message(crossing.data, outsider, session=session, limits=manifest.limits)
            decode_message(crossing.data, insider, session=session, limits=manifest.limits)
        assert session.encode() not in crossing.data
    assert len({crossing.data[:32] for crossing in crossed}) == len(crossed)
