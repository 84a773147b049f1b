"""How a peer trains: its own choice, which changes nothing that others must believe."""

from typing import Annotated

import msgspec
from msgspec import Meta

Choice = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}\Z", extra={"accepted": "a name of small letters, digits and hyphens"})
]
Seconds = Annotated[float, Meta(ge=0.0, le=31_536_000.0)]
Tuning = Annotated[dict[str, str | int | float | bool], Meta(max_length=64)]


class TrainingSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[training]``."""

    framework: Annotated[Choice, Meta(description="What computes the gradients; `learnae plugins` lists what is installed.")] = (
        "jax"
    )
    model: Annotated[
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*\Z",
                max_length=200,
                extra={"accepted": "module:function"},
            ),
        ]
        | None,
        Meta(description="Your own model, for a session whose architecture is custom: the function that builds it."),
    ] = None
    epochs: Annotated[int, Meta(ge=1, le=100_000, description="Passes over the rows of one work cycle.")] = 5
    batch_size: Annotated[int, Meta(ge=1, le=2**24, description="Rows in one gradient step.")] = 32
    optimiser: Annotated[
        str, Meta(min_length=1, max_length=64, description="The optimiser, by the name that the framework gives it.")
    ] = "adam"
    learning_rate: Annotated[float, Meta(gt=0.0, le=1e6, description="The optimiser's step size.")] = 1e-3
    optimiser_options: Annotated[Tuning, Meta(description="Further arguments of the optimiser, by name.")] = {}
    schedule: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="A schedule of the learning rate, by the name that the framework gives it; none keeps it constant."),
    ] = None
    schedule_options: Annotated[Tuning, Meta(description="Arguments of the schedule, by name.")] = {}
    slices_per_cycle: Annotated[int, Meta(ge=1, le=10_000, description="Dataslices that one work cycle trains on together.")] = 1
    pass_spacing: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(
            description="Passes over other dataslices between two over the same one, while more keep coming; by default 1000 "
            "where sensors are read, else 0."
        ),
    ] = None
    pass_hold_s: Annotated[
        Seconds, Meta(description="Seconds without new readings and dataslices after which passes need not lie apart any more.")
    ] = 120.0

    def for_framework(self) -> dict[str, object]:
        """Return what a framework is told when it is opened (``Context.training``).

        Keys: ``optimiser`` (text), ``learning_rate`` (float), ``optimiser_options`` (dict), ``schedule`` (text or ``None``) and
        ``schedule_options`` (dict). Epochs and batch size come with each call of ``train``.
        """
        return {
            "optimiser": self.optimiser,
            "learning_rate": self.learning_rate,
            "optimiser_options": dict(self.optimiser_options),
            "schedule": self.schedule,
            "schedule_options": dict(self.schedule_options),
        }
