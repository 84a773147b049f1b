"""Three peers that train on nothing but what sensors stream over the Tangle, among five sensors and a forger of all kinds.

    python benchmarks/tangle_fed.py --data all_test.csv.gz
    HORNET_BINARY=hornet python benchmarks/tangle_fed.py --data all_test.csv.gz --hornet --sharing

Admitted are two honest sensors; a third one that is killed twice with ``kill -9`` and started again; and one that sends garbage.
A fifth, which is not admitted, sends the rows of the first with flipped labels. A forger follows the public streams, and when
half of what the honest two have to send is there, writes ``--flood`` transactions to the next address of each: noise, copies of
their first packet, and lies that it signed with a channel and a key of its own. Then the two send their second half.

It is checked that every peer trained on exactly the readings of the three, each once: the counts, and the digests of the
dataslices of all passes that it made. Else a sentence says what differs, and the exit status is 1. The accuracy on rows that
nobody has stands beside that of peers that had the same rows in a file; with ``--pass-spacings 1000 0`` all is done with each of
these settings, in the same run. Announcements and files go through a folder; the node is the development node, or with
``--hornet`` a real HORNET. Without ``--data`` the rows are synthetic.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fed import PEERS, SENSORS, FedTrial, add_fed_options
from hepmass import PASSES, SLICE_SIZE
from learnae_iota.bundles.bundles import Posting
from learnae_iota.mam.channel import Channel, channel_root
from learnae_iota.mam.messages import create
from learnae_iota.sensors.admission import Admission, SensorKey, admit
from learnae_iota.sensors.following import Follower
from learnae_iota.sensors.packets import write_packet
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import Tangle as Ledger
from learnae_iota.tangle.tangle import open_tangle
from learnae_iota.trinary.trytes import ALPHABET
from sessions import RunningSession
from tangle_sessions import (
    RunningSensor,
    Tangle,
    add_tangle_options,
    await_readings,
    complaints,
    facts,
    file_slices,
    readings,
    running_tangle,
    sensor_settings,
    wait_until,
)

from learnae.values.ids import Digest
from learnae.values.journal import Notice
from learnae.values.manifest import Manifest

*HONEST, KILLED = SENSORS
RUBBISH, STRANGER = "rubbish", "stranger"
ADMITTED = (*HONEST, KILLED, RUBBISH)

BUNDLE = 50
"""Transactions of one bundle of the forger's: so few that readers look into each."""

TRANSACTION_TRYTES = 2187


class FedSession(RunningSession):
    """Peers that are fed by sensors over a tangle, and meet in a folder."""

    def __init__(self, folder: Path, manifest: Manifest, tangle: Tangle) -> None:
        super().__init__(folder, manifest)
        self._tangle, self.keys = tangle, folder / "admitted.keys"

    def network(self, name: str, ledger: str) -> dict[str, object]:
        """Return the settings by which a peer finds the others, and its sensors."""
        return {
            **super().network(name, ledger),
            **sensor_settings(self._tangle, self.keys),
        }

    def command(self, name: str, config: Path) -> list[str]:
        """Return the command that is this peer; where cores are few, its training waits for the node."""
        return ["nice", "-n", "10", *super().command(name, config)]


