"""``learnae sensor``: a small computer streams readings over a tangle, and people look at what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from learnae.errors import NotFoundError, OperatorError, WorldError

if TYPE_CHECKING:
    from learnae_iota.sensors.following import Follower
    from learnae_iota.tangle.tangle import Tangle

Session = Annotated[str, typer.Option("--session", help="The session's name, as in its manifest.")]
NodeUrls = Annotated[list[str], typer.Option("--node", help="The URL of a node; several are tried one after the other.")]
Mwm = Annotated[int, typer.Option(min=1, max=20, help="The weight magnitude that the tangle demands, 1 to 20.")]
Secret = Annotated[Path | None, typer.Option("--secret-file", help="The file with the session's secret, where it has one.")]
Client = Annotated[str, typer.Option(help="How nodes are spoken to: plain or pyota.")]
KeysFile = Annotated[Path, typer.Option("--file", help="The file of admitted keys.")]


class SensorCommands(typer.core.TyperGroup):
    """The commands; a node that does not answer is for the operator to know, where nobody tries again."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # typer does not name these types
        """Run a command.

        Raises:
            OperatorError: Something that its operator has to put right, or to wait for.
        """
        try:
            return super().invoke(ctx)
        except WorldError as exc:
            raise OperatorError(str(exc)) from exc


