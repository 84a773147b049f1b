"""The process ends although a thread of the peer's does not, once everything is said."""

import threading
from collections.abc import Iterator

import pytest

from learnae.cli import run_command
from learnae.cli.run_command import _no_thread_left
from learnae.errors import StateError


class LeftError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []

    def leave(status: int) -> None:
        found.append(status)
        raise LeftError

    monkeypatch.setattr("os._exit", leave)
    monkeypatch.setattr(run_command, "THREADS_TIMEOUT_S", 0.01)
    return found


@pytest.fixture
def busy() -> Iterator[threading.Thread]:
    let_go = threading.Event()
    thread = threading.Thread(target=let_go.wait, args=(60,), name="learnae-workshop_0")
    yield thread
    let_go.set()
    thread.join()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(None, 0, id="in-good-order"),
        pytest.param(KeyboardInterrupt(), 130, id="interrupted"),
        pytest.param(StateError("the disk is full"), 2, id="refused"),
    ],
)
def test_a_thread_that_is_left_behind_is_not_waited_for(
    statuses: list[int],
    busy: threading.Thread,
    capsys: pytest.CaptureFixture[str],
    error: BaseException | None,
    status: int,
) -> None:
    def run() -> None:
        with _no_thread_left():
            busy.start()
            if error is not None:
                raise error

    with pytest.raises(LeftError):
        run()
    assert statuses == [status]
    assert ("the disk is full" in capsys.readouterr().err) is isinstance(error, StateError)


def test_without_one_the_process_goes_on(statuses: list[int], busy: threading.Thread) -> None:
    busy.start()  # Somebody else's: it was there before.
    with _no_thread_left():
        pass
    assert statuses == []
