"""A peer whose transport loses a share of everything, for ``ipfs_loss.py``: ``python lossy_peer.py CONFIG SEED SHARE``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import learnae_ipfs

import learnae.builtins.jax_framework
import learnae.builtins.numpy_framework
from learnae import Context, Plugins, Provider, Transport, hookimpl, load_settings, run_peer
from learnae.testing.faults import Fault, FaultyTransport, draw_schedule

CALLS = 200_000


class LossyIpfs:
    """The plugin of IPFS, but its transport loses messages, going out and coming in alike."""

    def __init__(self, seed: int, share: float) -> None:
        self._seed, self._share = seed, share

    @hookimpl
    def learnae_transports(self) -> list[Provider[Transport]]:
        """Wrap the real ones."""
        return [replace(provider, open=self._wrapped(provider)) for provider in learnae_ipfs.learnae_transports()]

    learnae_storages = staticmethod(learnae_ipfs.learnae_storages)

    def _wrapped(self, provider: Provider[Transport]):  # noqa: ANN202 - the type of Provider.open
        def lost(seed: int) -> dict[int, Fault]:
            return draw_schedule(seed, length=CALLS, share=self._share, faults=[Fault.LOST])

        def open_lossy(context: Context) -> Transport:
            return FaultyTransport(provider.open(context), lost(self._seed), lost(self._seed + 1_000_000))

        return open_lossy


def main() -> None:
    """Be the peer."""
    config, seed, share = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    frameworks: list[ModuleType] = [learnae.builtins.jax_framework, learnae.builtins.numpy_framework]
    plugins = Plugins.of(*frameworks, LossyIpfs(seed, share))
    paths = {key for key, option in plugins.options().items() if option.path}
    asyncio.run(run_peer(load_settings(config, {}, paths=paths).settings, plugins))


if __name__ == "__main__":
    main()
