"""Real Kubo daemons for tests and benchmarks, started by nothing of what is tested: ``Daemon``, ``Daemons``."""

from kubo_rig.daemons import Daemon, Daemons, connected, new_swarm_key, until

__all__ = ["Daemon", "Daemons", "connected", "new_swarm_key", "until"]
