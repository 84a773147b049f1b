"""Messages as a reader gets them: from anybody, and not always whole."""

from functools import cache
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learnae_iota import Channel, Kernel, Mode, Reader, Signed, choose_kernel, create
from learnae_iota.mam.merkle import MAX_DEPTH, grow
from learnae_iota.mam.messages import MAX_MESSAGE_TRYTES
from learnae_iota.mam.pascal import encode
from learnae_iota.mam.reading import MAX_PAYLOAD_TRYTES
from learnae_iota.mam.signatures import private_key, sign
from learnae_iota.trinary.trytes import ALPHABET, Trits, to_trits, to_trytes

from learnae.errors import BadContentError, DamagedError, ForgedError, TooLargeError, UsageError

SEED = "READER".ljust(81, "9")
KEY = "KEY"
MESSAGE = "ABCDEFGHIJ" * 30
NOT_READ = (DamagedError, ForgedError)


@cache
def signed_in(mode: Mode, security: int = 1, count: int = 2) -> Signed:
    return create(Channel(SEED, mode, KEY if mode is Mode.RESTRICTED else "", security, count=count, next_count=count), MESSAGE)


def reader_of(signed: Signed, mode: Mode) -> Reader:
    return Reader(signed.root, mode, KEY if mode is Mode.RESTRICTED else "")


@pytest.mark.parametrize("security", [1, 2, 3])
@pytest.mark.parametrize("mode", list(Mode))
def test_what_was_made_is_read(kernel: Kernel, mode: Mode, security: int) -> None:
    signed = signed_in(mode, security)
    reader = reader_of(signed, mode)
    message = reader.parse(signed.payload + "9" * 999, kernel)
    assert (message.trytes, message.next_root, message.index) == (MESSAGE, signed.next_root, 0)
    assert (message.security, message.last) == (security, False)
    assert reader.address(kernel) == signed.address
    assert reader.following(message) == Reader(signed.next_root, mode, reader.side_key)


@settings(max_examples=40, deadline=None)
@given(st.text(ALPHABET, min_size=1, max_size=400), st.integers(1, 3), st.sampled_from(Mode), st.data())
def test_anything_comes_back(kernels: list[Kernel], text: str, security: int, mode: Mode, data: st.DataObject) -> None:
    side_key = data.draw(st.text(ALPHABET, min_size=1, max_size=81)) if mode is Mode.RESTRICTED else ""
    channel = Channel(SEED, mode, side_key, security, start=data.draw(st.integers(0, 10**9)))
    made = {create(channel, text, kernel=kernel) for kernel in kernels}
    assert len(made) == 1
    signed = made.pop()
    for kernel in kernels:
        assert Reader(signed.root, mode, side_key).parse(signed.payload, kernel).trytes == text


def changed(payload: str, place: int, by: int = 1) -> str:
    return payload[:place] + ALPHABET[(ALPHABET.index(payload[place]) + by) % 27] + payload[place + 1 :]


@pytest.mark.parametrize("security", [1, 2, 3])
@pytest.mark.parametrize(
    ("parts", "offset"),
    [
        pytest.param(0, 0, id="index"),
        pytest.param(0, 2, id="length"),
        pytest.param(1, 40, id="next root"),
        pytest.param(2, 100, id="message"),
        pytest.param(3, 13, id="nonce"),
        pytest.param(4, 50, id="first fragment"),
        pytest.param(5, -50, id="last fragment"),
        pytest.param(5, 1, id="number of siblings"),
        pytest.param(5, 40, id="sibling"),
    ],
)
def test_a_change_in_any_field_is_noticed(kernel: Kernel, security: int, parts: int, offset: int) -> None:
    signed = signed_in(Mode.PRIVATE, security)
    header = (4 + len(encode(3 * len(MESSAGE)))) // 3
    place = sum([header, 81, len(MESSAGE), 27, 2187 * security][:parts]) + offset
    for by in (1, 5, 13, 26):
        with pytest.raises(NOT_READ):
            reader_of(signed, Mode.PRIVATE).parse(changed(signed.payload, place, by), kernel)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 26))
