"""A stranger's ledger, installed as its own distribution, carries a session of two peers through the command line."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

COURIER = """
    import asyncio
    import hashlib
    from pathlib import Path

    from learnae import NotFoundError, Option, Provider, TooLargeError, hookimpl

    PLACE = Option("place", None, "Where couriers meet.", "--place", path=True)


    def replace(path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + f".{id(data)}.part")
        draft.write_bytes(data)
        draft.replace(path)


    class Courier:
        max_message_bytes = 1_000_000

        def __init__(self, context):
            self._folder = Path(context.options["place"]) / context.rendezvous / "messages"
            self._owner = context.owner
            self._seen = set()

        async def publish(self, slot, message):
            replace(self._folder / f"{self._owner}.{slot}", message)

        async def receive(self):
            while True:
                for path in sorted(self._folder.glob("*")) if self._folder.is_dir() else []:
                    message = b"" if path.suffix == ".part" else path.read_bytes()
                    if message and message not in self._seen:
                        self._seen.add(message)
                        return message
                await asyncio.sleep(0.02)

        async def aclose(self):
            pass


    class Cellar:
        scheme = "courier"
        max_file_bytes = 100_000_000

        def __init__(self, context):
            self._folder = Path(context.options["place"]) / context.rendezvous / "files"

        async def put(self, data):
            name = hashlib.sha256(data).hexdigest()
            replace(self._folder / name, data)
            return f"courier:{name}"

        async def get(self, locator, *, max_bytes):
            path = self._folder / Path(locator.partition(":")[2]).name
            if not path.is_file():
                raise NotFoundError(locator)
            if path.stat().st_size > max_bytes:
                raise TooLargeError(locator)
            return path.read_bytes()

        async def release(self, locator):
            pass

        async def aclose(self):
            pass


    @hookimpl
    def learnae_transports():
        return [Provider("courier", "By courier.", Courier, (PLACE,))]


    @hookimpl
    def learnae_storages():
        return [Provider("courier", "In the courier's cellar.", Cellar, (PLACE,))]


    @hookimpl
    def learnae_commands(app):
        @app.command()
        def parcel() -> None:
            print("on its way")
"""


def test_two_peers_meet_over_it(
    wheels: dict[str, Path], make_venv: Callable[..., Path], stranger: Callable[[str, str], Path], run: Run, tmp_path: Path
) -> None:
    learnae = make_venv(wheels["learnae"], stranger("learnae-courier", COURIER)) / "learnae"
    assert run(learnae, "parcel").stdout == "on its way\n"
    rows = [f"{index % 2},{(index % 2) * 2 - 1 + index / 997:.4f},{index * 37 % 101 / 50:.4f}" for index in range(120)]
    for peer, some in (("a", rows[::2]), ("b", rows[1::2] + rows[::5])):
        (tmp_path / f"{peer}.csv").write_text("\n".join(["label,x,y", *some]) + "\n")
    run(
        learnae,
        "init",
        "--data",
        tmp_path / "b.csv",
        "--label",
        "label",
        "--hidden",
        "4",
        "--framework",
        "numpy",
        "--out",
        tmp_path,
    )

    def be(peer: str) -> None:
        ended[peer] = run(
            *(learnae, "run", "--config", tmp_path / "learnae.toml", "--data", tmp_path / f"{peer}.csv"),
            *("--transport", "courier", "--place", tmp_path / "place", "--state", tmp_path / f"state-{peer}"),
            *("--until", "converged", "--expect-peers", "1", "--quiet-period", "0.5", "--presence-interval", "0.1", "--json"),
        )

    ended: dict[str, subprocess.CompletedProcess[str]] = {}
    threads = [threading.Thread(target=be, args=(peer,)) for peer in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [json.loads(ended[peer].stdout) for peer in "ab"]
    assert [outcome["reason"] for outcome in outcomes] == ["converged", "converged"]
    assert f"met peer {outcomes[1]['peer'][:8]}" in ended["a"].stderr
