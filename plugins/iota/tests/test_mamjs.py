"""The deployed mam.js 1.0.0-beta.10 and this code read each other over a real HORNET: three modes, three security levels."""

import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from learnae_iota import Channel, Mode, Reader, channel_root, create
from learnae_iota.bundles.bundles import Posting
from learnae_iota.tangle.fetching import Query
from learnae_iota.tangle.tangle import open_tangle
from learnae_iota.trinary.trytes import decode_bytes, encode_bytes
from tangle_rig import Hornet

SCRIPT = Path(__file__).parent / "mam_exchange.js"
KINDS = list(itertools.product(Mode, (1, 2, 3)))
MESSAGES = ("the first", "and the second, " + "which is longer " * 200)
WRITER_S = 300


def side_key(mode: Mode) -> str:
    return "SIDE9KEY".ljust(81, "9") if mode is Mode.RESTRICTED else ""


def mam_js(hornet: Hornet, asked: dict[str, Any]) -> dict[str, Any]:
    folder, program = os.environ.get("MAMJS_FOLDER"), shutil.which("node")
    if not folder or program is None:
        pytest.skip("MAMJS_FOLDER names no folder with mam.js, or there is no node to run it")
    command = [program, str(SCRIPT), folder, hornet.url, str(hornet.weight)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=WRITER_S, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_it_reads_what_we_write(hornet: Hornet) -> None:
    asked = []
    tangle = open_tangle([hornet.url], weight=hornet.weight)
    try:
        for mode, security in KINDS:
            channel = Channel(f"OURS{mode.upper()}{'9ABC'[security]}".ljust(81, "9"), mode, side_key(mode), security)
            asked.append({"root": channel_root(channel), "mode": mode, "key": side_key(mode)})
            for text in MESSAGES:
                signed = create(channel, encode_bytes(text.encode()))
                tangle.send([Posting(signed.address, signed.payload, "WE9WRITE")])
                channel = signed.after
    finally:
        tangle.close()
    assert mam_js(hornet, {"read": asked})["texts"] == [list(MESSAGES)] * len(KINDS)


@pytest.mark.slow
def test_we_read_what_it_writes(hornet: Hornet) -> None:
    asked = [
        {
            "seed": f"THEIRS{mode.upper()}{'9ABC'[security]}".ljust(81, "9"),
            "mode": mode,
            "key": side_key(mode),
            "security": security,
            "messages": MESSAGES,
        }
        for mode, security in KINDS
    ]
    roots = mam_js(hornet, {"write": asked})["roots"]
    tangle = open_tangle([hornet.url], weight=hornet.weight)
    try:
        for (mode, security), root in zip(KINDS, roots, strict=True):
            reader = Reader(root, mode, side_key(mode))
            for text in MESSAGES:
                fetched = tangle.fetch(Query(addresses=(reader.address(),)))
                [message] = reader.gather(posting.trytes for bundle in fetched.bundles for posting in bundle.postings)
                assert (decode_bytes(message.trytes).decode(), message.security) == (text, security)
                reader = reader.following(message)
    finally:
        tangle.close()