def test_a_change_anywhere_is_noticed(kernels: list[Kernel], data: st.DataObject, by: int) -> None:
    signed = signed_in(Mode.RESTRICTED)
    place = data.draw(st.integers(0, len(signed.payload) - 2))  # the last tryte may be filled with what nobody reads
    reader, payload = reader_of(signed, Mode.RESTRICTED), changed(signed.payload, place, by)
    for kernel in kernels:
        with pytest.raises(NOT_READ):
            reader.parse(payload, kernel)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_half_a_message_is_none(kernels: list[Kernel], data: st.DataObject) -> None:
    signed = signed_in(Mode.PUBLIC)
    length = data.draw(st.integers(0, len(signed.payload) - 2))
    for kernel in kernels:
        with pytest.raises(NOT_READ):
            reader_of(signed, Mode.PUBLIC).parse(signed.payload[:length], kernel)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=100), st.text(ALPHABET, max_size=500)), st.sampled_from(Mode))
def test_noise_is_no_message(kernels: list[Kernel], payload: str, mode: Mode) -> None:
    reader = reader_of(signed_in(Mode.PUBLIC), mode)
    for kernel in kernels:
        with pytest.raises(NOT_READ):
            reader.parse(payload, kernel)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_noise_in_good_clothes_is_no_message(kernels: list[Kernel], data: st.DataObject) -> None:
    """Noise behind a header that may be right, so that it gets further."""
    header = np.concatenate((encode(data.draw(st.integers(0, 3**12))), encode(data.draw(st.integers(0, 300)))))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    trits = random.integers(-1, 2, data.draw(st.integers(0, 25_000))).astype(np.int8)
    payload = to_trytes(np.concatenate((header, trits)))
    for kernel in kernels:
        with pytest.raises(NOT_READ):
            Reader("A" * 81).parse(payload, kernel)


def test_others_do_not_read_it(kernel: Kernel) -> None:
    signed = signed_in(Mode.RESTRICTED)
    for reader in (
        Reader(signed.root, Mode.RESTRICTED, "YEK"),
        Reader(signed.root, Mode.PRIVATE),
        Reader(signed.next_root, Mode.RESTRICTED, KEY),
    ):
        with pytest.raises(NOT_READ):
            reader.parse(signed.payload, kernel)


def test_too_long_a_payload_is_not_looked_at() -> None:
    signed = signed_in(Mode.PUBLIC)
    with pytest.raises(TooLargeError, match="3000 are allowed"):
        Reader(signed.root, max_trytes=3000).parse("Ä" * 3001)
    with pytest.raises(TooLargeError):
        Reader(signed.root).parse("9" * (MAX_PAYLOAD_TRYTES + 1))


