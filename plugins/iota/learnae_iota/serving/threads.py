"""A development node in a thread of this process: for tests, notebooks, and whoever wants one for a moment."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from learnae_iota.clock import milliseconds
from learnae_iota.serving.development import DevelopmentNode
from learnae_iota.serving.settings import NodeSettings
from learnae_iota.trinary.kernel import Kernel


@contextmanager
def node_in_thread(
    path: Path | None = None,
    settings: NodeSettings | None = None,
    *,
    port: int = 0,
    clock: Callable[[], int] = milliseconds,
    kernel: Kernel | None = None,
) -> Iterator[DevelopmentNode]:
    """Run a node on loopback while the block lasts.

    Args:
        path: The ledger's file; ``None`` keeps it in memory.
        settings: What else it is told.
        port: 0 takes any that is free.
        clock: Milliseconds since 1970.
        kernel: Computes; the best that is there without one.

    Yields:
        The node: ``node.url`` is where it is.

    Raises:
        ConfigError: The port is not free.
        StateError: The ledger cannot be used.
    """
    node = DevelopmentNode.open(path, settings or NodeSettings(), port=port, clock=clock, kernel=kernel)
    thread = threading.Thread(target=lambda: asyncio.run(node.serve()), name="learnae-node")
    thread.start()
    try:
        yield node
    finally:
        node.stop()
        thread.join()
