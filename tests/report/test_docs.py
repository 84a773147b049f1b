"""docs/events.md says everything that the Structs say, and nothing else."""

import json
import re
import typing
from pathlib import Path

import msgspec
import pytest

from learnae.report.schema import events_schema
from learnae.values.journal import AnyFact, CycleEnded, Fact, JournalLine
from learnae.values.scores import Score

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
FACTS = typing.get_args(AnyFact)


def names(struct: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(struct)]


def tag(fact: type[Fact]) -> str:
    config = fact.__struct_config__
    assert isinstance(config.tag, str)
    return config.tag


def sections() -> dict[str, list[str]]:
    found = {}
    for part in re.split(r"^#{2,3} ", TEXT, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        if named := re.fullmatch(r"`([a-z_]+)`", heading):
            found[named[1]] = re.findall(r"^\| `([a-z_]+)` \|", body, flags=re.MULTILINE)
    return found


def test_every_fact_has_its_section_and_no_other_has_one() -> None:
    assert sorted(sections()) == sorted(tag(fact) for fact in FACTS)


@pytest.mark.parametrize("fact", FACTS, ids=tag)
def test_all_fields_are_described_in_their_order(fact: type[Fact]) -> None:
    assert sections()[tag(fact)] == names(fact)


@pytest.mark.parametrize("struct", [pytest.param(JournalLine, id="line"), pytest.param(Score, id="score")])
def test_the_shared_values_are_described(struct: type[msgspec.Struct]) -> None:
    head = TEXT.split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \|", head, flags=re.MULTILINE)
    assert [row for row in rows if row in names(struct)] == names(struct)


def test_defaults_are_told() -> None:
    body = TEXT.split("### `cycle`")[1].split("\n### ")[0]
    optional = [field.name for field in msgspec.structs.fields(CycleEnded) if not field.required]
    told = [line.split("`")[1] for line in body.splitlines() if "default" in line]
    assert told == optional


def test_the_schema_knows_every_fact_and_is_json() -> None:
    schema = events_schema()
    assert json.loads(json.dumps(schema)) == schema
    tags = {value["properties"]["type"]["enum"][0] for value in schema["$defs"].values() if "type" in value.get("properties", {})}
    assert tags == {tag(fact) for fact in FACTS}
    assert schema["$defs"]["JournalLine"]["required"] == ["time", "peer", "fact"]
