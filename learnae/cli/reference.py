"""The manual's reference of commands and options, in Markdown: ``docs/cli.md`` holds what this makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
import typer.main

from learnae.cli.program import make_app

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins


def reference(installed: Plugins) -> str:
    """Write every command with its arguments and options, those of these plugins among them."""
    group = typer.main.get_group(make_app(installed))
    above = typer.Context(group, info_name="learnae", help_option_names=["-h", "--help"])
    parts = [_command(command, typer.Context(command, info_name=name, parent=above)) for name, command in group.commands.items()]
    return "\n".join(parts)


def _command(command: Any, ctx: Any) -> str:  # noqa: ANN401  # typer does not name these types
    usage = " ".join(command.collect_usage_pieces(ctx))
    lines = [f"### {ctx.command_path}", "", f"```text\n{ctx.command_path} {usage}\n```", "", _paragraphs(command.help)]
    headings: dict[str, list[str]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            written, summary = (text.replace("|", "\\|") for text in record)
            rows = headings.setdefault(getattr(parameter, "rich_help_panel", None) or default, [])
            rows.append(f"| `{written}` | {' '.join(summary.split())} |")
    for heading in sorted(headings, key=lambda heading: heading != "Arguments"):
        lines += ["", f"| {heading} | |", "|---|---|", *headings[heading]]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
