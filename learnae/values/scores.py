"""How well a model does on some rows."""

from typing import Annotated

import msgspec
from msgspec import Meta

from learnae.values.ids import Count

Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]


class Score(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's score on a set of rows.

    Attributes:
        accuracy: The session's metric, higher is better: the share of rows classified rightly, 0 to 1, or, for
            regression, the coefficient of determination R², at most 1.
        loss: Mean loss over the rows, lower is better: cross-entropy in nats, or half the squared error.
        rows: How many rows it was measured on.
    """

    accuracy: Finite
    loss: Finite
    rows: Count