class Forger:
    """Somebody without any key, who reads public streams and writes where their next packets will lie.

    Args:
        tangle: Where.
        session: The session's name.
        columns: Of the readings, ``label`` first.
    """

    def __init__(self, tangle: Tangle, session: str, columns: list[str]) -> None:
        self._ledger: Ledger = open_tangle([tangle.url], weight=tangle.weight)
        self._session, self._columns = sensor_session(session), columns
        self._follower = Follower(self._ledger, self._session, Admission(everybody=True))
        self._random = Random(0)  # noqa: S311  # junk, and no secret
        self.written = 0

    def close(self) -> None:
        """Close it."""
        self._ledger.close()

    def follow(self, sensor: str) -> tuple[int, str, str]:
        """Read a stream; return how many readings it has, the address of its first packet, and that of the next one."""
        position, found = "", 0
        while (packet := self._follower.read(sensor, position, 1_000)).readings:
            position, found = packet.position, found + len(packet.readings)
        [first] = [head.first_root for head in self._follower.heads if head.sensor == sensor]
        return found, first, position.rsplit(":", 1)[-1]

    def flood(self, first: str, following: str, transactions: int) -> None:
        """Write so many transactions to the next address of a public stream, which is its root.

        Args:
            first: The address of a packet that is there, to be copied.
            following: Where to.
            transactions: How many.
        """
        copies = self._ledger.fetch(Query(addresses=(first,))).bundles
        own = self._own_message()
        kinds: list[Callable[[], str]] = [self._noise, lambda: own]
        if copies:
            kinds.append(lambda: copies[0].postings[0].trytes)
        left = transactions
        while left > 0:
            postings: list[Posting] = []
            room = min(BUNDLE, left)
            while room > 0:
                kind = kinds[len(postings) % len(kinds)]
                trytes = kind()[: room * TRANSACTION_TRYTES]
                room -= -(-len(trytes) // TRANSACTION_TRYTES)
                postings.append(Posting(following, trytes))
            self.written += len(self._ledger.send(postings).transactions)
            left -= BUNDLE

    def _noise(self) -> str:
        return "".join(self._random.choices(ALPHABET, k=TRANSACTION_TRYTES))

    def _own_message(self) -> str:
        """Sign a packet of lies, as a sensor would, with a channel and a key of the forger's own."""
        channel = Channel("".join(self._random.choices(ALPHABET, k=81)))
        lies: list[dict[str, Any]] = [dict.fromkeys(self._columns, 1.0) for _ in range(20)]
        content = write_packet(
            lies, index=0, first=0, end=True, root=channel_root(channel), next_root="9" * 81, key=SensorKey(b"f" * 32),
            session=self._session,
        )  # fmt: skip
        return create(channel, content).payload


def garbage(features: tuple[str, ...], count: int) -> str:
    """Return readings that fit no schema, each in another way, as JSON lines."""
    row: dict[str, object] = dict.fromkeys(features, 0.5)
    kinds: list[dict[str, object]] = [
        {"temperature": 21.5},
        {**row, "label": 7},
        {**row, "label": None},
        {**row, features[0]: "warm", "label": 1},
        {**row, features[0]: None, "label": 0},
        {**row, features[0]: 1e300, "label": 0},
        {**row, features[0]: True, "label": 0},
        {name: value for name, value in row.items() if name != features[-1]} | {"label": 1},
    ]
    return "".join(json.dumps(kinds[index % len(kinds)]) + "\n" for index in range(count))


class Trial(FedTrial):
    """One seed: the same rows over the Tangle and in files."""

    def fed(self, tangle: Tangle, spacing: int) -> tuple[dict[str, float], list[str]]:
        """Let the peers train on what sensors stream; return the accuracies, and what is wrong with what they trained on."""
        session = FedSession(self.folder / f"fed-{spacing}", self.manifest, tangle)
        sensors = {
            name: RunningSensor(
                session.folder, name, tangle, self.manifest.name, packet=self.options.instances_per_packet
            )
            for name in (*ADMITTED, STRANGER)
        }  # fmt: skip
        forger = Forger(tangle, self.manifest.name, list(self.columns))
        try:
            began_s = time.monotonic()
            self._start_fed(session, spacing)
            kills = self._stream(session, sensors, forger)
            total = sum(len(rows) for rows in self.streams.values())
            for name in PEERS:
                await_readings(session, name, total, self.options.deadline)
                wait_until(partial(self._is_read, session, name), f"{name} has read the garbage", self.options.deadline)
            session.wait(self.options.deadline)
            seconds = time.monotonic() - began_s
        finally:
            session.stop()
            for sensor in sensors.values():
                sensor.stop()
            forger.close()
        self._tell(session, kills, forger.written, seconds)
        return self._scores(session), self._complaints(session, kills)

    def _is_read(self, session: FedSession, name: str) -> bool:
        _, rejected = readings(session, name)
        return rejected[RUBBISH] >= int(min(self.options.garbage, 1_000))

    def _stream(self, session: FedSession, sensors: dict[str, RunningSensor], forger: Forger) -> int:
        """Let all sensors send everything; return how often one was killed at work."""
        deadline_s = self.options.deadline
        for name in HONEST:
            sensors[name].write(self.columns, self.streams[name][: len(self.streams[name]) // 2])
            sensors[name].start()
        sensors[KILLED].write(self.columns, self.streams[KILLED])
        sensors[RUBBISH].source.write_text(garbage(self.manifest.features, self.options.garbage))
        flipped = self.streams[HONEST[0]].copy()
        flipped[:, -1] = 1 - flipped[:, -1]
        sensors[STRANGER].write(self.columns, flipped)
        for name in (RUBBISH, STRANGER):
            sensors[name].start("--end")
        sensors[KILLED].start("--end", "--interval", "0.3")
        for name in ADMITTED:
            admit(session.keys, sensors[name].key, name)
        kills = 0
        for share in (3, 2):
            packets = max(1, self.options.packets // share)
            wait_until(
                lambda packets=packets: sensors[KILLED].packets >= packets or not sensors[KILLED].is_running,  # type: ignore[misc]
                f"{KILLED} has signed {packets} packets",
                deadline_s,
            )
            kills += sensors[KILLED].kill()
            sensors[KILLED].start("--end", "--interval", "0.3")
        for name in HONEST:
            half = len(self.streams[name]) // 2
            sensors[name].finish(deadline_s)
            found, first, following = forger.follow(name)
            if found != half:
                raise RuntimeError(f"a stranger reads {found} of the first {half} readings of {name}")
            forger.flood(first, following, self.options.flood)
            sensors[name].write(self.columns, self.streams[name])
            sensors[name].start("--end")
        for sensor in sensors.values():
            sensor.finish(deadline_s)
        return kills

    def _complaints(self, session: FedSession, kills: int) -> list[str]:
        told = [] if kills == 2 else [f"{KILLED} was killed at work {kills} times, and not twice: choose more --packets"]
        own = {name: file_slices(session, rows, None) for name, rows in self.kept.items()}
        for name in PEERS:
            others: list[Digest] = [digest for each in own.values() for digest in each] if self.options.sharing else own[name]
            told += complaints(session, name, self.streams, others, None)
            said = [fact.text for fact in facts(session, name, Notice)]
            if self.options.garbage > 1_000 and not any(
                f"iota/{RUBBISH}" in text and "not read any more" in text for text in said
            ):
                told.append(f"{name} did not say that it reads {RUBBISH} no more")
        return told

    def _tell(self, session: FedSession, kills: int, written: int, seconds: float) -> None:
        print(f"  {KILLED} killed {kills} times; {written} transactions of the forger's; {seconds:.0f} s")
        for name in PEERS:
            accepted, rejected = readings(session, name)
            taken = ", ".join(f"{sensor} {accepted[sensor]}" for sensor in sorted(+accepted))
            refused = ", ".join(f"{sensor} {rejected[sensor]}" for sensor in sorted(+rejected))
            print(f"  {name:9} readings taken: {taken}; refused: {refused or 'none'}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_tangle_options(parser)
    add_fed_options(parser)
    parser.add_argument("--garbage", type=int, default=1_050, help="readings that fit no schema; after 1,000 nobody listens")
    parser.add_argument("--flood", type=int, default=1_500, help="transactions at the next address of each honest sensor")
    parser.add_argument("--weight", type=int, default=3, help="weight magnitude of the tangle")
    options = parser.parse_args()
    wrong: list[str] = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix="learnae-benchmark-"))
        try:
            trial = Trial(options, seed, folder)
            count = sum(len(rows) for rows in trial.streams.values())
            print(f"seed {seed}: {count} readings of {len(trial.streams)} sensors; sharing: {options.sharing}", flush=True)
            fed: dict[int, dict[str, float]] = {}
            for spacing in options.pass_spacings:
                with running_tangle(folder / f"tangle-{spacing}", hornet=options.hornet, weight=options.weight) as tangle:
                    fed[spacing], told = trial.fed(tangle, spacing)
                if not told:
                    others = " and of the others'" if options.sharing else ""
                    beside = (
                        f"; beside them only on {options.file_rows} of its file{others}" if options.file_rows else ", no other"
                    )
                    slices = sum(-(-len(rows) // SLICE_SIZE) for rows in trial.streams.values())
                    print(
                        f"  each peer trained on exactly these, each once: {slices} dataslices, {PASSES} passes over each{beside}"
                    )
                wrong += [f"seed {seed}, pass spacing {spacing}: {text}" for text in told]
            files = trial.by_file()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for spacing, scores in fed.items():
            for name in PEERS:
                print(f"  {name:9} fed {scores[name]:6.2f}   the same rows in a file {files[name]:6.2f}")
            mean, other = statistics.mean(scores.values()), statistics.mean(files.values())
            tells = f"fed {mean:6.2f}   the same rows in a file {other:6.2f}   difference {mean - other:+.2f}"
            print(f"  mean      {tells}   pass spacing {spacing}", flush=True)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
