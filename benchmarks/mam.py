"""What a MAM packet costs with both kernels, beside the deployed JavaScript library. Medians of several, all in one run.

python benchmarks/mam.py [FOLDER]

In FOLDER, or in a temporary one, npm installs the library; without npm there are no figures of it.
"""

from __future__ import annotations

import functools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from learnae_iota import Channel, Kernel, KernelName, Mode, Reader, channel_root, choose_kernel, create, encode_bytes
from learnae_iota.bundles.work import CANDIDATES, find_nonce, transaction_hash
from learnae_iota.trinary.trytes import to_trits

REPEATS = 15
REPEATS_JS = 7
PACKET = json.dumps({"readings": [[round(row * 0.37 + column, 3) for column in range(28)] for row in range(230)]}).encode()[
    :35_000
]
SEED = "LEARNAEBENCHMARK".ljust(81, "9")
SIDE_KEY = "OUR9SIDE9KEY"
SECURITY = 2
WEIGHT = 9
BATCHES = 400

PACKAGES = {
    "private": True,
    "dependencies": {"@iota/mam.js": "1.0.0-beta.10", "@iota/core": "1.0.0-beta.30", "@iota/converter": "1.0.0-beta.30"},
    "overrides": {
        "@iota/bundle": "1.0.0-beta.30",
        "@iota/bundle-validator": "1.0.0-beta.30",
        "@iota/checksum": "1.0.0-beta.30",
        "@iota/curl": "1.0.0-beta.19",
        "@iota/http-client": "1.0.0-beta.30",
        "@iota/kerl": "1.0.0-beta.30",
        "@iota/pad": "1.0.0-beta.30",
        "@iota/signing": "1.0.0-beta.30",
        "@iota/transaction": "1.0.0-beta.30",
        "@iota/transaction-converter": "1.0.0-beta.30",
        "@iota/validators": "1.0.0-beta.30",
    },
}
"""Without the overrides npm picks broken sub-packages."""

SCRIPT = """
const {createChannel, createMessage, parseMessage} = require("@iota/mam.js");
const [seed, sideKey, security, message, repeats] = JSON.parse(require("fs").readFileSync(0));
const seconds = {create: [], parse: []};
let payload;
for (let i = 0; i <= repeats; i++) {
  const channel = createChannel(seed, security, "restricted", sideKey);
  let start = process.hrtime.bigint();
  const made = createMessage(channel, message);
  const created = Number(process.hrtime.bigint() - start) / 1e9;
  start = process.hrtime.bigint();
  const parsed = parseMessage(made.payload, made.root, channel.sideKey);
  const read = Number(process.hrtime.bigint() - start) / 1e9;
  if (parsed.message !== message) throw new Error("it reads something else");
  if (i > 0) { seconds.create.push(created); seconds.parse.push(read); }
  payload = made.payload;
}
console.log(JSON.stringify({...seconds, payload}));
"""


def timed(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median of several, in seconds, after one that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def javascript(folder: Path, message: str) -> tuple[dict[str, float], str] | None:
    """Time the deployed library; return its seconds and its payload."""
    if shutil.which("npm") is None:
        return None
    if not (folder / "node_modules" / "@iota" / "mam.js").is_dir():
        (folder / "package.json").write_text(json.dumps(PACKAGES))
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True, stdout=sys.stderr)
    given = json.dumps([SEED, SIDE_KEY, SECURITY, message, REPEATS_JS])
    done = subprocess.run(["node", "-e", SCRIPT], cwd=folder, input=given, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return {step: statistics.median(told[step]) for step in ("create", "parse")}, told["payload"]


def measure(kernel: Kernel, message: str) -> tuple[dict[str, float], str]:
    """Time one kernel; return its seconds and its payload."""
    channel = Channel(SEED, Mode.RESTRICTED, SIDE_KEY, SECURITY)
    first = create(channel, message, kernel=kernel)
    reader = Reader(channel_root(channel, kernel), Mode.RESTRICTED, SIDE_KEY)
    transaction = first.payload[:2673]
    assert reader.parse(first.payload, kernel).trytes == message
    seconds = {
        "create": timed(lambda: create(channel, message, kernel=kernel)),
        "parse": timed(lambda: reader.parse(first.payload, kernel)),
        "create, its own tree grown before": timed(lambda: create(first.after, message, trees=first.trees, kernel=kernel)),
        "hash": timed(lambda: transaction_hash(transaction, kernel)),
        "candidate": timed(lambda: find_nonce(transaction, 243, batches=BATCHES, kernel=kernel), 3) / BATCHES / CANDIDATES,
    }
    seconds["work"] = seconds["candidate"] * 3**WEIGHT
    return seconds, first.payload


def peak_mb(name: str, kernel: str) -> float:
    """Return the peak memory of a process that does one thing."""
    code = "from learnae_iota import Channel, create, choose_kernel;" + (
        "" if name == "import" else f"create(Channel('A'*81), 'A'*70000, kernel=choose_kernel('{kernel}'));"
    )
    code += "print(int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])/1024)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the table."""
    message = encode_bytes(PACKET)
    kernels = [choose_kernel(name) for name in (KernelName.COMPILED, KernelName.PURE)]
    with tempfile.TemporaryDirectory(prefix="learnae-benchmark-") as temporary:
        folder = Path(sys.argv[1] if sys.argv[1:] else temporary)
        folder.mkdir(parents=True, exist_ok=True)
        theirs = javascript(folder, message)
    ours = {kernel.name: measure(kernel, message) for kernel in kernels}
    payloads = {payload for _, payload in [*ours.values(), *([theirs] if theirs else [])]}
    assert len(payloads) == 1, "not all make the same bytes"

    print(f"A packet of {len(PACKET)} bytes, security {SECURITY}: {len(message)} trytes, signed {len(payloads.pop())}")
    print(f"{'ms':40} {'compiled':>10} {'pure':>10} {'mam.js':>10}   compiled, pure: times as fast")
    for step in ("create", "parse", "create, its own tree grown before"):
        values = [ours[name][0][step] for name in ("compiled", "pure")]
        line = f"{step:40} " + " ".join(f"{1e3 * value:10.2f}" for value in values)
        if theirs and step in theirs[0]:
            line += f" {1e3 * theirs[0][step]:10.1f}   " + ", ".join(f"{theirs[0][step] / value:.0f}" for value in values)
        print(line)
    for text, step, scale in (
        ("hash of a transaction", "hash", 1e3),
        ("a candidate for work, in µs", "candidate", 1e6),
        (f"work of weight {WEIGHT}, on average", "work", 1e3),
        ("70,000 trytes to trits", "", 1e3),
    ):
        names = ("compiled", "pure")
        cells = [ours[name][0][step] for name in names] if step else [timed(functools.partial(to_trits, message))] * 2
        print(f"{text:40} " + " ".join(f"{scale * cell:10.2f}" for cell in cells))
    print(f"{'peak memory of import, MB':40} {peak_mb('import', 'compiled'):10.1f}")
    peaks = [peak_mb("create", name) for name in ("compiled", "pure")]
    print(f"{'peak memory of import and create, MB':40} " + " ".join(f"{peak:10.1f}" for peak in peaks))


if __name__ == "__main__":
    main()
