"""The whole demo: rows, a session, everybody alone, everybody together, the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnae.demo.children import Children, Command
from learnae.demo.folder import DemoFolder
from learnae.demo.picturing import draw
from learnae.demo.plan import DemoPlan, DemoResult, PeerResult, PeerView, Watcher
from learnae.demo.rows import deal_rows
from learnae.demo.scoring import score_state, usable_test_rows
from learnae.demo.session import ALONE_LOG, PeerFiles, choose_framework, made_names, peer_files, write_session, write_settings
from learnae.demo.watching import JournalTail
from learnae.values.choices import Phase

if TYPE_CHECKING:
    from learnae.plugins.facade import Plugins

LOOK_INTERVAL_S = 0.1
TOGETHER_S = 0.5
"""For how long all peers must have been finished at the same time: whoever finishes last may still wake the others."""


def run_demo(plan: DemoPlan, plugins: Plugins, *, watcher: Watcher | None = None) -> DemoResult:
    """Let peers train alone and then together, each a process of its own, and compare them on rows that no peer saw.

    It takes as long as that takes; an exception, Ctrl-C among them, stops every process first.

    Args:
        plan: What the operator chose.
        plugins: What is installed.
        watcher: Is told how it goes on.

    Raises:
        OperatorError: Something that the operator has to put right; the message says what.
        PeerFailedError: A peer's process ended by itself.
    """
    began_s = time.monotonic()
    watcher = watcher or Watcher()
    plan.check()
    rows = deal_rows(plan)
    with DemoFolder.open(plan.out, made_names(plan)) as folder:
        peers = peer_files(plan, folder.path)
        manifest = write_session(plan, rows, peers, folder.path)
        framework, why = choose_framework(plan, manifest, folder.path, plugins)
        for files in peers:
            for alone in (True, False):
                write_settings(plan, files, framework, alone=alone, plugins=plugins)
        test = usable_test_rows(rows.test, manifest)
        if rows.skipped:
            watcher.said(f"left out {rows.skipped} bad rows")
        if why:
            watcher.said(why)
        what = "synthetic rows" if plan.data is None else f"rows of {plan.data}"
        watcher.said(f"{plan.peers} peers with {plan.rows_per_peer} {what} each, {len(test)} others for the test; {framework}")
        watcher.said("alone: every peer trains by itself")
        before = _Stage(peers, alone=True, limit_s=plan.limit_s, watcher=watcher).run()
        watcher.said("together: the same peers, anew, and now they see each other's models")
        after = _Stage(peers, alone=False, limit_s=plan.limit_s, watcher=watcher).run()
        complete = before.complete and after.complete
        if not complete:
            watcher.said(f"not everybody was finished after {plan.limit_s:g} seconds: what is there is scored")
        for one, other in zip(before.views, after.views, strict=True):
            if one.trained != other.trained:
                watcher.said(f"{one.name} trained {one.trained} times alone and {other.trained} times together: unequal")
        watcher.said(f"scoring everybody on the {len(test)} test rows")
        results = tuple(
            PeerResult(
                files.name,
                score_state(files.state(alone=True), manifest, test, plugins),
                score_state(files.state(alone=False), manifest, test, plugins),
            )
            for files in peers
        )
        pictures = draw(plan, results, peers, task=manifest.task, test_rows=len(test), watcher=watcher)
        return DemoResult(
            peers=results,
            task=manifest.task,
            test_rows=len(test),
            data=plan.source,
            framework=framework,
            seconds=time.monotonic() - began_s,
            folder=folder.path,
            pictures=pictures,
            complete=complete,
        )


@dataclass(frozen=True, slots=True)
class _Ended:
    """What every peer came to, and whether all had finished."""

    views: tuple[PeerView, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Stage:
    """All peers at once, until they have finished or their time is over."""

    peers: tuple[PeerFiles, ...]
    alone: bool
    limit_s: float
    watcher: Watcher

    def run(self) -> _Ended:
        """Run it and say how it ended."""
        tails = [JournalTail(files.name, files.journal(alone=self.alone)) for files in self.peers]
        if self.alone:
            configs = tuple(str(files.config(alone=True)) for files in self.peers)
            commands = [Command("the peers alone", "learnae.demo.alone", configs, self.peers[0].folder.parent / ALONE_LOG)]
        else:
            commands = [
                Command(files.name, "learnae", ("run", "--config", str(files.config(alone=False)), "--plain"), files.log)
                for files in self.peers
            ]
        with Children() as children:
            children.start(commands)
            is_complete = self._wait(children, tails, time.monotonic)
        views = tuple(tail.read() for tail in tails)
        self.watcher.seen(views)
        return _Ended(views, is_complete)

    def _wait(self, children: Children, tails: list[JournalTail], clock: Callable[[], float]) -> bool:
        deadline_s = clock() + self.limit_s
        finished_s: float | None = None
        while clock() < deadline_s:
            running = children.running()
            views = tuple(tail.read() for tail in tails)
            self.watcher.seen(views)
            if running == 0:
                return True
            if self.alone or any(view.phase is not Phase.FINISHED for view in views):
                finished_s = None
            else:
                finished_s = finished_s or clock()
                if clock() - finished_s >= TOGETHER_S:
                    return True
            time.sleep(LOOK_INTERVAL_S)
        return False
