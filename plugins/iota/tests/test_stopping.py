"""Whoever waits is told to end, from another thread or from the handler of a signal."""

import signal
import threading
from types import FrameType

import pytest
from learnae_iota.stopping import Stop, StoppedError


def test_a_wait_ends_when_it_is_asked_for() -> None:
    stop = Stop()
    assert not stop.wait(0.0)
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(stop.wait(600.0))) for _ in range(2)]
    for thread in threads:
        thread.start()
    stop.ask()
    for thread in threads:
        thread.join()
    assert answers == [True, True]
    assert stop.wait(600.0)
    with pytest.raises(StoppedError):
        stop.check()


class Interrupted:
    """A socket whose end is interrupted by a signal, as anything may be."""

    def __init__(self) -> None:
        self.ends = 0

    def shutdown(self, _: int) -> None:
        self.ends += 1
        if self.ends == 1:
            signal.raise_signal(signal.SIGUSR1)


def test_a_signal_may_ask_while_the_same_thread_asks() -> None:
    stop, line = Stop(), Interrupted()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.ask()

    before = signal.signal(signal.SIGUSR1, ask)
    try:
        with stop.holding(line):  # type: ignore[arg-type]  # it has what is used of one
            stop.ask()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert line.ends == 2