def add_commands(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(sensor_app(), name="sensor")


def sensor_app() -> typer.Typer:
    """Make the group of commands."""
    sensor = typer.Typer(cls=SensorCommands, no_args_is_help=True, rich_markup_mode=None)
    sensor.callback()(_sensor)
    for command in (stream, admit):
        sensor.command()(command)
    sensor.command("list")(list_sensors)
    sensor.command("read")(read_sensor)
    return sensor


def _sensor() -> None:
    """Readings of small computers, over a tangle."""


def stream(
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="CSV with a head line, or JSON lines; - is stdin.")],
    *,
    session: Session,
    sensor: Annotated[str, typer.Option(help="The sensor's name.")],
    node: NodeUrls,
    state: Annotated[Path, typer.Option(help="The folder with its keys and its place; never copy it.")] = Path("sensor-state"),
    secret_file: Secret = None,
    mode: Annotated[str | None, typer.Option(help="public, private or restricted; restricted where there is a secret.")] = None,
    security: Annotated[int, typer.Option(min=1, max=3, help="What signatures are worth: 1 is weak, 3 half as large again.")] = 2,
    instances_per_packet: Annotated[int, typer.Option(min=1, max=10_000, help="Readings in one message.")] = 50,
    style: Annotated[str, typer.Option("--format", help="auto, csv or jsonl.")] = "auto",
    columns: Annotated[
        str | None, typer.Option(help="Send only these, with commas between them; else all: what is sent stays on the tangle.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more at the end of the file.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="Stdin begins anew each time: pass over what was sent.")] = False,
    end: Annotated[bool, typer.Option("--end", help="Say at the end of the input that nothing will ever follow.")] = False,
    interval: Annotated[float, typer.Option(min=0, help="Seconds from one packet to the next, at least.")] = 0.0,
    fill: Annotated[float, typer.Option(min=0, help="Seconds that readings wait for their packet to be full.")] = 60.0,
    give_up: Annotated[float | None, typer.Option(help="Seconds without a node after which to end; else never.")] = None,
    head_every: Annotated[int, typer.Option(min=1, help="Packets between two announcements of the stream.")] = 20,
    mwm: Mwm = 9,
    work_on_nodes: Annotated[bool, typer.Option("--work-on-nodes", help="Leave the proof of work to the node.")] = False,
    client: Client = "plain",
) -> None:
    """Stream readings. After a crash, the same command goes on without a gap and without repeating one.

    Writes the sensor's key to stdout: give it to those who are to admit the sensor. Ctrl-C, or SIGTERM, ends it.
    """
    from learnae_iota.sensors.streaming import StreamSettings, stream_readings  # noqa: PLC0415  # a command imports when it runs

    settings = StreamSettings(
        source=source,
        session=session,
        sensor=sensor,
        state=state,
        secret_file=secret_file,
        mode=mode,
        security=security,
        size=instances_per_packet,
        style=style,
        columns=None if columns is None else tuple(name.strip() for name in columns.split(",")),
        follow=follow,
        replay=replay,
        end=end,
        interval_s=interval,
        fill_s=fill,
        give_up_s=give_up,
        head_every=head_every,
    )
    tangle = _tangle(node, mwm, client, work_on_nodes=work_on_nodes)
    try:
        stream_readings(settings, tangle, data=typer.echo, say=_say)
    finally:
        tangle.close()


def admit(
    key: Annotated[str, typer.Argument(help="64 digits, which learnae sensor stream and list show.")],
    *,
    file: KeysFile,
    remark: Annotated[str, typer.Option(help="Whose it is.")] = "",
) -> None:
    """Admit a sensor: add its key to a file that peers name as plugins.iota.sensor_keys_file."""
    from learnae_iota.sensors.admission import admit as add  # noqa: PLC0415  # a command imports when it runs

    added = add(file, key, remark)
    _say(f"{file}: {'added' if added else 'it was there already'}; peers name it with --set plugins.iota.sensor_keys_file={file}")


def list_sensors(
    *,
    session: Session,
    node: NodeUrls,
    secret_file: Secret = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file of admitted keys, to see who is.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    client: Client = "plain",
) -> None:
    """List the sensors that stream to a session: those whose heads verify, admitted or not."""
    import msgspec  # noqa: PLC0415  # a command imports when it runs

    from learnae_iota.sensors.admission import Admission  # noqa: PLC0415  # the same

    tangle = _tangle(node, 0, client)
    try:
        follower = _follower(tangle, session, secret_file)
        heads = follower.discover()
    finally:
        tangle.close()
    admission = Admission(file=file, holders=secret_file is not None)
    for head in heads:
        admitted = admission.admits(head.key, sealed=secret_file is not None)
        if as_json:
            typer.echo(msgspec.json.encode({**msgspec.to_builtins(head), "admitted": admitted}))
        else:
            word = "admitted" if admitted else "not admitted"
            typer.echo(f"{head.sensor}  {head.key}  {head.mode}  at least {head.index} packets, {head.readings} readings  {word}")
    if not heads:
        _say(f"no sensor streams to {session}, or its heads are sealed with another secret")


def read_sensor(
    sensor: Annotated[str, typer.Argument(help="Its name.")],
    *,
    session: Session,
    node: NodeUrls,
    secret_file: Secret = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="Read only the stream of this key.")] = None,
    position: Annotated[str, typer.Option(help="Go on after an earlier reading; stderr shows the position.")] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Wait for the sensor, and for more until its stream ends.")] = False,
    client: Client = "plain",
) -> None:
    """Write a sensor's readings to stdout, a JSON object a line."""
    import time  # noqa: PLC0415  # a command imports when it runs

    import msgspec  # noqa: PLC0415  # the same

    from learnae.interfaces.sensors import Packet  # noqa: PLC0415  # the same

    tangle = _tangle(node, 0, client)
    follower = _follower(tangle, session, secret_file, key)
    try:
        while True:
            try:
                packet = follower.read(sensor, position, 1000)
            except NotFoundError:
                if not follow or position:
                    raise
                packet = Packet((), position)  # it may begin yet
            position = packet.position
            for reading in packet.readings:
                typer.echo(msgspec.json.encode(reading))
            if packet.ended or (not packet.readings and not follow):
                break
            if not packet.readings:
                time.sleep(1.0)
    except NotFoundError as exc:
        text = f"no sensor {sensor[:100]!r} streams to {session}"
        if key:
            text += " with that key"
        if secret_file is None:
            text += ", or its session has a secret, which --secret-file names"
        raise OperatorError(f"{text}; learnae sensor list shows who does") from exc
    finally:
        tangle.close()
        _say(f"position {position or '(the beginning)'}; {follower.counts.messages} messages passed over")


def _follower(tangle: Tangle, session: str, secret_file: Path | None, keys: list[str] | None = None) -> Follower:
    from learnae import read_secret  # noqa: PLC0415  # the same
    from learnae_iota.sensors.admission import Admission  # noqa: PLC0415  # a command imports when it runs
    from learnae_iota.sensors.following import Follower  # noqa: PLC0415  # the same
    from learnae_iota.sensors.sessions import sensor_session  # noqa: PLC0415  # the same

    known = sensor_session(session, read_secret(secret_file) if secret_file else None)
    return Follower(tangle, known, Admission(keys or (), everybody=not keys), tell=_say)


def _tangle(urls: list[str], weight: int, client: str, *, work_on_nodes: bool = False) -> Tangle:
    from learnae_iota.tangle.tangle import open_tangle  # noqa: PLC0415  # a command imports when it runs

    return open_tangle(urls, weight=weight, client=client, work_on_nodes=work_on_nodes, tell=_say)


def _say(text: str) -> None:
    typer.echo(text, err=True)
