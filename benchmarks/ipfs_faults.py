"""Faults on real Kubo daemons while peers train: kills of daemons and peers, a network cut, two peers that reach only a third.

    KUBO_BINARY=ipfs python benchmarks/ipfs_faults.py --data all_test.csv.gz

Each line says what was done, what was seen, and after how many seconds. The cut and the third need root, for network namespaces.
Without ``--data`` the rows are synthetic.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hepmass import HIDDEN, SLICE_SIZE
from hosts import Host, is_possible, plugged
from sessions import Member, Table, make_manifest, read_everything
from swarms import SwarmSession, each_fact

from learnae.codec.seal import new_secret
from learnae.data.synthetic import SYNTHETIC_COLUMNS, synthetic_rows
from learnae.values.choices import Averaging, Judge
from learnae.values.journal import CycleEnded, FileFetched, Notice, PeerStarted, SliceUsed

TRAINING = {"epochs": 200, "batch_size": 32, "optimiser": "adam", "learning_rate": 1e-3}
PASSES = 2_000
"""So many, of so many epochs each, that training outlasts every fault, on a fast machine as well."""


class Scene:
    """A session that trains for as long as it is watched."""

    def __init__(
        self,
        names: list[str],
        options: argparse.Namespace,
        hosts: dict[str, Host] | None = None,
        *,
        sharing: bool = False,
        judge: Judge = Judge.ACCURACY,
        training: Mapping[str, object] = TRAINING,
    ) -> None:
        features, rows, classes = _rows(options, len(names))
        self.members = {name: Member(name, part) for name, part in zip(names, np.array_split(rows, len(names)), strict=True)}
        secret = new_secret()
        manifest = make_manifest(
            "faults", features, classes, hidden=HIDDEN, seed=0, judge=judge, slice_size=SLICE_SIZE, passes=PASSES,
            sharing=sharing, overuse_threshold=PASSES, secret=secret,
        )  # fmt: skip
        self.folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        self.session = SwarmSession(self.folder / "session", manifest, secret)
        self.session.hosts = hosts or {}
        self._framework = options.framework
        self._training = dict(training)

    def start(self, name: str) -> None:
        """Start a peer, or start it again with the same command."""
        self.session.start(
            self.members[name],
            framework=self._framework,
            averaging=Averaging.PAIRWISE,
            training=self._training,
            quiet_period_s=5.0,
        )

    def start_all(self) -> None:
        """Start everybody, the first as the others' bootstrap, and wait until all know all."""
        for name in self.members:
            self.start(name)
            if not self.session.bootstrap:
                self.session.bootstrap = [self.session.address(name)]
        self.wait(lambda: all(self.is_known(one, other) for one in self.members for other in self.members), "all know all", 600.0)

    def is_known(self, one: str, other: str) -> bool:
        """Say whether a peer has heard of another's model."""
        return f"{self.session.peer_id(other)}/model" in self.session.board(one)

    def cycles(self, name: str) -> int:
        """Return the highest cycle that a peer's journal saw end."""
        return max((fact.cycle for fact in each_fact(self.session, name, CycleEnded)), default=0)

    def news(self, name: str) -> Callable[[], bool]:
        """Return a condition: the peer has ended two more cycles than now."""
        before = self.cycles(name)
        return lambda: self.cycles(name) >= before + 2

    def fresh(self, one: str, other: str) -> Callable[[], bool]:
        """Return a condition: ``one`` knows of a model that ``other`` announced after now."""
        place = f"{self.session.peer_id(other)}/model"
        now = self.session.board(other).get(place, 0)
        return lambda: self.session.board(one).get(place, 0) > now

    def trains_on(self, one: str, other: str) -> bool:
        """Say whether ``one`` has fetched a dataslice of ``other``'s, and trained on it."""
        author = self.session.peer_id(other)
        fetched = {
            fact.digest for fact in each_fact(self.session, one, FileFetched) if (fact.kind, fact.author) == ("slice", author)
        }
        return any(fact.slice in fetched for fact in each_fact(self.session, one, SliceUsed))

    def averages_with(self, one: str, other: str) -> bool:
        """Say whether ``one`` has fetched a model of ``other``'s, and tried the average."""
        author = self.session.peer_id(other)
        return any(author in fact.partners and fact.tried is not None for fact in each_fact(self.session, one, CycleEnded))

    def wait(self, condition: Callable[[], bool], what: str, deadline_s: float = 150.0) -> float:
        """Wait for a condition; return the seconds."""
        return self.session.wait_for(condition, what, deadline_s)

    def said(self, name: str, word: str) -> str:
        """Return the latest notice of a peer that contains a word."""
        told = [fact.text for fact in each_fact(self.session, name, Notice) if word in fact.text]
        return told[-1] if told else "nothing"

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _rows(options: argparse.Namespace, peers: int) -> tuple[tuple[str, ...], Table, tuple[str, ...]]:
    if options.data is None:
        _, drawn = synthetic_rows(peers * options.rows, 0)
        return SYNTHETIC_COLUMNS[1:], np.concatenate([drawn[:, 1:], drawn[:, :1]], axis=1), ("0", "1")
    features, rows, classes = read_everything(options.data, options.label, options.exclude)
    return features, rows[: peers * options.rows], classes


