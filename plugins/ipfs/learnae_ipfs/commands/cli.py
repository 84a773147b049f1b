"""The commands `learnae ipfs address`, `status` and `gc`."""

from __future__ import annotations

import asyncio
import json as writing
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from learnae.errors import ProviderError
from learnae.interfaces.commands import DescribedPeer, PeerCommands

if TYPE_CHECKING:
    from learnae_ipfs.access import Access
    from learnae_ipfs.settings import IpfsSettings

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")]

ADDRESS_PATIENCE_S = 5.0
"""How long to wait for an address that works from the internet: a router that maps ports takes a few seconds."""


def add_commands(app: typer.Typer, commands: PeerCommands) -> None:
    """Add the group of commands `ipfs`."""
    ipfs = typer.Typer(help="The IPFS daemon of a peer: its addresses, how it is, what it need not hold.", no_args_is_help=True)
    for command in (address, status, gc):
        ipfs.command()(commands.for_peer("ipfs")(command))
    app.add_typer(ipfs, name="ipfs")


def address(peer: DescribedPeer, *, json: Json = False) -> None:
    """Print the addresses to give to a friend, who types `learnae run --bootstrap ADDRESS`.

    The best comes first: those that work from the whole internet, then those through a friend, then those of the local network.
    Works while the peer runs, and before it was ever started; a private daemon that does not run is started for a few seconds.
    """
    from learnae_ipfs.commands.addressing import Reachable, whereabouts  # noqa: PLC0415  # a command imports when it is called

    async def ask(access: Access, settings: IpfsSettings) -> tuple[Reachable, bool]:
        patience_s = 0.0 if settings.listen.startswith("127.") else ADDRESS_PATIENCE_S
        return await whereabouts(await access.kubo(), settings.announce, patience_s=patience_s), access.is_own

    found, is_own = _with_daemon(peer, ask)
    if json:
        addresses = [{"address": str(each), "reach": each.reach, "relayed": each.is_relayed} for each in found.addresses]
        typer.echo(writing.dumps({"peer": found.peer, "reachability": found.reachability, "addresses": addresses}, indent=2))
        return
    if not found.addresses:
        raise ProviderError(f"the IPFS daemon {found.peer} has no address under which others could reach it")
    typer.echo("\n".join(map(str, found.addresses)))
    typer.echo(f"The IPFS daemon {found.sentence(own=is_own)}.", err=True)


def status(peer: DescribedPeer, *, json: Json = False) -> None:
    """Show how the IPFS daemon of a peer is: its version, its neighbours, what it sent and received, what it holds.

    A private daemon that does not run is not started.
    """
    from learnae_ipfs.commands.standing import ask  # noqa: PLC0415  # a command imports when it is called

    found = asyncio.run(ask(peer.context))
    typer.echo(writing.dumps(found.as_json(), indent=2) if json else "\n".join(found.lines()))


def gc(
    peer: DescribedPeer,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and drop nothing.")] = False,
    leave: Annotated[
        bool, typer.Option("--leave", help="Drop everything of this peer's, which does not come back; it must not run.")
    ] = False,
    json: Json = False,
) -> None:
    """Drop files that this peer neither offers nor keeps any more, and what else its private daemon need not hold.

    A running peer does this by itself as the session goes; this is for what stayed behind, such as after a crash. On a daemon
    that somebody else runs, only references of this session and peer are dropped, and its repository's collector is never run.
    With --leave all that the daemon holds for this peer goes, its mailbox and its name too: before its state folder is deleted.
    """
    from learnae_ipfs.commands.garbage import Collected, collect  # noqa: PLC0415  # a command imports when it is called

    if not peer.is_known:
        raise ProviderError(f"{peer.state}: no peer was started in this state folder, so that nothing is known of what it needs")
    if leave and peer.runs:
        raise ProviderError(f"{peer.state}: the peer runs; stop it first, and then let it leave")

    async def work(access: Access, _: IpfsSettings) -> Collected:
        return await collect(access, peer, dry_run=dry_run, leave=leave)

    found = _with_daemon(peer, work)
    typer.echo(writing.dumps(found.as_json(), indent=2) if json else "\n".join(found.lines()))


def _with_daemon(peer: DescribedPeer, use: Callable[[Access, IpfsSettings], Awaitable[T]]) -> T:
    """Contact or start the daemon of a peer, and let it go afterwards."""
    from learnae_ipfs.commands.daemons import access_for_command  # noqa: PLC0415  # a command imports when it is called
    from learnae_ipfs.reading import read_settings  # noqa: PLC0415  # the same

    context = peer.context
    settings = read_settings(context.options, context.tell)

    async def run() -> T:
        access = await access_for_command(settings, context)
        try:
            return await use(access, settings)
        finally:
            await access.aclose()

    return asyncio.run(run())
