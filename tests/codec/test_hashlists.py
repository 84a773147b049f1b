import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import canonical
from learnae.codec.hashlists import decode_hashlist, encode_hashlist
from learnae.errors import BadContentError, UsageError
from learnae.values.announcements import Hashlist, HashlistEntry
from learnae.values.ids import Digest, Locator, SessionId
from learnae.values.manifest import Limits

SESSION = SessionId("5e" * 32)


def entry(number: int) -> HashlistEntry:
    return HashlistEntry(Digest(f"{number:064x}"), number + 1, number % 2 == 0, (Locator(f"memory:{number}"),))


def read(data: bytes, limits: Limits = Limits()) -> Hashlist:  # noqa: B008 - frozen
    return decode_hashlist(data, session=SESSION, limits=limits)


@given(st.sets(st.integers(0, 1000), max_size=8), st.randoms(use_true_random=False))
def test_a_hashlist_is_sorted_and_survives(numbers: set[int], random: object) -> None:
    ordered = tuple(entry(number) for number in sorted(numbers))
    shuffled = list(ordered)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    data = encode_hashlist(Hashlist(1, SESSION, tuple(shuffled)))
    assert data == encode_hashlist(Hashlist(1, SESSION, ordered))
    assert read(data) == Hashlist(1, SESSION, ordered)


def test_a_slice_is_named_once() -> None:
    with pytest.raises(UsageError, match="once"):
        encode_hashlist(Hashlist(1, SESSION, (entry(1), entry(1))))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"protocol": 2}, "protocol version 2", id="protocol"),
        pytest.param({"session": SessionId("00" * 32)}, "of session 0000", id="session"),
        pytest.param({"entries": (entry(2), entry(1))}, "not sorted", id="order"),
        pytest.param({"entries": (entry(1), entry(1))}, "not sorted", id="twice"),
        pytest.param({"entries": (HashlistEntry(Digest("../../etc"), 1, False, (Locator("a:b"),)),)}, "regex", id="digest"),
        pytest.param({"entries": (HashlistEntry(Digest("00" * 32), 0, False, (Locator("a:b"),)),)}, ">= 1", id="rows"),
        pytest.param({"entries": (HashlistEntry(Digest("00" * 32), 1, False, ()),)}, "length", id="locators"),
    ],
)
def test_wrong_hashlists_are_refused(change: dict[str, object], complaint: str) -> None:
    wrong = msgspec.structs.replace(Hashlist(1, SESSION, (entry(1),)), **change)
    with pytest.raises(BadContentError, match=complaint):
        read(canonical.encode(wrong))


def test_the_limit_holds() -> None:
    data = encode_hashlist(Hashlist(1, SESSION, (entry(1),)))
    assert read(data, Limits(hashlist_bytes=len(data)))
    with pytest.raises(BadContentError, match="bytes where"):
        read(data, Limits(hashlist_bytes=len(data) - 1))


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadContentError):
        read(data)
