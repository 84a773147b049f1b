"""``learnae check``: is everything there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from learnae.cli.output import data, data_json
from learnae.cli.settings_options import Given

if TYPE_CHECKING:
    from learnae.config.resolve import Origin, Resolved
    from learnae.interfaces.provider import Finding

MISSING_STATUS = 1
"""Something is missing; 0 is all well, 2 says that the settings themselves cannot be read."""


def check(
    ctx: typer.Context,
    given: Given,
    *,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
) -> None:
    """Look whether everything is there to be a peer.

    Takes the same options as `learnae run`, looks whether everything is there that it would need, and says what to type if not.
    Shows the effective value of every setting and where it comes from. Exit status 0: all is well; 1: something is missing;
    2: the settings themselves cannot be read.
    """
    from learnae.cli.inspection import inspect_peer

    resolved = given.resolve(ctx.obj)
    findings = inspect_peer(resolved.settings, ctx.obj)
    ok = all(finding.ok for finding in findings)
    if json:
        data_json(_as_json(resolved, findings, ok=ok))
    else:
        data("\n".join([*_settings(resolved), "", *_findings(findings)]))
    if not ok:
        raise typer.Exit(MISSING_STATUS)


def _as_json(resolved: Resolved, findings: tuple[Finding, ...], *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "file": None if resolved.file is None else str(resolved.file),
        "settings": [
            {"key": key, "value": _plain(origin.value), "source": origin.source} for key, origin in resolved.origins.items()
        ],
        "findings": findings,
    }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float | str | dict | list | tuple) else str(value)


def _settings(resolved: Resolved) -> list[str]:
    from learnae.config.template import toml_value

    def written(origin: Origin) -> str:
        return "none" if origin.value is None else toml_value(origin.value)

    widest = max(len(key) for key in resolved.origins)
    values = min(40, max(len(written(origin)) for origin in resolved.origins.values()))
    lines = [typer.style("Settings", bold=True)]
    for key, origin in resolved.origins.items():
        line = f"  {key:<{widest}}  {written(origin):<{values}}  {origin.source}"
        lines.append(typer.style(line, dim=True) if origin.source == "default" else line)
    return lines


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    lines = [typer.style("Findings", bold=True)]
    for finding in findings:
        mark = typer.style("ok", fg="green") if finding.ok else typer.style("NO", fg="red", bold=True)
        lines.append(f"  {mark}  {finding.text}")
        if finding.advice and not finding.ok:
            lines.append(f"      type: {finding.advice}")
    missing = sum(not finding.ok for finding in findings)
    lines += ["", "All is well." if not missing else f"{missing} of {len(findings)} things are not as they must be."]
    return lines