def tell(what: str, seen: str, seconds: float | None = None) -> None:
    """Print one line of the table."""
    print(f"{what:58} {'' if seconds is None else f'{seconds:6.1f} s'}  {seen}", flush=True)


def kill_daemon(options: argparse.Namespace) -> None:
    """``kill -9`` of a daemon: the peer says so, starts it again, and goes on."""
    with Scene(["ann", "bob", "cyd"], options) as scene:
        scene.start_all()
        daemon = scene.session.daemon("bob")
        assert daemon is not None
        before, goes_on, back = scene.cycles("bob"), scene.fresh("ann", "bob"), scene.fresh("bob", "ann")
        daemon.send_signal(signal.SIGKILL)
        seconds = scene.wait(lambda: goes_on() and back(), "bob's daemon is back")
        again = scene.session.daemon("bob")
        assert again is not None
        assert again.pid != daemon.pid
        tell("kill -9 of bob's daemon: both ways of news flow again", f"bob said: {scene.said('bob', 'daemon')!r}", seconds)
        tell(
            "  nothing lost",
            f"cycle {before} before, {scene.cycles('bob')} now, never started again: {_starts(scene, 'bob') == 1}",
        )


def kill_peer(options: argparse.Namespace) -> None:
    """``kill -9`` of a peer: its daemon lives on and is adopted by the next start, which goes on from the last cycle."""
    with Scene(["ann", "bob", "cyd"], options) as scene:
        scene.start_all()
        daemon = scene.session.daemon("bob")
        assert daemon is not None
        scene.session.processes["bob"].kill()
        scene.session.processes["bob"].wait()
        cycle = scene.cycles("bob")
        back = scene.fresh("ann", "bob")
        scene.start("bob")
        seconds = scene.wait(back, "bob is back")
        again = scene.session.daemon("bob")
        started = list(each_fact(scene.session, "bob", PeerStarted))[-1]
        adopted = again is not None and again.pid == daemon.pid
        tell("kill -9 of bob, started again: ann hears of its next model", f"daemon adopted: {adopted}", seconds)
        tell("  nothing lost", f"cycle {cycle} before, went on from {started.cycle}, resumed: {started.resumed}")


def kill_bootstrap(options: argparse.Namespace) -> None:
    """``kill -9`` of the peer and the daemon that were everybody's bootstrap: the others go on, and a newcomer joins."""
    with Scene(["ann", "bob", "cyd", "dan"], options) as scene:
        late = scene.members.pop("dan")
        scene.start_all()
        daemon = scene.session.daemon("ann")
        assert daemon is not None
        scene.session.processes.pop("ann").kill()
        daemon.send_signal(signal.SIGKILL)
        flows = scene.wait(scene.fresh("bob", "cyd"), "bob and cyd go on")
        tell("kill -9 of the bootstrap, peer and daemon", "the others go on", flows)
        scene.session.bootstrap = [scene.session.address("cyd")]
        scene.members["dan"] = late
        scene.start("dan")
        seconds = scene.wait(lambda: scene.is_known("dan", "bob") and scene.is_known("bob", "dan"), "dan is in")
        tell("  a newcomer that was given cyd's address", "knows bob's model, and bob its", seconds)
        scene.start("ann")
        seconds = scene.wait(scene.fresh("dan", "ann"), "ann is back", 200.0)
        tell("  the bootstrap started again", "dan hears of it", seconds)


