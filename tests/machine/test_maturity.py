"""Maturity grows with every work cycle, and stays a number that others can read."""

import msgspec

from learnae.values.announcements import ModelRecord, matured
from learnae.values.ids import MOST_COUNT, Digest
from learnae.values.scores import Score


def test_it_grows_by_one() -> None:
    assert matured(0) == 1
    assert matured(41) == 42


def test_what_is_made_of_the_oldest_model_that_can_be_claimed_can_still_be_read() -> None:
    record = ModelRecord(Digest("0" * 64), Score(0.5, 1.0, 10), matured(MOST_COUNT))
    assert msgspec.json.decode(msgspec.json.encode(record), type=ModelRecord) == record
