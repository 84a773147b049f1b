"""``learnae plugins``: what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from learnae.cli.output import data, data_json

if TYPE_CHECKING:
    from learnae.plugins.listing import Listing, ProviderLine


def plugins(
    ctx: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
) -> None:
    """List what is installed.

    Transports, storages, sensor sources and frameworks, where each comes from, its options, and what failed to load and why.
    """
    listing = ctx.obj.listing()
    if json:
        data_json(listing)
        return
    data("\n".join(_lines(listing)))


def _lines(listing: Listing) -> list[str]:
    lines: list[str] = []
    width = max((len(each.name) for each in listing.providers), default=0)
    for capability in dict.fromkeys(each.capability for each in listing.providers):
        lines += [*([""] if lines else []), typer.style(capability, bold=True)]
        for each in listing.providers:
            if each.capability is capability:
                lines += _provider(each, width)
    for clash in listing.clashes:
        names = " and ".join(str(source) for source in clash.sources)
        text = f"{len(clash.sources)} plugins provide a {clash.capability} named {clash.name!r}: {names}; uninstall all but one"
        lines += ["", f"{typer.style('clash', fg='red')}  {text}"]
    for failure in listing.failures:
        what = f"{failure.source.plugin} of {failure.source}" + (f", {failure.hook}" if failure.hook else "")
        lines += ["", f"{typer.style('failed', fg='red')}  {what}: {failure.error}"]
    return lines


def _provider(provider: ProviderLine, width: int) -> list[str]:
    lines = [f"  {provider.name:<{width}}  {provider.summary}  ({provider.source})"]
    for option in provider.options:
        key = option.flag or f"--set plugins.{provider.name}.{option.name}="
        default = "" if option.default is None else f" [{str(option.default).lower()}]"
        lines.append(f"  {'':<{width}}    {key}  {option.summary}{default}")
    return lines
