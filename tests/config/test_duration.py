import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnae.config.duration import format_duration, parse_duration
from learnae.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("1h30m", 5400.0), ("1d1s", 86401.0), ("0.25s", 0.25), ("0s", 0.0)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "30m1h", "1h1h", "-1s", "1.5h", "1 h", "1h\n", "٣s", "1.s", "9" * 30 + "s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write one such as 90s, 10m, 2h or 1h30m"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**11))
def test_what_is_written_is_read_back_to_the_millisecond(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-4)


@pytest.mark.parametrize(("seconds", "text"), [(5400.0, "1h30m"), (0.0, "0s"), (90.5, "1m30.5s"), (86400.0, "1d")])
def test_it_is_written_as_people_write_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
