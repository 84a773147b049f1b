from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.codec import canonical
from learnae.errors import BadContentError, UsageError
from learnae.values.manifest import Custom, Mlp
from learnae.values.scores import Score

SCORE = b'{"accuracy":0.5,"loss":1.0,"rows":3}'


def read(data: bytes, kind: Any = Score, most: int = 1000) -> Any:
    return canonical.decode(data, kind, max_bytes=most, what="score")


def test_the_canonical_bytes_are_compact_json_in_declared_order() -> None:
    assert canonical.encode(Score(0.5, 1.0, 3)) == SCORE
    assert read(SCORE) == Score(0.5, 1.0, 3)


@given(st.builds(Score, *[st.floats(-1e30, 1e30)] * 2, st.integers(0, 2**53 - 1)))
def test_what_is_written_is_read(score: Score) -> None:
    assert read(canonical.encode(score)) == score


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(SCORE[:-1], id="cut short"),
        pytest.param(SCORE + b" ", id="trailing white space"),
        pytest.param(SCORE.replace(b":", b": "), id="inner white space"),
        pytest.param(SCORE + SCORE, id="twice"),
        pytest.param(b'{"accuracy":0.5,"accuracy":0.5,"loss":1.0,"rows":3}', id="duplicate key"),
        pytest.param(b'{"loss":1.0,"accuracy":0.5,"rows":3}', id="another order"),
        pytest.param(SCORE.replace(b"}", b',"more":1}'), id="unknown key"),
        pytest.param(b'{"accuracy":0.5,"loss":1.0}', id="missing key"),
        pytest.param(SCORE.replace(b"0.5", b"0.50"), id="another spelling of a number"),
        pytest.param(SCORE.replace(b"1.0", b"1"), id="an integer for a float"),
        pytest.param(SCORE.replace(b"3", b"3.0"), id="a float for an integer"),
        pytest.param(SCORE.replace(b"3", b"9" * 700), id="a number out of range"),
        pytest.param(SCORE.replace(b"0.5", b"NaN"), id="nan"),
        pytest.param(SCORE.replace(b"0.5", b"null"), id="null"),
        pytest.param(SCORE.replace(b"0.5", b"1e999"), id="infinite"),
        pytest.param(SCORE.replace(b"rows", b"\\u0072ows"), id="an escaped key"),
        pytest.param(SCORE.replace(b"rows", b"ro\xffws"), id="bad UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + SCORE, id="byte order mark"),
        pytest.param(b"[" * 900, id="brackets"),
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadContentError, match=r"^score: "):
        read(data)


def test_a_tower_of_brackets_does_not_topple_the_reader() -> None:
    with pytest.raises(BadContentError):
        read(b'{"accuracy":' + b"[" * 200_000, most=10**6)


def test_a_left_out_default_is_refused() -> None:
    with pytest.raises(BadContentError, match="canonical"):
        read(b'{"type":"mlp","hidden":[3]}', Mlp)


def test_an_escaped_letter_is_refused() -> None:
    assert read(b'{"type":"custom","label":"a"}', Custom) == Custom("a")
    with pytest.raises(BadContentError, match="canonical"):
        read(b'{"type":"custom","label":"\\u0061"}', Custom)


def test_size_is_looked_at_first() -> None:
    assert read(SCORE, most=len(SCORE))
    with pytest.raises(BadContentError, match=rf"{len(SCORE)} bytes where at most {len(SCORE) - 1} "):
        read(SCORE, most=len(SCORE) - 1)


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        canonical.encode(Custom("\ud800"))


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_give_a_value_with_these_bytes_or_the_one_error(data: bytes) -> None:
    try:
        value = read(data, tuple[Score, ...])
    except BadContentError:
        return
    assert canonical.encode(value) == data
