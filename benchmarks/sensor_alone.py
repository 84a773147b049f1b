"""What a sensor costs a small computer: the plugin installed alone into a fresh environment, in megabytes and milliseconds.

    python benchmarks/sensor_alone.py

pip installs LEARNAE without extras, and the plugin, from this checkout; what they need comes from the package index. Then whole
processes are timed, and one streams rows to a development node. Medians of several.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from learnae_iota.serving.settings import NodeSettings
from learnae_iota.serving.threads import node_in_thread

ROOT = Path(__file__).parents[1]
REPEATS = 7
PACKETS, INSTANCES = 10, 50
PEAK = """
import runpy, sys
sys.argv = ["learnae", *sys.argv[1:]]
try:
    runpy.run_module("learnae", run_name="__main__")
finally:
    print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def megabytes(folder: Path) -> float:
    """Add up the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def milliseconds(command: list[str]) -> float:
    """Time a whole process: the median of several."""
    told = []
    for _ in range(REPEATS):
        began_s = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        told.append(1e3 * (time.perf_counter() - began_s))
    return statistics.median(told)


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="learnae-benchmark-") as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = str(folder / "env" / "bin" / "python")
        before = megabytes(folder / "env")
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT), str(ROOT / "plugins" / "iota")],
            check=True,
        )
        print(f"installed                              {megabytes(folder / 'env') - before:8.1f} MB, beside Python and pip")
        for package in sorted((folder / "env").glob("lib/python*/site-packages/*")):
            if package.is_dir() and (size := megabytes(package)) > 1 and package.name != "pip":
                print(f"  {package.name:36} {size:8.1f} MB")
        print(f"python -c pass                         {milliseconds([python, '-c', 'pass']):8.0f} ms")
        print(f"python -c 'import learnae_iota'        {milliseconds([python, '-c', 'import learnae_iota']):8.0f} ms")
        help_command = [python, "-m", "learnae", "sensor", "stream", "--help"]
        print(f"learnae sensor stream --help           {milliseconds(help_command):8.0f} ms")
        lines = ["x,label", *(f"{number / 7},{number % 2}" for number in range(PACKETS * INSTANCES))]
        (folder / "rows.csv").write_text("\n".join(lines) + "\n")
        with node_in_thread(settings=NodeSettings(milestone_interval_s=0.05, max_requests_per_s=0)) as node:
            streamed = subprocess.run(
                [
                    python, "-c", PEAK, "sensor", "stream", str(folder / "rows.csv"), "--session", "alone", "--sensor", "north",
                    "--node", node.url, "--state", str(folder / "state"), "--end",
                ],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
        print(f"peak memory, {PACKETS} packets streamed        {int(streamed.stderr.split()[-1]) / 1e3:8.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
