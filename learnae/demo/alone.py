"""Peers without neighbours, one after the other in this process: ``python -m learnae.demo.alone CONFIG...``.

One process spares starting the framework anew for each of them, and leaves its compiled programs to those that follow. Every
peer is what ``learnae run`` makes of its settings; only the ledger that these name reaches nobody.
"""

import asyncio
import sys
from pathlib import Path

from learnae.config.resolve import load_settings
from learnae.errors import OperatorError
from learnae.plugins.facade import Plugins
from learnae.runtime.running import run_peer

INTERRUPTED_STATUS = 130
OPERATOR_STATUS = 2


def main(configs: list[str]) -> int:
    """Be each peer until it has converged; return the exit status."""
    for config in configs:
        # New plugins each time: peers that share them would meet on the ledger within this process.
        plugins = Plugins.discover()
        try:
            outcome = asyncio.run(run_peer(load_settings(Path(config)).settings, plugins))
        except OperatorError as exc:
            sys.stderr.write(f"{config}: {exc}\n")
            return OPERATOR_STATUS
        if outcome.reason != "converged":
            return INTERRUPTED_STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
