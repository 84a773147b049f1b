"""A session of many peers under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import msgspec

from learnae.codec.identity import Identity
from learnae.codec.manifests import check_manifest, session_id
from learnae.codec.messages import decode_message
from learnae.codec.seal import Seal, secret_check
from learnae.config.training import TrainingSection
from learnae.errors import UsageError
from learnae.interfaces.framework import ModelFramework
from learnae.performing.opening import is_sharing
from learnae.performing.performer import Session
from learnae.simulation.chance import Chance, seed_bytes
from learnae.simulation.clock import VirtualClock
from learnae.simulation.network import Crossing, Ledger, Network, Weather
from learnae.simulation.node import Node, Verified
from learnae.simulation.peers import SimulatedPeer
from learnae.simulation.result import SimulationResult, count_uses
from learnae.values.choices import Phase, Role
from learnae.values.journal import JournalLine
from learnae.values.manifest import Manifest

DAY_S = 86_400.0

OpenFramework = Callable[[TrainingSection], ModelFramework]
"""Opens the framework that settings name, for the simulation's manifest; peers of equal settings share one."""


class Simulation:
    """Peers that train together, each with the machine, the files and the numbers of a real one.

    Equal arguments give equal lines, byte for byte, on one machine with equal versions; nothing is read from the clock or the
    system's chance. Not for several threads.
    """

    def __init__(
        self,
        manifest: Manifest,
        peers: Sequence[SimulatedPeer],
        *,
        ledger: Ledger,
        open_framework: OpenFramework,
        seed: int = 0,
        loss: float = 0.0,
        latency_s: tuple[float, float] = (0.02, 0.5),
        secret: bytes | None = None,
        tap: Callable[[Crossing], None] | None = None,
    ) -> None:
        """Get everybody ready; virtual time begins with ``run``.

        Args:
            manifest: The session's terms.
            peers: Who takes part, at least one.
            ledger: A new one, such as ``learnae.builtins.memory.MemoryLedger()``.
            open_framework: Makes what trains.
            seed: Of keys, loss, latency and seals. What a machine draws depends on its key and the manifest.
            loss: The share of messages that do not arrive, drawn for each receiver.
            latency_s: Least and most virtual seconds that a message, or the first byte of a file, takes.
            secret: The session's, if it has one.
            tap: Is shown everything that leaves a peer.

        Raises:
            UsageError: Peers of one name, none at all, one whose role and rows do not go together, a wrong secret, or weather
                that cannot be.
            ConfigError: The manifest contradicts itself, or a framework cannot be opened.
        """
        check_manifest(manifest)
        _check(manifest, peers, secret)
        self._manifest = manifest
        self._lines: list[JournalLine] = []
        self._clock = VirtualClock()
        self._has_changed = True
        self._verified = Verified()
        session = session_id(manifest)
        seal = Seal(session, secret, entropy=Chance(seed, "seals").entropy)
        network = Network(
            ledger,
            self._clock,
            Weather(loss=loss, latency_s=latency_s),
            Chance(seed, "network"),
            read=partial(decode_message, seal=seal, session=session, limits=manifest.limits),
            tap=tap,
        )
        frameworks: dict[bytes, ModelFramework] = {}
        self._nodes: list[Node] = []
        for peer in peers:
            training = peer.settings.training
            key = msgspec.json.encode(training)
            if key not in frameworks:
                frameworks[key] = open_framework(training)
            identity = Identity.from_seed(seed_bytes(seed, f"peer/{peer.name}"))
            node = Node(
                peer,
                Session(session, manifest, seal, identity.peer),
                identity,
                framework=frameworks[key],
                clock=self._clock,
                network=network,
                verified=self._verified,
                listener=self._lines.append,
                changed=self._change,
            )
            self._nodes.append(node)
            self._plan(node)

    def _plan(self, node: Node) -> None:
        """Plan what will happen to a peer whatever the others do."""
        peer, clock = node.peer, self._clock
        clock.at(peer.joins_s, node.start)
        for crash in peer.crashes:
            clock.at(crash.begin_s, node.crash)
            clock.at(crash.end_s, node.start)
        for offline in peer.offline:
            clock.at(offline.end_s, self._change)
        if peer.leaves_s is not None:
            clock.at(peer.leaves_s, node.stop)

    def _change(self) -> None:
        self._has_changed = True

    @property
    def now_s(self) -> float:
        """Virtual seconds since the start."""
        return self._clock.now_s

    def run(self, until_s: float | None = None, *, at_most_s: float = DAY_S) -> SimulationResult:
        """Go on, and return how things stand then; it may be called again to go on from there.

        Args:
            until_s: To which moment. ``None`` goes on until everybody has joined, is back from crashes and from being offline,
                and has finished or stopped.
            at_most_s: Where ``None`` ends if that never comes.
        """
        limit_s = at_most_s if until_s is None else until_s
        while (next_s := self._clock.next_s()) is not None and next_s <= limit_s:
            if until_s is None and self._has_changed:
                self._has_changed = False
                if self._is_over():
                    self._has_changed = True
                    break
            self._clock.step()
        else:
            self._clock.pass_until(limit_s)
        return self._result()

    def _is_over(self) -> bool:
        now_s = self._clock.now_s
        return all(
            node.phase in (Phase.FINISHED, Phase.STOPPED)
            and all(interval.end_s <= now_s for interval in (*node.peer.offline, *node.peer.crashes))
            for node in self._nodes
        )

    def _result(self) -> SimulationResult:
        lines = tuple(self._lines)
        return SimulationResult(
            seconds=self._clock.now_s,
            events=sum(node.events for node in self._nodes),
            finished=self._is_over(),
            lines=lines,
            peers=tuple(node.result() for node in self._nodes),
            slices=count_uses(lines, self._manifest.overuse_threshold),
        )

    def close(self) -> None:
        """Let the peers' stores go; idempotent."""
        for node in self._nodes:
            node.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _check(manifest: Manifest, peers: Sequence[SimulatedPeer], secret: bytes | None) -> None:
    names = [peer.name for peer in peers]
    if not names or len(set(names)) != len(names):
        raise UsageError(f"peers are called {names[:20]}; accepted: at least one, each with a name of its own")
    if (secret_check(secret) if secret else None) != manifest.secret_check:
        raise UsageError("the secret is not that of the manifest's secret_check; give both, or neither")
    for peer in peers:
        role = peer.settings.peer.role
        if (role is Role.TRAINER) != (peer.rows is None):
            raise UsageError(f"{peer.name}: a trainer has no rows, and every other peer has; this one is a {role}")
        if role is not Role.FULL and not is_sharing(peer.settings, manifest):
            raise UsageError(f"{peer.name}: a {role} needs a session in which rows are shared, and must not be private")
