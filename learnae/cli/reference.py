"""The manual's reference of commands and options, in Markdown: ``docs/cli.md`` holds what this makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
import typer.main

from learnae.cli.program import make_app

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins

PEER = "run"
"""The command whose options those of plugins may take as well; they are written once."""


def reference(installed: Plugins) -> str:
    """Write every command with its arguments and options, those of these plugins among them."""
    group: Any = typer.main.get_group(make_app(installed))
    above = typer.Context(group, info_name="learnae", help_option_names=["-h", "--help"])
    of_peers = _tables(group.commands[PEER], typer.Context(group.commands[PEER], info_name=PEER, parent=above))
    return "\n".join(_command(command, ctx, of_peers) for command, ctx in _all_commands(group, above))


def _all_commands(group: Any, above: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401  # typer does not name these types
    for name, command in group.commands.items():
        ctx = typer.Context(command, info_name=name, parent=above)
        if hasattr(command, "commands"):
            yield from _all_commands(command, ctx)
        else:
            yield command, ctx


def _command(command: Any, ctx: Any, of_peers: dict[str, list[str]]) -> str:  # noqa: ANN401  # as above
    usage = " ".join(command.collect_usage_pieces(ctx))
    lines = [f"### {ctx.command_path}", "", f"```text\n{ctx.command_path} {usage}\n```", "", _paragraphs(command.help)]
    tables = _tables(command, ctx)
    is_plugins = ctx.parent.parent is not None
    known = [heading for heading in tables if is_plugins and tables[heading] == of_peers.get(heading)]
    for heading in sorted(set(tables) - set(known), key=lambda heading: (heading != "Arguments", list(tables).index(heading))):
        lines += ["", f"| {heading} | |", "|---|---|", *tables[heading]]
    if known:
        lines += ["", f"And these of [`learnae {PEER}`](#learnae-{PEER}): {', '.join(known)}."]
    return "\n".join(lines) + "\n"


def _tables(command: Any, ctx: Any) -> dict[str, list[str]]:  # noqa: ANN401  # as above
    """Map each heading to the rows of its options."""
    tables: dict[str, list[str]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            written, summary = (text.replace("|", "\\|") for text in record)
            rows = tables.setdefault(getattr(parameter, "rich_help_panel", None) or default, [])
            rows.append(f"| `{written}` | {' '.join(summary.split())} |")
    return tables


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
