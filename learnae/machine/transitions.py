"""Which event is legal in which phase, and to which phases it may lead. Everything that affects the phase is said here.

The table is drawn in ``docs/transitions.md`` by ``transition_table``; a test compares the two.
"""

from typing import Final

from learnae.machine import events
from learnae.values.choices import Phase

RESTING: Final = frozenset({Phase.WAITING, Phase.IDLE, Phase.FINISHED})
"""No work is under way: whatever happens, the machine decides anew."""

FOLDING: Final = frozenset({Phase.AVERAGING, Phase.EXPLORING, Phase.ADOPTING})
"""A remote model is being fetched, averaged and scored."""

WORKING: Final = FOLDING | {Phase.SCORING, Phase.TRAINING}
"""A job is under way, whose result is the only thing that ends the phase."""

DECIDED: Final = RESTING | WORKING
"""What a decision may come to."""

NEWS: Final[tuple[type, ...]] = (
    events.ValidationGathered,
    events.SlicesCut,
    events.SlicesLost,
    events.SlicesStored,
    events.FileStored,
    events.StoreFailed,
    events.Kept,
    events.KeepFailed,
    events.FilesReleased,
    events.ReleaseFailed,
    events.InventoryTaken,
    events.InventoryFailed,
    events.Heard,
    events.BoardFetched,
    events.HashlistFetched,
    events.SliceFetched,
    events.FetchFailed,
    events.ReadingsArrived,
    events.TimePassed,
)
"""What may come at any time while the peer runs."""

MAY_HALT: Final[tuple[type, ...]] = (events.Heard, events.BoardFetched)
"""What may show that somebody else signs with this peer's key."""


def _build() -> dict[tuple[Phase, type], frozenset[Phase]]:
    table: dict[tuple[Phase, type], frozenset[Phase]] = {(Phase.NEW, events.Started): DECIDED}
    for phase in (*RESTING, *WORKING):
        for news in NEWS:
            after = DECIDED if phase in RESTING else frozenset({phase})
            table[phase, news] = after | {Phase.STOPPED} if news in MAY_HALT else after
    table[Phase.SCORING, events.OwnScored] = DECIDED
    table[Phase.TRAINING, events.ModelTrained] = DECIDED
    table[Phase.TRAINING, events.TrainingFailed] = DECIDED
    for phase in FOLDING:
        table[phase, events.ModelFolded] = DECIDED
        table[phase, events.FoldFailed] = DECIDED
    for phase in (Phase.NEW, *RESTING, *WORKING):
        table[phase, events.StopRequested] = frozenset({Phase.STOPPED})
    return table


TRANSITIONS: Final = _build()
"""Phase and event type to the phases it may lead to; what is not here is illegal."""


def transition_table() -> str:
    """Draw the table in Markdown: a row for each event, a column for each phase.

    ``·``: illegal. ``stays``: the phase remains. ``decide``: whatever a decision may come to. ``stopped``: for good.
    """
    order = list(Phase)
    names = list(dict.fromkeys(event.__name__ for _, event in TRANSITIONS))
    lines = ["| event | " + " | ".join(order) + " |", "|---|" + "---|" * len(order)]
    for name in names:
        cells = []
        for phase in order:
            after = next((after for (at, event), after in TRANSITIONS.items() if at is phase and event.__name__ == name), None)
            cells.append(_cell(phase, after))
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(phase: Phase, after: frozenset[Phase] | None) -> str:
    if after is None:
        return "·"
    if after == {Phase.STOPPED}:
        return "stopped"
    halts = " or stopped" if Phase.STOPPED in after else ""
    return ("stays" if after - {Phase.STOPPED} == {phase} else "decide") + halts
