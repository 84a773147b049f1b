"""``learnae tangle``: the ledger that a development node keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_DEVELOPMENT = """\
This is a development node: it stands alone, keeps no tokens, and confirms by itself whatever is whole and in order.
A community in earnest runs HORNET nodes with a coordinator instead."""
_EXPOSED = "It listens beyond this machine, without passwords and without encryption: whoever reaches it may write to its ledger."


def add_commands(app: typer.Typer) -> None:
    """Add the commands."""
    tangle = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    tangle.callback()(_tangle)
    tangle.command()(serve)
    app.add_typer(tangle, name="tangle")


def _tangle() -> None:
    """A tangle of your own, to try things out."""


def serve(
    *,
    db: Annotated[Path, typer.Option(help="The ledger's file; made if it is not there.")] = Path("tangle.sqlite"),
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at; 0 takes any that is free.")] = 14265,
    mwm: Annotated[int, typer.Option(help="The weight magnitude that it demands, 1 to 20.")] = 9,
    milestone_interval: Annotated[float, typer.Option(help="Seconds between two looks for what can be confirmed.")] = 1.0,
    max_transactions: Annotated[int, typer.Option(help="How many the ledger takes; each needs about 4 kB.")] = 1_000_000,
    max_requests: Annotated[float, typer.Option(help="Requests a second from one address, on average; 0: any number.")] = 1000.0,
    remote_work: Annotated[bool, typer.Option("--remote-work", help="Do proof of work for other machines too.")] = False,
    cors: Annotated[bool, typer.Option("--cors/--no-cors", help="Let web pages ask it.")] = True,
) -> None:
    """Run a development node with the API that PyOTA and mam.js speak.

    Writes the node's address to stdout. Ctrl-C, or SIGTERM, ends it; the same command goes on with the same ledger.
    """
    import asyncio  # noqa: PLC0415  # a command imports when it runs, so that --help stays fast
    import ipaddress  # noqa: PLC0415  # the same

    from learnae_iota.serving.development import DevelopmentNode, serve_until_signalled  # noqa: PLC0415  # the same
    from learnae_iota.serving.settings import NodeSettings  # noqa: PLC0415  # the same

    settings = NodeSettings(
        weight=mwm,
        milestone_interval_s=milestone_interval,
        max_transactions=max_transactions,
        max_requests_per_s=max_requests,
        remote_work=remote_work,
        cors=cors,
    )
    node = DevelopmentNode.open(db, settings, host=host, port=port)
    typer.echo(_DEVELOPMENT, err=True)
    if not ipaddress.ip_address(node.host).is_loopback:
        typer.echo(_EXPOSED, err=True)
    typer.echo(f"Weight magnitude {mwm}, ledger {db}. Ctrl-C ends it.", err=True)
    typer.echo(node.url)
    asyncio.run(serve_until_signalled(node))