def test_a_payload_that_claims_to_be_huge_is_damaged() -> None:
    header = np.concatenate((encode(0), encode((27**12 - 1) // 2)))
    with pytest.raises(DamagedError, match="says it needs"):
        Reader("A" * 81).parse(to_trytes(header) + "A" * 3000)


def craft(*, index: int = 0, content: Trits, depth: int | None = None, security: int = 1, count: int = 2) -> tuple[str, str]:
    """Make a payload as a writer would who knows the key and not the rules; return it and its root."""
    kernel = choose_kernel()
    channel = Channel(SEED, security=security, count=count)
    tree = grow(channel.plan, kernel)
    header = np.concatenate((encode(index), encode(len(content))))
    sponge = kernel.sponge(27)
    for part in (np.zeros(243, dtype=np.int8), tree.root, header):
        sponge.absorb(part)
    body = sponge.mask(np.concatenate((tree.root, content)))
    nonce = kernel.find_nonce(sponge.state(), security, 1000)
    assert nonce is not None
    masked_nonce = sponge.mask(nonce)
    key = private_key(kernel, to_trits(SEED), index % count, security)
    siblings = tree.siblings(index % count)
    tail = [sign(kernel, key, sponge.state()[:243]), encode(len(siblings) if depth is None else depth), siblings.reshape(-1)]
    return to_trytes(np.concatenate((header, body, masked_nonce, sponge.mask(np.concatenate(tail))))), to_trytes(tree.root)


def trits(count: int) -> Trits:
    return np.ones(count, dtype=np.int8)


def test_crafting_makes_what_can_be_read() -> None:
    payload, root = craft(index=1, content=trits(6))
    assert Reader(root).parse(payload).trytes == "MM"


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        pytest.param(craft(content=trits(7)), "a message of 7 trits", id="a third of a tryte"),
        pytest.param(craft(content=trits(0)), "a message of 0 trits", id="nothing"),
        pytest.param(craft(index=2, content=trits(6)), "leaf 2 of a tree of 2", id="a leaf that the tree has not"),
        pytest.param(craft(index=2**20, content=trits(6), count=1), "leaf 1048576 of a tree of 1", id="far outside"),
        pytest.param(craft(content=trits(6), security=1), "a message of security 1; at least 2 is asked for", id="weak"),
    ],
)
def test_what_is_signed_and_wrong_is_charged(kernel: Kernel, payload: tuple[str, str], sentence: str) -> None:
    with pytest.raises(BadContentError, match=sentence):
        Reader(payload[1], min_security=2 if "security" in sentence else 1).parse(payload[0], kernel)


@pytest.mark.parametrize("depth", [2, MAX_DEPTH + 1, 10**15])
def test_a_path_that_is_longer_than_the_payload_is_damaged(kernel: Kernel, depth: int) -> None:
    payload, root = craft(content=trits(6), depth=depth)
    with pytest.raises(DamagedError, match=f"a path through {depth} levels"):
        Reader(root).parse(payload + ("" if depth == 2 else "9" * 5000), kernel)


def test_a_reader_passes_over_what_is_no_message() -> None:
    channel = Channel(SEED, Mode.PRIVATE, security=1, count=4)
    found = ["", "9" * 5000, "not trytes", "A" * (MAX_PAYLOAD_TRYTES + 1)]
    reader = Reader(create(channel, "A").root, Mode.PRIVATE)
    for text in "ABCD":
        signed = create(channel, text)
        found += [signed.payload, changed(signed.payload, 100), signed.payload + "99"]
        channel = signed.after
    messages = reader.gather(reversed(found))
    assert [message.trytes for message in messages] == ["A", "B", "C", "D"]
    assert [message.last for message in messages] == [False, False, False, True]
    assert reader.following(messages[-1]).gather(found) == []
    assert reader.gather([]) == []


def test_the_first_of_two_messages_of_one_key_counts() -> None:
    channel = Channel(SEED, security=1)
    payloads = [create(channel, text).payload for text in "AB"]
    for first, second in permutations(payloads):
        assert Reader(create(channel, "A").root).gather([first, second])[0].trytes == "AB"[payloads.index(first)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param({"root": "A"}, "a root has to be 81 trytes", id="root"),
        pytest.param({"mode": Mode.RESTRICTED}, "needs a side key", id="side key"),
        pytest.param({"mode": "open"}, "no mode named 'open'", id="mode"),
        pytest.param({"min_security": 4}, "a security of 4", id="security"),
        pytest.param({"max_trytes": 0}, "payloads of 0 trytes", id="no trytes"),
        pytest.param({"max_trytes": MAX_PAYLOAD_TRYTES + 1}, "up to 3 and", id="too many trytes"),
    ],
)
def test_readers_that_cannot_be_are_the_callers_fault(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Reader(**{"root": "A" * 81} | arguments)  # type: ignore[arg-type]  # they are wrong on purpose


def test_the_longest_message_is_read() -> None:
    signed = create(Channel(SEED, security=3), "A" * MAX_MESSAGE_TRYTES)
    assert (
        len(Reader(signed.root).parse(signed.payload.ljust(-(-len(signed.payload) // 2187) * 2187, "9")).trytes)
        == MAX_MESSAGE_TRYTES
    )
