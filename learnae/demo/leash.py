"""Becomes another program that Linux stops when the process which started it is gone: ``leash.py PARENT PROGRAM ARGUMENT...``.

Run as a file and without ``site``, so that it costs a few milliseconds. The wish survives ``exec`` (prctl(2),
PR_SET_PDEATHSIG), and unlike a ``preexec_fn`` it needs no fork of a process with JAX's threads in it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # It went before the leash was tied.
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - a list of arguments, no shell


if __name__ == "__main__":
    main()
