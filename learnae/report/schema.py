"""The schema of ``events.jsonl``, for programs."""

from typing import Any

import msgspec

from learnae.values.journal import JournalLine


def events_schema() -> dict[str, Any]:
    """Describe one line of ``events.jsonl`` as a JSON Schema (draft 2020-12), ready for ``json.dumps``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of LEARNAE's events.jsonl",
        **msgspec.json.schema(JournalLine),
    }
    # Defaults come as Python's values, such as an empty tuple.
    return msgspec.json.decode(msgspec.json.encode(schema), type=dict[str, Any])
