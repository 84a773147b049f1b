"""What ``learnae sensor stream`` does: from an input to a tangle, for as long as there is something to send."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from learnae import read_secret
from learnae.errors import ConfigError, DataError
from learnae_iota.clock import milliseconds
from learnae_iota.mam.channel import Mode
from learnae_iota.sensors.batching import Batch, batches
from learnae_iota.sensors.feeding import FileSource, Format, LineInput, LineSource, PipeSource
from learnae_iota.sensors.kept import Terms
from learnae_iota.sensors.looking import SensorTangle
from learnae_iota.sensors.pacing import Pacing
from learnae_iota.sensors.sending import Feeder
from learnae_iota.sensors.sessions import sensor_session
from learnae_iota.sensors.state import SensorState
from learnae_iota.stopping import Stop, StoppedError

STDIN = "-"
_PROGRESS_S = 10.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """What is streamed, and how; see the options of ``learnae sensor stream``."""

    source: str
    session: str
    sensor: str
    state: Path
    secret_file: Path | None = None
    mode: str | None = None
    security: int = 2
    size: int = 50
    style: str = Format.AUTO
    columns: tuple[str, ...] | None = None
    follow: bool = False
    replay: bool = False
    end: bool = False
    interval_s: float = 0.0
    fill_s: float = 60.0
    give_up_s: float | None = None
    head_every: int = 20


class Progress:
    """Says now and then how far a stream is.

    Args:
        say: Takes a line.
        now_s: Seconds that only grow.
    """

    def __init__(self, say: Callable[[str], None], now_s: Callable[[], float] = time.monotonic) -> None:
        self._say, self._now_s, self._began, self._said = say, now_s, now_s(), now_s()
        self.packets = self.readings = self.size = 0

    def add(self, readings: int, size: int, unconfirmed: int) -> None:
        """Count a packet, and perhaps say so."""
        self.packets, self.readings, self.size = self.packets + 1, self.readings + readings, self.size + size
        if self._now_s() >= self._said + _PROGRESS_S:
            self.tell(unconfirmed)

    def tell(self, unconfirmed: int) -> None:
        """Say it."""
        self._said = self._now_s()
        each = (self._said - self._began) / max(self.packets, 1)
        waiting = f", {unconfirmed} not confirmed yet" if unconfirmed else ""
        self._say(f"{self.packets} packets, {self.readings} readings, {each:.2f} s a packet, {self.size} bytes{waiting}")


def stream_readings(
    settings: StreamSettings, tangle: SensorTangle, *, data: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Stream readings until the input ends, or until SIGINT or SIGTERM. In the main thread.

    Args:
        settings: What and how.
        tangle: Where to.
        data: Takes the sensor's key.
        say: Takes progress, and what has to be tried again.

    Raises:
        OperatorError: Something that its operator has to put right.
        UnavailableError: No node answered for longer than the settings allow.
    """
    session = sensor_session(settings.session, read_secret(settings.secret_file) if settings.secret_file else None)
    terms, style = Terms.of(session, settings.sensor, _mode(settings), settings.security), _style(settings)
    stop = Stop()
    pacing = Pacing(head_every=settings.head_every, give_up_s=settings.give_up_s, wait=stop.wait)
    with ExitStack() as opened:
        lines = opened.enter_context(_lines(settings))
        state = opened.enter_context(SensorState.open(settings.state, terms, milliseconds))
        feeder = Feeder(state, session, tangle, stop=stop, pacing=pacing, tell=say)
        data(feeder.public)
        last = state.last()
        position = last.input if last and (settings.source != STDIN or settings.replay) else ""
        name = "stdin" if settings.source == STDIN else settings.source
        source = LineInput(lines, name, position=position, style=style, columns=settings.columns, tell=say)
        opened.enter_context(_signals(stop))
        progress = Progress(say)
        try:
            feeder.begin()
            _stream(settings, feeder, source, progress, stop)
            stop.check()
            if settings.end and not (last and last.end):
                feeder.send(Batch((), source.position, end=True))
            feeder.finish()
        except StoppedError:
            say("stopped; the same command goes on")
        finally:
            progress.tell(feeder.unconfirmed)


def _stream(settings: StreamSettings, feeder: Feeder, source: LineInput, progress: Progress, stop: Stop) -> None:
    def wait() -> bool:
        feeder.settle()
        return not stop.wait(0.0 if settings.source == STDIN else _LOOK_S)  # a pipe waits by itself

    found = batches(source, size=settings.size, now_s=time.monotonic, wait=wait, patience_s=settings.fill_s)
    for batch in found:
        began = time.monotonic()
        packet = feeder.send(batch)
        progress.add(packet.readings, len(packet.payload) // 2, feeder.unconfirmed)
        if stop.wait(began + settings.interval_s - time.monotonic()):
            return


def _mode(settings: StreamSettings) -> Mode:
    default = Mode.PUBLIC if settings.secret_file is None else Mode.RESTRICTED
    try:
        mode = Mode(settings.mode or default)
    except ValueError as exc:
        raise ConfigError(f"no mode named {settings.mode!r}; there are: {', '.join(Mode)}") from exc
    if mode is not Mode.PUBLIC and settings.secret_file is None:
        raise ConfigError(f"a {mode} stream needs the session's secret: name its file with --secret-file")
    return mode


def _style(settings: StreamSettings) -> Format:
    try:
        return Format(settings.style)
    except ValueError as exc:
        raise ConfigError(f"no format named {settings.style!r}; there are: {', '.join(Format)}") from exc


@contextmanager
def _lines(settings: StreamSettings) -> Iterator[LineSource]:
    if settings.source == STDIN:
        yield PipeSource(sys.stdin.fileno())
        return
    try:
        file = Path(settings.source).open("rb")  # noqa: SIM115  # it is closed below
    except (FileNotFoundError, PermissionError) as exc:
        raise DataError(f"{settings.source}: is not there, or may not be read") from exc
    except OSError as exc:
        raise DataError(f"{settings.source}: cannot be read: {exc.strerror}") from exc
    with file:
        yield FileSource(file, follow=settings.follow)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.ask()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
