"""How commands look and end: options under headings, and errors of the operator as one line and exit status 2."""

from __future__ import annotations

from typing import Any

import typer
import typer.core

from learnae.cli.output import complain
from learnae.errors import OperatorError

OPERATOR_STATUS = 2
"""Something that the operator has to put right; typer uses the same for options that do not exist."""


class GroupedCommand(typer.core.TyperCommand):
    """Shows its options under the headings that they name (``rich_help_panel``), without what that costs with rich."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # typer does not name these types
        """Write arguments, then options, heading by heading."""
        headings: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                default = "Arguments" if parameter.param_type_name == "argument" else "Options"
                headings.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(record)
        for heading in sorted(headings, key=lambda heading: heading != "Arguments"):
            with formatter.section(heading):
                formatter.write_dl(headings[heading])


class Commands(typer.core.TyperGroup):
    """The commands; what an operator can put right is one line."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  # as above
        """Keep the order in which they were added."""
        del ctx
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # as above
        """Run a command."""
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            complain(str(error))
            raise typer.Exit(OPERATOR_STATUS) from error