def cut_network(options: argparse.Namespace) -> None:
    """A cable pulled for a minute, then plugged in again: caught up within a minute."""
    with plugged({"lan": ["h1", "h2", "h3"]}) as hosts:
        names = {"ann": hosts["h1"], "bob": hosts["h2"], "cyd": hosts["h3"]}
        with Scene(list(names), options, names) as scene:
            scene.start_all()
            hosts["h2"].cut("lan")
            time.sleep(options.cut_s)  # the fault itself
            alone = scene.news("bob")
            scene.wait(alone, "bob trains on alone")
            bob_knows, ann_knows = scene.fresh("bob", "ann"), scene.fresh("ann", "bob")
            hosts["h2"].heal("lan")
            seconds = scene.wait(lambda: bob_knows() and ann_knows(), "caught up")
            tell(f"bob's cable out for {options.cut_s:.0f} s, trained on alone", "both know models from after that", seconds)
            tell("  nothing lost", f"bob never started again: {_starts(scene, 'bob') == 1}, cycle {scene.cycles('bob')}")


def reach_a_third(options: argparse.Namespace) -> None:
    """Two peers that cannot reach each other train together through one that both reach."""
    with plugged({"left": ["h1", "h2"], "right": ["h2", "h3"]}) as hosts:
        names = {"mid": hosts["h2"], "ann": hosts["h1"], "cyd": hosts["h3"]}
        with Scene(list(names), options, names, sharing=True) as scene:
            scene.start("mid")
            addresses = scene.session.addresses("mid")
            for name, network in (("ann", "left"), ("cyd", "right")):
                mine = [address for address in addresses if f"/{hosts['h2'].addresses[network]}/" in address]
                scene.session.bootstrap = mine
                scene.start(name)
            seconds = scene.wait(lambda: scene.is_known("ann", "cyd") and scene.is_known("cyd", "ann"), "they hear of each other")
            tell("ann and cyd reach only mid", "know each other's models", seconds)
            for one, other in (("ann", "cyd"), ("cyd", "ann")):
                seconds = scene.wait(lambda one=one, other=other: scene.trains_on(one, other), f"{one} trains on {other}'s rows")  # type: ignore[misc]
                tell(f"  {one} fetched a dataslice of {other}'s, and trained on it", "through mid", seconds)
            seconds = scene.wait(
                lambda: scene.averages_with("ann", "cyd") or scene.averages_with("cyd", "ann"),
                "the worse averages with the better",
            )
            tell("  the worse of both fetched and averaged with the better's model", "through mid", seconds)


def _starts(scene: Scene, name: str) -> int:
    return sum(1 for _ in each_fact(scene.session, name, PeerStarted))


def main() -> None:
    """Run the benchmark."""
    scenes: dict[str, Callable[[argparse.Namespace], Any]] = {
        "daemon": kill_daemon,
        "peer": kill_peer,
        "bootstrap": kill_bootstrap,
        "cut": cut_network,
        "third": reach_a_third,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--label", default="label")
    parser.add_argument("--exclude", nargs="*", default=["mass"])
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--cut-s", type=float, default=60.0, help="seconds without network")
    parser.add_argument("--framework", default="numpy")
    parser.add_argument("--only", nargs="*", choices=list(scenes), default=list(scenes))
    options = parser.parse_args()
    if {"cut", "third"} & set(options.only) and not is_possible():
        sys.exit("the cut and the third need root and network namespaces; choose others with --only")
    for name in options.only:
        scenes[name](options)


if __name__ == "__main__":
    main()
